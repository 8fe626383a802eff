"""`holdfast status` and `holdfast shell`: look into the lab that `holdfast up` or `drill` keeps in another terminal."""

import argparse
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from holdfast.errors import MET, Problem, Refused
from holdfast.lab import control, linux

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_KINDS = {
    "user": linux.CLONE_NEWUSER, "mnt": linux.CLONE_NEWNS, "net": linux.CLONE_NEWNET, "ipc": linux.CLONE_NEWIPC,
    "uts": linux.CLONE_NEWUTS, "pid": linux.CLONE_NEWPID,
}  # fmt: skip


def status(arguments: argparse.Namespace) -> int:
    found, _ = _ask(arguments.runs, {})
    if arguments.json:
        print(json.dumps(found, indent=1))
    else:
        print(_table(found))
    return MET


def _table(found: dict[str, Any]) -> str:
    rows = [("instance", "address", "zone", "in service", "role")]
    rows += [(each["name"], each["address"], each["zone"], each["in_service"], each["role"]) for each in found["instances"]]
    widths = [max(len(row[index]) for row in rows) for index in range(5)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    verdict = "could lose any one host" if found["redundant"] else "; ".join(found["missing"])
    return "\n".join([f"{found['service']} in the lab {found['lab']}: {verdict}", *lines])


def shell(arguments: argparse.Namespace) -> int:
    found, files = _ask(arguments.runs, {"host": arguments.host})
    if "error" in found:
        raise Refused(_no_host(arguments.host, found["error"], _ask(arguments.runs, {})[0]))
    if not files:
        reason = "hosts of this lab share the machine's own system; there is nothing to step into"
        raise Refused(Problem(reason, where=arguments.host, remedy="use a lab of namespaces, where the kernel allows one"))
    sys.stdout.flush()
    for kind, descriptor in zip(found["kinds"], files, strict=True):
        if kind != "user" or os.fstat(descriptor).st_ino != os.stat("/proc/self/ns/user").st_ino:
            linux.setns(descriptor, _KINDS[kind])
        os.close(descriptor)
    os.chdir("/")
    child = os.fork()  # a process namespace holds for children only
    if child == 0:
        _step_in(arguments.host, arguments.command, found.get("path", ""))
    _, status_ = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status_)
    return code if code >= 0 else 128 - code


def _no_host(name: str, error: str, status_: dict[str, Any]) -> Problem:
    """`status_` is the lab's answer to a question for its status."""
    own = list(dict.fromkeys(each["host"] for each in status_["instances"] if each["tier"] == name))
    if name in status_["hosts"]:
        return Problem(f"cannot be stepped into: {error}", where=name, remedy="is it switched off?  `holdfast status` tells")
    if own:
        return Problem(f"{name} is a tier, not a host", where="shell", remedy=f"name one of its hosts: {', '.join(own)}")
    return Problem(f"there is no host {name}", where="shell", remedy=f"name one of {', '.join(status_['hosts'])}")


def _step_in(host: str, command: list[str], path: str) -> None:
    environment = {"PATH": f"{path}:{SYSTEM_PATH}" if path else SYSTEM_PATH, "HOME": "/tmp", "LANG": "C.UTF-8"}
    environment |= {"TERM": os.environ.get("TERM", "dumb"), "PS1": f"{host} \\w # "}
    argv = [word for word in command if word != "--"] or (["bash", "--norc"] if Path("/bin/bash").exists() else ["sh"])
    try:
        linux.drop_capabilities()
        os.execvpe(argv[0], argv, environment)
    except OSError as error:
        sys.stderr.write(f"{argv[0]}: {error.strerror}\n")
    finally:
        os._exit(127)


def others_up(runs: str) -> list[str]:
    """Names of the runs whose labs answer."""
    found = []
    for path in sorted(Path(runs).glob(f"*/{control.NAME}")):
        with suppress(OSError):
            control.ask(path.parent, {})
            found.append(path.parent.name)
    return found


def _ask(runs: str, question: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
    """The newest lab that still answers."""
    try:
        return control.ask_newest(Path(runs), question)
    except (LookupError, OSError):
        remedy = "start one with `holdfast up TOPOLOGY`; --runs names its folder"
        raise Refused(Problem("no lab is running", where=str(Path(runs)), remedy=remedy)) from None

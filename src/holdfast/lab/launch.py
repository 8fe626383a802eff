"""Start one program of a host: its user, its environment, its log, and what it waits for first.

Standard library and `linux` only, because supervisors import it.
"""

import os
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from typing import Any, Literal

from holdfast.lab import linux

UNPRIVILEGED = 5432
"""The number that an unprivileged user has inside a host with an /etc of its own."""

_RESET = (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE)
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Place:
    """What the place decides about launching.

    users: how to become an unprivileged user.  `nested`: a user namespace of its own; `setuid`: a real one (only as root);
    `same`: we are an ordinary user already.  See `linux.become` and `linux.set_user`.
    """

    prefix: str = ""
    users: Literal["nested", "setuid", "same"] = "nested"
    uid: int = UNPRIVILEGED
    gid: int = UNPRIVILEGED
    """Numbers of that user; they must be in the passwd file that the host sees, because initdb looks there."""
    confined: bool = True
    """Drop capabilities: only where hosts are namespaces."""
    logs: dict[str, int] = field(default_factory=dict)
    """Process name to an open file for what it prints."""
    python: str = ""
    """Directory of the interpreter that runs holdfast: `python3` in a user's command means this one."""

    def path(self, path: str) -> str:
        """Where a production path is.  One that already is beneath the prefix stays."""
        inside = not self.prefix or path == self.prefix or path.startswith(self.prefix + "/")
        return path if inside else self.prefix + path

    def give(self, path: str, user: str) -> None:
        if user != "root" and self.users == "setuid":
            os.chown(path, self.uid, self.gid)


def launch(spec: dict[str, Any], place: Place) -> int:
    """Fork and execute.  Returns the pid at once; a failure is told on the program's log and by exit code 127."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _RESET)  # one that comes too early would meet the supervisor's "ignore"
    pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _RESET)
        return pid
    try:
        _child(spec, place)
    except BaseException as error:  # noqa: BLE001 - a forked child must never return into the supervisor's loop
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error  # str() of it would show bytes
        os.write(2, f"holdfast: cannot start {spec['argv'][0]}: {reason}\n".encode())
    finally:
        os._exit(127)


def _child(spec: dict[str, Any], place: Place) -> None:
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in _RESET:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    log = spec.get("log", -1)
    log = log if log >= 0 else place.logs.get(spec.get("name", ""), -1)
    nothing = os.open("/dev/null", os.O_RDWR)
    os.dup2(nothing, 0)
    for number in (1, 2):
        os.dup2(log if log >= 0 else nothing, number)
    os.closerange(3, 1024)
    environment = _environment(spec, place)
    for need in spec["needs"]:
        await_need(need["address"], need["port"], need["path"], need["patience_s"])
    here = place.path(spec["cwd"])
    os.chdir(here if os.path.isdir(here) else spec["cwd"])
    if spec["user"] != "root":
        _become_unprivileged(place)
    if place.confined:
        linux.drop_capabilities()
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    os.execvpe(spec["argv"][0], spec["argv"], environment)


def _become_unprivileged(place: Place) -> None:
    if place.users == "nested":
        linux.become(place.uid, place.gid)
    elif place.users == "setuid":
        linux.set_user(place.uid, place.gid)


def _environment(spec: dict[str, Any], place: Place) -> dict[str, str]:
    """An allow-list: nothing of the caller's environment (a cloud credential, say) reaches a program."""
    path = f"{place.python}:{_SYSTEM_PATH}" if place.python else _SYSTEM_PATH
    environment = {"PATH": path, "HOME": place.path("/tmp"), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "USER": spec["user"]}
    environment |= {"LOGNAME": spec["user"], "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    if place.prefix:
        environment["TMPDIR"] = place.path("/tmp")
    environment |= spec["env"]
    if spec["environment_file"]:
        with open(place.path(spec["environment_file"])) as lines:
            for line in lines:
                name, equals, value = line.strip().partition("=")
                if equals and not name.startswith("#"):
                    environment[name] = value.strip('"')
    return environment


def await_need(address: str, port: int, path: str, patience_s: float) -> bool:
    """Wait until it answers; when patience ends the program starts all the same and says itself what it misses."""
    until_s = time.monotonic() + patience_s
    while time.monotonic() < until_s:
        try:
            with socket.create_connection((address, port), 0.5) as connection:
                if not path:
                    return True
                connection.sendall(f"GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n".encode())
                if b" 200 " in connection.recv(64):
                    return True
        except OSError:
            pass
        time.sleep(0.05)
    sys.stderr.write(f"holdfast: {address}:{port}{path} did not answer within {patience_s:g} s; starting without it\n")
    return False

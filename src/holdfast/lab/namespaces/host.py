"""Become process 1 of a new host: own network, mounts, processes, names and IPC, then serve as its supervisor.

The machine's own tree is seen read-only.  What a host may write (/etc, /var/lib, /var/log, /run, /tmp) lies on a disk of its
own, where the entries of the real directories are symbolic links into a read-only view: no overlay file system is needed, and
files of users that are not mapped do no harm.  Standard library, `linux`, `netlink` and `supervisor` only.
"""

import json
import os
import socket
import time
from contextlib import suppress
from typing import Any

from holdfast.lab import linux, netlink
from holdfast.lab.launch import UNPRIVILEGED, Place
from holdfast.lab.supervisor import Supervisor

_KEPT_ACROSS_BOOTS = ("/etc", "/var/lib", "/var/log")
_FRESH = ("/run", "/tmp", "/var/tmp")
_HIDDEN = ("/etc/shadow", "/etc/gshadow", "/etc/shadow-", "/etc/gshadow-")
_DISK_S = 5.0
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")


def main(descriptor: int) -> None:
    """Started by the lab with one socket; the first line on it is the host's description."""
    channel = socket.socket(fileno=descriptor)
    host: dict[str, Any] = json.loads(_first_line(channel))
    logs = {name: os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644) for name, path in host["logs"].items()}
    linux.unshare(linux.CLONE_NEWNET | linux.CLONE_NEWNS | linux.CLONE_NEWPID | linux.CLONE_NEWIPC | linux.CLONE_NEWUTS)
    pid = os.fork()
    if pid:
        _tell(channel, {"pid": pid})
        os._exit(0)  # the lab, process 1 of its own namespace, inherits and reaps the host
    try:
        disk_server = _mount(host)
        linux.set_hostname(host["name"])
    except OSError as error:
        _tell(channel, {"failed": str(error)})
        os._exit(1)
    place = Place(users="nested", confined=True, logs=logs, python=host["python"])
    verbs = {
        "network": _network, "addresses": lambda: sorted(netlink.addresses()), "disk_server": lambda: disk_server,
    }  # fmt: skip
    supervisor = Supervisor(channel, place, verbs)
    supervisor.spared = disk_server  # it reads pid files beneath /var/lib: whoever stops that must not wait for it
    supervisor.serve()


def _tell(channel: socket.socket, message: dict[str, Any]) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):  # the lab is ending already; so does what reads an empty channel
        channel.sendall(json.dumps(message).encode() + b"\n")


def _first_line(channel: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        line += channel.recv(1)
    return line


def _network(address: str, prefix_length: int) -> None:
    """Once the lab has laid the cable."""
    netlink.bring_up("lo")
    netlink.add_address("eth0", address, prefix_length)
    netlink.bring_up("eth0")


def _mount(host: dict[str, Any]) -> int:
    """Returns the process through which /var/lib is reached, 0 if there is none."""
    linux.make_private()
    disk, real = host["disk"], host["real"]
    first_boot = not os.path.isdir(f"{disk}/etc")
    for directory in _KEPT_ACROSS_BOOTS:
        os.makedirs(disk + directory, exist_ok=True)
        if first_boot:
            _link_entries(real + directory, disk + directory)
    if first_boot:
        for path in host["claimed"]:
            _claim(path, disk, real)
        _write_identity(host, disk + "/etc")
    linux.make_everything_read_only()
    for directory in _KEPT_ACROSS_BOOTS:
        linux.bind(disk + directory, directory, writable=True)
    linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
    _mount_devices((*_DEVICES, "fuse") if host["through"] else _DEVICES)
    disk_server = _serve_disk(host["through"]) if host["through"] else 0
    for directory in (*_FRESH, "/dev/shm"):
        _mount_fresh(directory, [path for path in host["visible"] if path.startswith(directory + "/")])
    _hide(host)
    return disk_server


def _serve_disk(program: str) -> int:
    """/var/lib once more, over itself, through a process that can be stopped.  Raises OSError where it does not come."""
    argv = [program, "-f", "-o", "allow_other", "/var/lib", "/var/lib"]
    pid = os.posix_spawn(program, argv, {"PATH": "/usr/bin:/bin"}, setsid=True)
    until_s = time.monotonic() + _DISK_S
    while time.monotonic() < until_s:
        with open("/proc/self/mountinfo") as lines:
            if any(line.split()[4] == "/var/lib" and " - fuse" in line for line in lines):
                return pid
        time.sleep(0.01)
    raise OSError(f"{program} did not mount /var/lib within {_DISK_S:g} s")


def _mount_devices(names: tuple[str, ...]) -> None:
    """Only what every program may have: no disk, no /dev/kvm, no loop device of the machine."""
    opened = {name: os.open(f"/dev/{name}", os.O_PATH) for name in names if os.path.exists(f"/dev/{name}")}
    linux.mount("tmpfs", "/dev", "tmpfs", linux.MS_NOSUID, "size=64k,mode=755")
    for name, descriptor in opened.items():
        os.close(os.open(f"/dev/{name}", os.O_WRONLY | os.O_CREAT))
        linux.mount(f"/proc/self/fd/{descriptor}", f"/dev/{name}", flags=linux.MS_BIND)
        os.close(descriptor)
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        os.symlink(target, f"/dev/{name}")
    os.mkdir("/dev/shm")


def _hide(host: dict[str, Any]) -> None:
    """What root of this host could read or change although it is the machine's, or another host's."""
    for path in ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs"):
        if os.path.exists(path):
            linux.bind(path, path, writable=False)
    for path in _HIDDEN:
        if os.path.exists(host["real"] + path):
            linux.mount("/dev/null", host["real"] + path, flags=linux.MS_BIND)
    linux.mount("tmpfs", os.path.dirname(host["disk"]), "tmpfs", linux.MS_RDONLY, "size=4k")


def _mount_fresh(directory: str, visible: list[str]) -> None:
    """An empty file system in memory; what lies there and must stay visible (the user's own program, say) is put back."""
    opened = {path: os.open(path, os.O_PATH) for path in visible if os.path.isdir(path)}
    linux.mount("tmpfs", directory, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "size=256m,mode=1777")
    for path, descriptor in sorted(opened.items()):
        os.makedirs(path, exist_ok=True)
        linux.mount(f"/proc/self/fd/{descriptor}", path, flags=linux.MS_BIND | linux.MS_REC)
        os.close(descriptor)


def _link_entries(source: str, target: str) -> None:
    """Every entry of `source` as a symbolic link in `target`."""
    try:
        names = os.listdir(source)
    except OSError:
        return
    for name in names:
        if not os.path.lexists(f"{target}/{name}"):
            os.symlink(f"{source}/{name}", f"{target}/{name}")


def _claim(path: str, disk: str, real: str) -> None:
    """A directory that this host writes itself: links to the machine's own give way on the path to it, and it begins empty."""
    kept = next((directory for directory in _KEPT_ACROSS_BOOTS if path.startswith(directory + "/")), None)
    if kept is None:
        return
    here = kept
    for part in path[len(kept) + 1 :].split("/"):
        here = f"{here}/{part}"
        if os.path.islink(disk + here):
            os.unlink(disk + here)
        if not os.path.isdir(disk + here):
            os.mkdir(disk + here)
            if here != path:
                _link_entries(real + here, disk + here)


def _accounts(path: str, ours: list[str]) -> str:
    """The machine's own accounts but those whose name or number we give away."""
    with open(path) as lines:
        rows = [line.split(":") for line in lines]
    return "".join(":".join(row) for row in rows if row[0] not in ours and len(row) > 2 and row[2] != str(UNPRIVILEGED))


def _write_identity(host: dict[str, Any], etc: str) -> None:
    for path in _HIDDEN:
        if os.path.islink(etc + path[4:]):
            os.unlink(etc + path[4:])
    users = _accounts("/etc/passwd", host["users"])
    groups = _accounts("/etc/group", host["users"])
    for user in host["users"]:
        users += f"{user}:x:{UNPRIVILEGED}:{UNPRIVILEGED}::/tmp:/bin/sh\n"
        groups += f"{user}:x:{UNPRIVILEGED}:\n"
    names = "127.0.0.1 localhost\n" + "".join(f"{address} {name}\n" for name, address in host["names"])
    for name, text in (
        ("passwd", users), ("group", groups), ("hosts", names), ("hostname", host["name"] + "\n"), ("resolv.conf", ""),
    ):  # fmt: skip
        path = f"{etc}/{name}"
        if os.path.islink(path):
            os.unlink(path)
        with open(path, "w") as file:
            file.write(text)

"""Be the supervisor of one host of the loopback lab: a subreaper with a session of its own, beside the machine's other processes.

No namespace helps here, so this process is the watchdog: when the lab's end of the socket closes, because holdfast ended or
was killed with -9, it kills what runs beneath it and removes the host's files.  Standard library and supervisor only.
"""

import json
import os
import shutil
import socket
from contextlib import suppress
from typing import Any

from holdfast.lab import linux
from holdfast.lab.launch import Place
from holdfast.lab.supervisor import Supervisor


def main(descriptor: int) -> None:
    """Started by the lab with one socket; the first line on it is the host's description."""
    channel = socket.socket(fileno=descriptor)
    line = b""
    while not line.endswith(b"\n"):
        if not (byte := channel.recv(1)):
            return
        line += byte
    host: dict[str, Any] = json.loads(line)
    linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
    try:
        os.makedirs(f"{host['prefix']}/tmp", exist_ok=True)
        os.chmod(f"{host['prefix']}/tmp", 0o1777)
        logs = {name: os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644) for name, path in host["logs"].items()}
    except OSError as error:
        channel.sendall(json.dumps({"failed": str(error)}).encode() + b"\n")
        return
    place = Place(
        prefix=host["prefix"], users=host["users"], uid=host["uid"], gid=host["gid"], confined=False, logs=logs,
        python=host["python"],
    )  # fmt: skip
    try:
        channel.sendall(json.dumps({"pid": os.getpid()}).encode() + b"\n")
        Supervisor(channel, place).serve()
    except ConnectionError:
        pass  # the lab went away while we were telling it something; what ran is ended already
    finally:
        shutil.rmtree(host["prefix"], ignore_errors=True)
        with suppress(OSError):  # the last host takes the folder of all with it
            os.rmdir(os.path.dirname(host["prefix"]))

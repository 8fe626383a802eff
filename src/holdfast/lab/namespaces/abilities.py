"""What a lab of namespaces can do on this machine, and why not the rest."""

import os
from collections.abc import Mapping

from holdfast.lab import memory
from holdfast.lab.namespaces.links import refusal

ALL = frozenset({
    "signal", "pause", "power", "wire", "shape", "disk", "shell", "publish", "check", "memory", "clock", "front", "stall",
})  # fmt: skip


def lacking(ground: memory.Ground | str | None = None) -> Mapping[str, str]:
    """Ability to reason, of those that are missing whether asked outside of a lab or inside.

    `ground`: as found by `memory.ground`, if it was asked already.
    """
    reasons = {}
    if isinstance(found := ground or memory.ground(), str):
        reasons["memory"] = found
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR))
    except OSError as error:
        reasons["stall"] = f"a file system that can be made to wait needs /dev/fuse: {error.strerror}"
    return reasons


def why_not(ground: memory.Ground | str | None = None) -> Mapping[str, str]:
    """The same asked inside, where a network of our own lets us have packet sockets that are nobody's business outside."""
    network = {"shape": reason, "front": reason} if (reason := refusal()) else {}
    return {**lacking(ground), **network}

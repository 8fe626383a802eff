"""Files and directories of a host, written by its supervisor.  Standard library and `launch` only."""

import os
from base64 import b64decode

from holdfast.lab.launch import Place

BYTES = "data:application/octet-stream;base64,"
"""As in `blueprint`, which a supervisor does not import."""


def as_bytes(text: str) -> bytes:
    return b64decode(text.removeprefix(BYTES)) if text.startswith(BYTES) else text.encode()


class Writing:
    """Owned by a supervisor.  Paths are those of production."""

    def __init__(self, place: Place):
        self.place = place

    def write(self, path: str, text: str, mode: int, user: str = "root") -> None:
        """In one moment, by moving it there: no program sees half a file, and one that watches for moves takes notice."""
        place = self.place.path(path)
        beside = f"{place}.new"
        os.makedirs(os.path.dirname(place), exist_ok=True)
        file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(file, "wb") as opened:
            opened.write(as_bytes(text))
        os.chmod(beside, mode)
        self.place.give(beside, user)
        os.replace(beside, place)

    def make_directories(self, directories: dict[str, int], user: str) -> None:
        for path, mode in directories.items():
            place = self.place.path(path)
            os.makedirs(place, exist_ok=True)
            os.chmod(place, mode)
        for path in directories:  # only now: in another's directory even root may not be allowed to make one
            self.place.give(self.place.path(path), user)

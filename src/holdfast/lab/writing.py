"""Files and directories of a host, written by its supervisor.  Standard library and `launch` only."""

import os

from holdfast.lab.launch import Place


class Writing:
    """Owned by a supervisor.  Paths are those of production."""

    def __init__(self, place: Place):
        self.place = place

    def write(self, path: str, text: str, mode: int, user: str = "root") -> None:
        place = self.place.path(path)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        file = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(file, "w") as opened:
            opened.write(text)
        os.chmod(place, mode)
        self.place.give(place, user)

    def replace(self, path: str, text: str) -> None:
        """At once: whoever reads it meanwhile sees the old text or the new one."""
        self.write(f"{path}.new", text, 0o644)
        os.replace(self.place.path(f"{path}.new"), self.place.path(path))

    def make_directories(self, directories: dict[str, int], user: str) -> None:
        for path, mode in directories.items():
            place = self.place.path(path)
            os.makedirs(place, exist_ok=True)
            os.chmod(place, mode)
        for path in directories:  # only now: in another's directory even root may not be allowed to make one
            self.place.give(self.place.path(path), user)

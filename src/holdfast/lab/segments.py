"""Which System V segments did the programs of one host make?  Without an IPC namespace nobody else removes them.

Standard library and `linux` only, because supervisors import it.
"""

import os
from collections.abc import Callable, Iterable

from holdfast.lab import linux


class Segments:
    """Owned by a supervisor.  `everyone` lists the processes of its host.

    `user`: the uid and gid that its unprivileged programs have.

    Whose a segment is must be asked while its creator can still be found.  Process numbers are used again, so no list of
    past ones is kept: a stranger's segment could be taken for ours.
    """

    def __init__(self, everyone: Callable[[], Iterable[int]], user: tuple[int, int]):
        self._everyone, self._user = everyone, user
        self._seen: dict[int, bool] = {}
        """Identifier to whether one of ours created it."""

    def look(self, reaped: int = 0) -> None:
        """`reaped`: a process of this host that ended just now."""
        present = linux.shared_memory()
        self._seen = {identifier: ours for identifier, ours in self._seen.items() if identifier in present}
        if unknown := present.keys() - self._seen.keys():
            ours = {*self._everyone(), reaped}
            self._seen |= {identifier: present[identifier] in ours for identifier in unknown}

    def remove(self) -> None:
        self.look()
        for identifier in [identifier for identifier, ours in self._seen.items() if ours]:
            _remove(identifier, self._user)


def _remove(identifier: int, user: tuple[int, int]) -> None:
    """In a child, because only its own user may remove a segment, and root without its capabilities is not everybody."""
    child = os.fork()
    if child == 0:
        try:
            linux.remove_shared_memory(identifier)
        except OSError:
            linux.set_user(*user)
            linux.remove_shared_memory(identifier)
        finally:
            os._exit(0)
    os.waitpid(child, 0)

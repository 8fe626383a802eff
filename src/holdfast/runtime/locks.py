"""The lock of every policy: one thread may take it twice, and a forked child finds it free.

Rules: a process that forks while another thread is within a locked part hands its child a lock that nobody there will ever give
back; so all locks are known here, by weak references, and are made anew in the child.  This is the one list that the runtime
keeps in a module: only the system tells of a fork, and it knows no breakers.
"""

from __future__ import annotations

import os
from _thread import RLock
from _weakref import ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ALL: set[Any] = set()
_forget = _ALL.discard  # once: a method bound for each lock would be a tenth of a breaker's memory


def new_lock() -> RLock:
    lock = RLock()
    _ALL.add(ref(lock, _forget))
    return lock


def _in_the_child() -> None:
    for each in tuple(_ALL):
        lock = each()
        if lock is not None:
            lock._at_fork_reinit()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_in_the_child)

"""A store of seats in memory, shared by the contenders of one test; its clock is the test's."""

from __future__ import annotations

from collections.abc import Callable
from threading import Condition
from typing import Any

from pretend_etcd import PretendEtcd

from holdfast.runtime.election_etcd import EtcdSeats
from holdfast.runtime.election_store import Unreachable


class PretendStore:
    """`away` set: nobody answers.  `asked` counts the requests."""

    def __init__(self, clock: Callable[[], float]):
        self.etcd = PretendEtcd(clock)
        self.away = False
        self.asked = 0
        self.news = Condition()

    def seats(self, name: str, count: int, attempt_s: float) -> EtcdSeats:
        return EtcdSeats(_Door(self), name, count)


class _Door:
    """One contender's way in, as the gateway of etcd is."""

    def __init__(self, store: PretendStore):
        self._store = store
        self._interrupted = False

    def post(self, path: str, body: dict[str, Any], *, limit_s: float) -> dict[str, Any]:
        store = self._store
        with store.news:
            store.asked += 1
            if store.away:
                raise Unreachable("no member of etcd answered: all are away")
            answer = store.etcd.post(path, body)
            store.news.notify_all()
            return answer

    def change(self, keys: dict[str, str], *, limit_s: float) -> None:
        store = self._store
        with store.news:
            until = int(keys["start_revision"])
            store.news.wait_for(lambda: self._interrupted or store.etcd.revision >= until, min(limit_s, 0.05))

    def interrupt(self) -> None:
        with self._store.news:
            self._interrupted = True
            self._store.news.notify_all()

    def close(self) -> None: ...

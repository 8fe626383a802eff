"""Seats in etcd v3: a key bound to a lease, made only where there is none; its create revision is the token.

Rules: every request may be repeated at another member without harm.  A revision of etcd counts all changes of the cluster and
never goes back, unless somebody restores an older snapshot.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from math import ceil
from typing import TYPE_CHECKING, Any

from holdfast.runtime.election_http import Answered, Gateway
from holdfast.runtime.election_store import Call, Gone, Holder, StoreRefused, Taken

if TYPE_CHECKING:
    import ssl
    from collections.abc import Generator, Sequence

    from holdfast.runtime.election_store import Step

__all__ = ["Etcd", "EtcdSeats", "held", "seat_key"]

PREFIX = "/holdfast/seats/"
NOT_FOUND = 5  # gRPC status code, "etcdserver: requested lease not found"


def encoded(text: str | bytes) -> str:
    return b64encode(text.encode() if isinstance(text, str) else text).decode()


def seat_key(name: str, seat: int = 0) -> str:
    return f"{PREFIX}{name}/{seat}"


def held(name: str, seat: int, token: int) -> dict[str, str]:
    """A compare for your own etcd transaction: true while the term with this token holds the seat."""
    return {"key": encoded(seat_key(name, seat)), "target": "CREATE", "result": "EQUAL", "create_revision": str(token)}


class Etcd:
    """The members of an etcd cluster, 3.4 or later, by their client URLs: `http://10.0.0.1:2379`.

    `tls` is for https endpoints; None: what Python trusts by default.  Asked through etcd's JSON gateway, which must be enabled
    (`enable-grpc-gateway: true` where etcd 3.4 has a config file).
    """

    def __init__(
        self, endpoints: Sequence[str], *, user: str = "", password: str = "", tls: ssl.SSLContext | None = None,
    ):
        self._made = (endpoints, user, password, tls)
        self.gateway(1.0)  # every mistake is told here

    def gateway(self, attempt_s: float) -> Gateway:
        endpoints, user, password, tls = self._made
        return Gateway(endpoints, attempt_s=attempt_s, user=user, password=password, tls=tls)

    def seats(self, name: str, count: int, attempt_s: float) -> EtcdSeats:
        return EtcdSeats(self.gateway(attempt_s), name, count)


class EtcdSeats:
    """One contender's lease, and the seats of one name."""

    def __init__(self, gateway: Any, name: str, count: int):
        self._gateway, self._name, self._count = gateway, name, count
        self._keys = [encoded(seat_key(name, seat)) for seat in range(count)]
        # All keys below NAME/: "0" is the character after "/".
        self._all = {"key": encoded(f"{PREFIX}{name}/"), "range_end": encoded(f"{PREFIX}{name}0")}
        self._lease = 0
        self._revision = 0
        self._taken: Taken | None = None

    def take(self, who: str, ttl_s: float, *, limit_s: float) -> Generator[Step, Any, Taken | None]:
        self._taken = None
        if self._lease:  # of a try whose answer was lost: its time must begin anew, for the holder counts from now
            yield from self._revive(limit_s)
        occupied = {}
        for key in (yield from self._look(limit_s)):
            occupied[key["key"]] = key
        ours = [seat for seat, key in enumerate(self._keys) if key in occupied and self._is_ours(occupied[key])]
        for seat in ours or [seat for seat, key in enumerate(self._keys) if key not in occupied]:
            if not ours:
                yield from self._new_lease(ttl_s, limit_s)
            token = yield from self._claim(seat, who, limit_s)
            if token:
                self._taken = Taken(seat, token)
                return self._taken
        yield from self.leave(limit_s=limit_s)
        return None

    def _new_lease(self, ttl_s: float, limit_s: float) -> Generator[Step, Any, None]:
        """For one claim alone: one that is on its way for long, until its seat is free again, then finds its lease revoked.  With
        a lease that meanwhile holds another seat, both would be taken for as long as that one is held.
        """
        yield from self.leave(limit_s=limit_s)
        asked = ceil(ttl_s)
        granted = yield self._post("/v3/lease/grant", {"TTL": str(asked), "ID": "0"}, limit_s)
        if int(granted.get("TTL", 0)) < asked:
            raise StoreRefused(f"etcd grants a lease of {granted.get('TTL')} s where {asked} s were asked for")
        self._lease = int(granted["ID"])

    def _claim(self, seat: int, who: str, limit_s: float) -> Generator[Step, Any, int]:
        """The token, or 0 when somebody else was quicker."""
        key = self._keys[seat]
        body = {
            "compare": [{"key": key, "target": "CREATE", "result": "EQUAL", "create_revision": "0"}],
            "success": [{"request_put": {"key": key, "value": encoded(who), "lease": str(self._lease)}}],
            "failure": [{"request_range": {"key": key}}],
        }
        try:
            answer = yield self._post("/v3/kv/txn", body, limit_s)
        except Answered as error:
            if error.code != NOT_FOUND:
                raise
            self._lease = 0  # it ran out on the way
            return 0
        if answer.get("succeeded"):
            return int(answer["header"]["revision"])
        found = answer["responses"][0]["response_range"].get("kvs", [])
        return int(found[0]["create_revision"]) if found and self._is_ours(found[0]) else 0

    def renew(self, *, limit_s: float) -> Generator[Step, Any, None]:
        if self._taken is None or not (yield from self._revive(limit_s)):
            raise Gone("its lease in etcd has run out")
        key = self._keys[self._taken.seat]
        answer = yield self._post("/v3/kv/range", {"key": key}, limit_s)
        kvs = answer.get("kvs", [])
        if not kvs or int(kvs[0]["create_revision"]) != self._taken.token:
            raise Gone("its key in etcd was deleted")

    def leave(self, *, limit_s: float) -> Generator[Step, Any, None]:
        self._taken = None
        if self._lease:
            try:
                yield self._post("/v3/lease/revoke", {"ID": str(self._lease)}, limit_s)
            except Answered as error:
                if error.code != NOT_FOUND:
                    raise
            self._lease = 0

    def wait(self, *, limit_s: float) -> Generator[Step, Any, None]:
        yield Call(self._gateway.change, {**self._all, "start_revision": str(self._revision + 1)}, limit_s=limit_s)

    def holders(self, *, limit_s: float) -> Generator[Step, Any, tuple[Holder, ...]]:
        found = yield from self._look(limit_s)
        seats = {key: seat for seat, key in enumerate(self._keys)}
        return tuple(
            Holder(seats[kv["key"]], b64decode(kv.get("value", "")).decode(errors="replace"), int(kv["create_revision"]))
            for kv in found if kv["key"] in seats
        )

    def interrupt(self) -> None:
        self._gateway.interrupt()

    def close(self) -> None:
        self._gateway.close()

    def _post(self, path: str, body: dict[str, Any], limit_s: float) -> Call:
        return Call(self._gateway.post, path, body, limit_s=limit_s)

    def _look(self, limit_s: float) -> Generator[Step, Any, list[dict[str, Any]]]:
        answer = yield self._post("/v3/kv/range", self._all, limit_s)
        self._revision = int(answer["header"]["revision"])
        found: list[dict[str, Any]] = answer.get("kvs", [])
        return found

    def _revive(self, limit_s: float) -> Generator[Step, Any, bool]:
        answer = yield self._post("/v3/lease/keepalive", {"ID": str(self._lease)}, limit_s)
        alive = int(answer.get("result", {}).get("TTL", 0)) > 0
        if not alive:
            self._lease = 0
        return alive

    def _is_ours(self, kv: dict[str, Any]) -> bool:
        return bool(self._lease) and int(kv.get("lease", 0)) == self._lease

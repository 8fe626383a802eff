"""An etcd in memory: revisions, leases and transactions as its JSON gateway shows them, in a time that the test turns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from holdfast.runtime.election_etcd import NOT_FOUND
from holdfast.runtime.election_http import Answered


class PretendEtcd:
    """One linearizable store.  `clock` is its own; leases end when it says so, as etcd's do."""

    def __init__(self, clock: Callable[[], float]):
        self._clock = clock
        self.revision = 1
        self.keys: dict[str, dict[str, str]] = {}
        self.leases: dict[int, tuple[int, float]] = {}
        self._last_lease = 1000

    def post(self, path: str, body: dict[str, Any], *, limit_s: float = 0.0) -> dict[str, Any]:
        self.expire()
        answer: dict[str, Any] = getattr(self, path.removeprefix("/v3/").replace("/", "_"))(body)
        return {"header": {"revision": str(self.revision)}, **answer}

    def change(self, keys: dict[str, str], *, limit_s: float = 0.0) -> None:
        raise NotImplementedError("whoever runs the schedule decides when a watch returns")

    def interrupt(self) -> None: ...

    def close(self) -> None: ...

    def expire(self) -> None:
        for lease, (_, until_s) in list(self.leases.items()):
            if self._clock() >= until_s:
                self._end(lease)

    def lease_grant(self, body: dict[str, Any]) -> dict[str, Any]:
        self._last_lease += 1
        ttl = int(body["TTL"])
        self.leases[self._last_lease] = (ttl, self._clock() + ttl)
        return {"ID": str(self._last_lease), "TTL": str(ttl)}

    def lease_keepalive(self, body: dict[str, Any]) -> dict[str, Any]:
        lease = int(body["ID"])
        if lease not in self.leases:
            return {"result": {"ID": str(lease)}}
        ttl, _ = self.leases[lease]
        self.leases[lease] = (ttl, self._clock() + ttl)
        return {"result": {"ID": str(lease), "TTL": str(ttl)}}

    def lease_revoke(self, body: dict[str, Any]) -> dict[str, Any]:
        if int(body["ID"]) not in self.leases:
            raise Answered("etcdserver: requested lease not found", NOT_FOUND)
        self._end(int(body["ID"]))
        return {}

    def kv_range(self, body: dict[str, Any]) -> dict[str, Any]:
        if "range_end" in body:
            found = [dict(kv) for _, kv in sorted(self.keys.items())]
        else:
            found = [dict(self.keys[body["key"]])] if body["key"] in self.keys else []
        return {"kvs": found} if found else {}

    def kv_txn(self, body: dict[str, Any]) -> dict[str, Any]:
        (compare,), (put,) = body["compare"], body["success"]
        key = compare["key"]
        if int(self.keys.get(key, {}).get("create_revision", 0)) != int(compare["create_revision"]):
            return {"responses": [{"response_range": self.kv_range(body["failure"][0]["request_range"])}]}
        told = put["request_put"]
        if int(told["lease"]) and int(told["lease"]) not in self.leases:  # 0 is a key without a lease, which nothing ends
            raise Answered("etcdserver: requested lease not found", NOT_FOUND)
        self.revision += 1
        self.keys[key] = {
            "key": key, "value": told["value"], "lease": told["lease"],
            "create_revision": str(self.revision), "mod_revision": str(self.revision),
        }  # fmt: skip
        return {"succeeded": True, "responses": [{"response_put": {}}]}

    def delete(self, key: str) -> None:
        """As an operator would, to depose whoever leads."""
        if self.keys.pop(key, None) is not None:
            self.revision += 1

    def _end(self, lease: int) -> None:
        del self.leases[lease]
        for key in [key for key, kv in self.keys.items() if int(kv["lease"]) == lease]:
            self.delete(key)

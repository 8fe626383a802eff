"""Seats as Lease objects of Kubernetes: `Leader("billing", store=KubernetesLeases("jobs"))`, with the official client.

Rules: every write names the resourceVersion that it was decided on, so of two only one is done.  A lease that nobody renews is
free when *we* have seen no change for its whole duration, by our own clock, as client-go does it; the times written in it are
for people.  The token is leaseTransitions, which every taking raises: whoever may delete the object may set it back.
Tried against a server that keeps the API's rules, not against a cluster.
"""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from math import ceil
from typing import TYPE_CHECKING, Any

import urllib3
from kubernetes import client, watch
from kubernetes.client.exceptions import ApiException

from holdfast.runtime.election_settings import boottime
from holdfast.runtime.election_store import Call, Gone, Holder, StoreRefused, Taken, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from holdfast.runtime.election_store import Step

__all__ = ["KubernetesLeases", "KubernetesSeats"]

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
LABEL = "holdfast-seats"
NOT_FOUND, CONFLICT = 404, 409


class KubernetesLeases:
    """`namespace` is where the Lease objects are; `api` a client.CoordinationV1Api, None: of the pod, or of the kubeconfig.

    Needs get, list, watch, create and update on leases of coordination.k8s.io; do not grant delete.
    """

    def __init__(self, namespace: str, *, api: Any = None, clock: Callable[[], float] = boottime):
        if not isinstance(namespace, str) or not _NAME.fullmatch(namespace):
            raise ValueError(f"namespace is {namespace!r}; it must be lower-case letters, digits and dashes")
        if api is None:
            from kubernetes import config

            config.load_config()  # type: ignore[no-untyped-call,unused-ignore]
            api = client.CoordinationV1Api()
        self._namespace, self._api, self._clock = namespace, api, clock

    def seats(self, name: str, count: int, attempt_s: float) -> KubernetesSeats:
        if not _NAME.fullmatch(name):
            raise ValueError(f"name is {name!r}; as a Lease object it must be lower-case letters, digits, dashes and dots")
        return KubernetesSeats(self._api, self._namespace, name, count, attempt_s, self._clock)


def _stamp() -> str:
    """For people who read the object; nobody decides by it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class KubernetesSeats:
    """One contender; its identity is drawn, so that a new life is not taken for the old one."""

    def __init__(self, api: Any, namespace: str, name: str, count: int, attempt_s: float, clock: Callable[[], float]):
        self._api, self._namespace, self._name, self._attempt_s, self._clock = api, namespace, name, attempt_s, clock
        self._objects = [name] if count == 1 else [f"{name}-{seat}" for seat in range(count)]
        self._who = ""
        self._identity = uuid.uuid4().hex[:12]
        self._taken: Taken | None = None
        self._ttl_s = 0.0
        self._seen: dict[int, tuple[str, float]] = {}
        self._stop = False

    def take(self, who: str, ttl_s: float, *, limit_s: float) -> Generator[Step, Any, Taken | None]:
        taken: Taken | None = yield Call(self._take, who, ttl_s, limit_s=limit_s)
        return taken

    def renew(self, *, limit_s: float) -> Generator[Step, Any, None]:
        yield Call(self._renew, limit_s=limit_s)

    def leave(self, *, limit_s: float) -> Generator[Step, Any, None]:
        if self._who:
            yield Call(self._leave, limit_s=limit_s)

    def wait(self, *, limit_s: float) -> Generator[Step, Any, None]:
        yield Call(self._wait, limit_s=limit_s)

    def holders(self, *, limit_s: float) -> Generator[Step, Any, tuple[Holder, ...]]:
        found: tuple[Holder, ...] = yield Call(self._holders, limit_s=limit_s)
        return found

    def interrupt(self) -> None:
        """A watch that is under way ends within a second or two."""
        self._stop = True

    def close(self) -> None:
        pass

    # --- what blocks

    def _take(self, who: str, ttl_s: float, *, limit_s: float) -> Taken | None:
        self._who, self._ttl_s, self._taken = f"{who}_{self._identity}", ttl_s, None
        for seat in range(len(self._objects)):
            lease = self._read(seat)
            if lease is None:
                token = self._create(seat)
            else:
                ours = lease.spec.holder_identity == self._who
                if not ours and not self._is_free(seat, lease):
                    continue
                token = (lease.spec.lease_transitions or 0) + (0 if ours else 1)
                if not self._write(seat, lease, self._who, token):
                    continue
            if token:
                self._taken = Taken(seat, token)
                return self._taken
        return None

    def _is_free(self, seat: int, lease: Any) -> bool:
        if not lease.spec.holder_identity:
            return True
        version, now_s = lease.metadata.resource_version, self._clock()
        if self._seen.get(seat, ("",))[0] != version:
            self._seen[seat] = (version, now_s)
        return now_s - self._seen[seat][1] > (lease.spec.lease_duration_seconds or 0)

    def _renew(self, *, limit_s: float) -> None:
        assert self._taken is not None
        seat, token = self._taken
        for _ in range(3):  # a try whose answer was lost may have been done: then the version is another one, and still ours
            lease = self._read(seat)
            if lease is None or lease.spec.holder_identity != self._who or lease.spec.lease_transitions != token:
                raise Gone("its Lease object is held by somebody else, or deleted")
            if self._write(seat, lease, self._who, token):
                return
        raise Unreachable("its Lease object was changed by others three times at once")

    def _leave(self, *, limit_s: float) -> None:
        for seat in range(len(self._objects)):
            lease = self._read(seat)
            if lease is not None and lease.spec.holder_identity == self._who:
                self._write(seat, lease, "", lease.spec.lease_transitions or 0)
        self._taken = None

    def _wait(self, *, limit_s: float) -> None:
        """Until the server tells of a change; that a lease has run out it tells nobody, so this must not be long."""
        if self._stop:
            return
        which: dict[str, Any] = (
            {"field_selector": f"metadata.name={self._objects[0]}"} if len(self._objects) == 1
            else {"label_selector": f"{LABEL}={self._name}"}
        )
        told = self._call(self._api.list_namespaced_lease, **which)
        if any(self._is_free(seat, lease) for seat, lease in self._by_seat(told)) or not told.items:
            return
        watching: Any = watch.Watch()  # type: ignore[no-untyped-call,unused-ignore]
        try:
            for _ in watching.stream(
                self._api.list_namespaced_lease, self._namespace, resource_version=told.metadata.resource_version,
                timeout_seconds=max(1, ceil(limit_s)), _request_timeout=(self._attempt_s, max(1, ceil(limit_s)) + 1.0), **which,
            ):
                return
        except (ApiException, urllib3.exceptions.HTTPError, OSError) as error:
            raise Unreachable(f"Kubernetes ended the watch: {error}") from None
        finally:
            watching.stop()

    def _holders(self, *, limit_s: float) -> tuple[Holder, ...]:
        found = []
        for seat in range(len(self._objects)):
            lease = self._read(seat)
            if lease is not None and lease.spec.holder_identity:
                who = lease.spec.holder_identity.rpartition("_")[0] or lease.spec.holder_identity
                found.append(Holder(seat, who, lease.spec.lease_transitions))
        return tuple(found)

    def _by_seat(self, told: Any) -> list[tuple[int, Any]]:
        return [(self._objects.index(one.metadata.name), one) for one in told.items if one.metadata.name in self._objects]

    # --- requests

    def _read(self, seat: int) -> Any:
        return self._call(self._api.read_namespaced_lease, self._objects[seat], missing=(NOT_FOUND,))

    def _create(self, seat: int) -> int:
        """The token, or 0 when somebody else was quicker."""
        body = client.V1Lease(
            metadata=client.V1ObjectMeta(name=self._objects[seat], labels={LABEL: self._name}), spec=self._spec(self._who, 1),
        )
        return 1 if self._call(self._api.create_namespaced_lease, body, missing=(CONFLICT,), last=True) else 0

    def _write(self, seat: int, lease: Any, who: str, token: int) -> bool:
        """False when the object is no more what it was, or no more at all."""
        acquired = lease.spec.acquire_time if lease.spec.holder_identity == who else None
        lease.spec = self._spec(who, token)
        if acquired is not None:
            lease.spec.acquire_time = acquired
        return bool(self._call(self._api.replace_namespaced_lease, self._objects[seat], lease, missing=(CONFLICT, NOT_FOUND)))

    def _spec(self, who: str, token: int) -> Any:
        now: Any = _stamp()  # text, because of a datetime the client leaves out microseconds that are 0
        return client.V1LeaseSpec(
            holder_identity=who, lease_duration_seconds=ceil(self._ttl_s), acquire_time=now, renew_time=now,
            lease_transitions=token,
        )

    def _call(self, function: Any, *args: Any, missing: tuple[int, ...] = (), last: bool = False, **more: Any) -> Any:
        """None when the server answers with one of the statuses `missing`."""
        # The namespace is the second argument of read and replace, and the first of create and list.
        words = (self._namespace, *args) if last or not args else (args[0], self._namespace, *args[1:])
        try:
            return function(*words, _request_timeout=self._attempt_s, **more)
        except ApiException as error:
            if error.status in missing:
                return None
            said = f"Kubernetes answered {error.status} {error.reason}"
            if error.status in (400, 401, 403, 404, 405, 422):
                raise StoreRefused(said) from None
            raise Unreachable(said) from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unreachable(f"Kubernetes: {error}") from None

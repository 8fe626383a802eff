"""Lease objects as seats, with the official client against a server that keeps the API's rules (not a real cluster)."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pretend_kubernetes import PretendKubernetes, serve

from holdfast.runtime import HoldLost, Leader, NotAcquired, Semaphore, StoreRefused
from holdfast.runtime.testing import FakeClock

kubernetes = pytest.importorskip("kubernetes", reason="the kubernetes client is not installed")
from holdfast.runtime.extras.election_kubernetes import KubernetesLeases  # noqa: E402


@pytest.fixture
def cluster() -> PretendKubernetes:
    return PretendKubernetes()


@pytest.fixture
def api(cluster: PretendKubernetes) -> Iterator[Any]:
    server = serve(cluster)
    settings = kubernetes.client.Configuration(host=f"http://127.0.0.1:{server.server_address[1]}")
    settings.retries = False
    yield kubernetes.client.CoordinationV1Api(kubernetes.client.ApiClient(settings))
    server.shutdown()
    server.server_close()


def leader(api: Any, who: str, **more: Any) -> Leader:
    return Leader("billing", store=KubernetesLeases("jobs", api=api), who=who, ttl_s=5, **more)


def spec(cluster: PretendKubernetes, name: str = "billing") -> dict[str, Any]:
    found: dict[str, Any] = cluster.leases["jobs", name]["spec"]
    return found


def test_the_lease_object_is_made_held_and_given_back_and_the_next_term_has_a_greater_token(
    api: Any, cluster: PretendKubernetes
) -> None:
    with leader(api, "a") as term:
        assert spec(cluster)["holderIdentity"].startswith("a_")
        assert spec(cluster)["leaseDurationSeconds"] == 5
        assert [(seat.who, seat.token) for seat in leader(api, "b").holders()] == [("a", term.token)]
        with pytest.raises(NotAcquired), leader(api, "b").hold(0.2):
            pass
    assert not spec(cluster).get("holderIdentity")
    with leader(api, "b") as next_term:
        assert (term.token, next_term.token) == (1, 2)


def test_who_waits_is_told_by_a_watch(api: Any) -> None:
    began: list[float] = []

    def work() -> None:
        with leader(api, "b", look_every_s=30):
            began.append(time.monotonic())

    with leader(api, "a"):
        waiting = threading.Thread(target=work)
        waiting.start()
        time.sleep(0.5)
    waiting.join(20)
    assert began, "long before its own next look in 30 s"


def test_of_two_who_take_the_same_version_only_one_succeeds(api: Any, cluster: PretendKubernetes) -> None:
    seats = [KubernetesLeases("jobs", api=api).seats("billing", 1, 5.0) for _ in range(2)]
    for one in seats:
        one._who, one._ttl_s = f"{one._identity}", 5
    assert seats[0]._create(0) == 1
    seats[0]._leave(limit_s=5)
    seen = [one._read(0) for one in seats]

    written = [one._write(0, lease, one._who, 2) for one, lease in zip(seats, seen, strict=True)]

    assert written == [True, False]
    assert cluster.conflicts == 1


def test_a_lease_is_free_only_after_its_whole_duration_without_a_change_by_our_own_clock(api: Any) -> None:
    clock = FakeClock()
    former = KubernetesLeases("jobs", api=api).seats("billing", 1, 5.0)
    assert former._take("a", 5.0, limit_s=5)
    ours = KubernetesLeases("jobs", api=api, clock=clock).seats("billing", 1, 5.0)

    assert ours._take("b", 5.0, limit_s=5) is None
    clock.advance(5.0)
    assert ours._take("b", 5.0, limit_s=5) is None
    former._renew(limit_s=5)
    clock.advance(1.0)
    assert ours._take("b", 5.0, limit_s=5) is None, "it was renewed since"
    clock.advance(5.1)
    assert ours._take("b", 5.0, limit_s=5) == (0, 2)


def test_a_renewal_whose_answer_was_lost_is_found_again(api: Any) -> None:
    seats = KubernetesLeases("jobs", api=api).seats("billing", 1, 5.0)
    taken = seats._take("a", 5.0, limit_s=5)
    seats._renew(limit_s=5)  # done, let us say, and not heard of

    assert seats._take("a", 5.0, limit_s=5) == taken


def test_an_object_that_is_deleted_while_it_is_taken_is_made_anew(api: Any, cluster: PretendKubernetes) -> None:
    ours = KubernetesLeases("jobs", api=api).seats("billing", 1, 5.0)
    ours._take("a", 5.0, limit_s=5)
    ours._leave(limit_s=5)
    read = ours._read

    def deleted_since(seat: int) -> Any:
        found = read(seat)
        cluster.leases.clear()
        return found

    ours._read = deleted_since  # type: ignore[method-assign]
    assert ours._take("a", 5.0, limit_s=5) is None, "and no error that ends the contending"
    del ours._read  # type: ignore[method-assign]
    assert ours._take("a", 5.0, limit_s=5) == (0, 1)


def test_an_object_that_somebody_else_took_over_ends_the_term(api: Any, cluster: PretendKubernetes) -> None:
    async def main() -> None:
        async with leader(api, "a", renew_every_s=0.1):
            with cluster.news:
                body = cluster.leases["jobs", "billing"]
                body["spec"] |= {"holderIdentity": "kubectl", "leaseTransitions": 7}
                cluster.replace("jobs", "billing", body)
            await asyncio.sleep(30)

    with pytest.raises(HoldLost, match="held by somebody else"):
        asyncio.run(main())


def test_a_semaphore_has_an_object_per_seat(api: Any, cluster: PretendKubernetes) -> None:
    permits = Semaphore("slots", 2, store=KubernetesLeases("jobs", api=api), ttl_s=5)

    with permits.hold() as one, permits.hold() as other:
        assert {one.seat, other.seat} == {0, 1}
        assert sorted(name for _, name in cluster.leases) == ["slots-0", "slots-1"]


def test_no_permission_is_an_error_at_once(api: Any, cluster: PretendKubernetes) -> None:
    cluster.refuse = 403

    with pytest.raises(StoreRefused, match="403"), leader(api, "a"):
        pass


def test_names_that_no_object_may_have_are_refused(api: Any) -> None:
    with pytest.raises(ValueError, match="lower-case"), Leader("Billing", store=KubernetesLeases("jobs", api=api)):
        pass
    with pytest.raises(ValueError, match="namespace"):
        KubernetesLeases("No_Such", api=api)

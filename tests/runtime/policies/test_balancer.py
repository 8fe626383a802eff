"""Balancing over endpoints, and the ejection of those that fail."""

import asyncio
import random
import threading
from collections import Counter

import pytest
from failing import Script
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.runtime import (
    Backoff,
    Balancer,
    ConsistentHash,
    Ejection,
    NoEndpoint,
    Pipeline,
    Retry,
    RoundRobin,
    TwoChoices,
    Weighted,
)
from holdfast.runtime.testing import FakeClock, ejected


def same(address: object, *_: object) -> object:
    return address


def fail(balancer: Balancer, address: str) -> None:
    """One failure of that endpoint, by the two-step form."""
    for _ in range(1000):
        endpoint = balancer.take()
        if endpoint.address == address:
            balancer.give(endpoint, False)
            return
        balancer.give(endpoint, None)
    raise AssertionError("never chosen")


def test_round_robin_takes_them_in_turn_also_when_one_comes_and_goes() -> None:
    balancer = Balancer(["a", "b", "c"])
    assert [balancer.call(same) for _ in range(4)] == ["a", "b", "c", "a"]
    with ejected(balancer, "b"):
        assert [balancer.call(same) for _ in range(3)] == ["c", "a", "c"]
    assert [balancer.call(same) for _ in range(3)] == ["a", "b", "c"]
    balancer.set_endpoints(["a", "c", "d"])
    assert [balancer.call(same) for _ in range(4)] == ["d", "a", "c", "d"]


def test_weights_are_met_exactly_and_smoothly() -> None:
    balancer = Balancer({"a": 5, "b": 1, "c": 1}, choice=Weighted())
    assert "".join(balancer.call(same) for _ in range(7)) == "aabacaa"


def test_two_choices_spread_the_load_far_better_than_chance() -> None:
    balancer = Balancer(range(20), choice=TwoChoices(random.Random(1)))
    for _ in range(2000):
        balancer.take()
    loads = [endpoint.in_flight for endpoint in balancer.endpoints]
    assert max(loads) - min(loads) <= 6


def test_a_slow_endpoint_gets_fewer_calls_by_two_choices() -> None:
    balancer, took = Balancer(["slow", "quick", "quick too"], choice=TwoChoices(random.Random(1))), Counter()

    async def ask(address: str) -> None:
        took[address] += 1
        await asyncio.sleep(1.0 if address == "slow" else 0.01)

    async def main() -> None:
        async def client() -> None:
            for _ in range(40):
                await balancer.acall(ask)
        await asyncio.gather(*[client() for _ in range(10)])

    from holdfast.runtime.testing import run
    run(main(), FakeClock())
    assert took["slow"] * 5 < took["quick"]


@settings(max_examples=30)
@given(st.sets(st.text(max_size=8), min_size=2, max_size=12), st.lists(st.integers(), min_size=1, max_size=30))
def test_when_an_endpoint_leaves_only_its_keys_move(addresses: set[str], keys: list[int]) -> None:
    balancer = Balancer(sorted(addresses), choice=ConsistentHash(lambda key: key))
    before = {key: balancer.call(same, key) for key in keys}
    leaver = sorted(addresses)[0]
    with ejected(balancer, leaver):
        after = {key: balancer.call(same, key) for key in keys}
    assert all(after[key] == before[key] for key in keys if before[key] != leaver)
    assert leaver not in after.values()


def test_keys_spread_by_weight_and_the_hash_is_the_same_everywhere() -> None:
    balancer = Balancer({"a": 1, "b": 3}, choice=ConsistentHash(lambda key: key))
    counts = Counter(balancer.call(same, key) for key in range(4000))
    assert 2850 <= counts["b"] <= 3150
    assert "".join(balancer.call(same, f"user-{n}") for n in range(12)) == "".join(
        Balancer({"a": 1, "b": 3}, choice=ConsistentHash(lambda key: key)).call(same, f"user-{n}") for n in range(12))
    with balancer.pick(key="k") as address:
        assert address in "ab"
    with pytest.raises(ValueError, match="key is None"):
        balancer.take()


def test_failures_of_calls_that_were_under_way_when_it_was_ejected_are_not_held_against_its_return() -> None:
    clock = FakeClock()
    balancer = Balancer(["a", "b"], ejection=Ejection(failures=3, base_s=5.0, max_share=0.5), clock=clock)
    late = [taken for _ in range(12) if (taken := balancer.take()).address == "a"]
    for each in late[:3]:
        balancer.give(each, False)
    assert balancer.ejected() == ("a",)
    for each in late[3:]:
        balancer.give(each, False)
    clock.advance(6.0)
    while (again := balancer.take()).address != "a":
        balancer.give(again, None)
    balancer.give(again, False)
    assert balancer.ejected() == ()


def test_failures_in_a_row_eject_for_a_time_that_doubles_up_to_its_cap() -> None:
    clock = FakeClock()
    balancer = Balancer(["a", "b"], ejection=Ejection(failures=3, base_s=10, max_s=25), clock=clock)
    for away_s in (10, 20, 25, 25):
        for _ in range(3):
            assert balancer.ejected() == ()
            fail(balancer, "a")
        assert balancer.ejected() == ("a",)
        clock.advance(away_s - 0.001)
        assert balancer.ejected() == ("a",)
        clock.advance(0.002)
        assert balancer.ejected() == ()


def test_good_service_for_as_long_halves_the_next_absence() -> None:
    clock = FakeClock()
    balancer = Balancer(["a", "b"], ejection=Ejection(failures=1, base_s=10), clock=clock)
    for _ in range(2):
        fail(balancer, "a")
        clock.advance(21)
    assert balancer.endpoints[0].away_s == 20
    clock.advance(21)
    balancer.call(same), balancer.call(same)
    assert balancer.endpoints[0].away_s == 10
    clock.advance(11)
    balancer.call(same), balancer.call(same)
    assert balancer.endpoints[0].away_s == 0


def test_a_success_between_them_breaks_the_row() -> None:
    balancer = Balancer(["a"], ejection=Ejection(failures=2, max_share=1.0))
    for outcome in (False, True, False, None):
        balancer.give(balancer.take(), outcome)
    assert balancer.ejected() == ()


@given(size=st.integers(1, 12), share=st.floats(0, 1), failing=st.lists(st.integers(0, 11), max_size=60))
def test_never_more_than_the_share_is_away(size: int, share: float, failing: list[int]) -> None:
    balancer = Balancer(range(size), ejection=Ejection(failures=1, max_share=share), clock=FakeClock())
    for number in failing:
        if number < size and number not in balancer.ejected() and len(balancer.ejected()) < size:
            fail(balancer, number)  # type: ignore[arg-type]
    assert len(balancer.ejected()) <= (max(1, int(share * size)) if share else 0)


def test_when_all_are_away_the_refusal_says_when_the_first_comes_back() -> None:
    clock = FakeClock()
    balancer = Balancer(["a", "b"], ejection=Ejection(failures=1, base_s=10, max_share=1.0), clock=clock)
    fail(balancer, "a")
    clock.advance(4)
    fail(balancer, "b")
    with pytest.raises(NoEndpoint, match="all 2 endpoints") as caught:
        balancer.call(same)
    assert caught.value.retry_after_s == pytest.approx(6)
    with pytest.raises(NoEndpoint, match="no endpoints"):
        Balancer([]).call(same)


def test_inside_of_a_retry_the_next_attempt_goes_elsewhere() -> None:
    balancer, asked = Balancer(["down", "up"], ejection=Ejection(failures=1)), []

    @Pipeline(Retry(backoff=Backoff(first_s=0.0)), balancer)
    def ask(address: str, question: str) -> str:
        asked.append(address)
        if address == "down":
            raise ConnectionRefusedError
        return f"{address} {question}"

    assert ask("q") == "up q"  # type: ignore[call-arg]
    assert ask("q") == "up q"  # type: ignore[call-arg]
    assert asked == ["down", "up", "up"]


def test_only_failures_of_the_endpoint_count_against_it() -> None:
    balancer = Balancer(["a", "b"], ejection=Ejection(failures=1), unwanted=lambda result: result == 503)
    for outcome in (ValueError(), asyncio.CancelledError(), 200):
        with pytest.raises(BaseException, match=".*") if isinstance(outcome, BaseException) else balancer.pick():
            balancer.call(Script(outcome))
    assert balancer.ejected() == ()
    with pytest.raises(TimeoutError), balancer.pick():
        raise TimeoutError
    assert len(balancer.ejected()) == 1
    assert all(endpoint.in_flight == 0 for endpoint in balancer.endpoints)


def test_known_endpoints_keep_what_was_learnt_when_the_list_changes() -> None:
    balancer = Balancer(["a", "b"], ejection=Ejection(failures=1), clock=FakeClock())
    fail(balancer, "a")
    balancer.set_endpoints({"a": 2, "b": 1, "c": 1})
    assert balancer.ejected() == ("a",)
    assert balancer.endpoints[0].weight == 2


def test_a_shorter_list_lets_back_those_that_went_first_until_the_share_holds() -> None:
    clock = FakeClock()
    balancer = Balancer(list("abcdef"), ejection=Ejection(failures=1, base_s=300.0, max_share=0.5), clock=clock)
    for address in "bac":
        fail(balancer, address)
        clock.advance(1.0)
    balancer.set_endpoints(["a", "b", "c", "d"])
    assert balancer.ejected() == ("a", "c")
    balancer.set_endpoints(["a", "c"])
    assert balancer.ejected() == ("c",)
    assert balancer.call(same) == "a"
    balancer.set_endpoints(["c"])
    assert balancer.ejected() == ("c",), "at least one may be away"


@given(size=st.integers(1, 12), share=st.floats(0, 1), failing=st.lists(st.integers(0, 11)), left=st.sets(st.integers(0, 11)))
def test_never_more_than_the_share_is_away_whatever_the_list_becomes(
    size: int, share: float, failing: list[int], left: set[int],
) -> None:
    balancer = Balancer(range(size), ejection=Ejection(failures=1, max_share=share), clock=FakeClock())
    for number in failing:
        if number < size and number not in balancer.ejected() and len(balancer.ejected()) < size:
            fail(balancer, number)  # type: ignore[arg-type]
    balancer.set_endpoints(left)
    assert len(balancer.ejected()) <= (max(1, int(share * len(left))) if share else 0)


@pytest.mark.parametrize("choice", [RoundRobin(), TwoChoices(), Weighted(), ConsistentHash(lambda n: n)])
def test_eight_threads_lose_no_count(choice: object) -> None:
    balancer, took = Balancer(list("abcd"), choice=choice, ejection=Ejection(failures=3)), Counter()

    def work() -> None:
        mine = Counter(balancer.call(same, number) for number in range(400))
        with lock:
            took.update(mine)

    lock = threading.Lock()
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(took.values()) == 3200
    assert all(endpoint.in_flight == 0 for endpoint in balancer.endpoints)
    if isinstance(choice, RoundRobin):
        assert set(took.values()) == {800}


@pytest.mark.parametrize("make", [
    lambda: Balancer({"a": 0}), lambda: Balancer({"a": float("nan")}), lambda: Balancer(["a"], choice="random"),
    lambda: Balancer(["a"], ejection=True), lambda: Ejection(failures=0), lambda: Ejection(base_s=0),
    lambda: Ejection(base_s=5, max_s=1), lambda: Ejection(max_share=1.1), lambda: Ejection(max_share=float("nan")),
])
def test_a_bad_setting_is_refused(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="must be"):
        make()

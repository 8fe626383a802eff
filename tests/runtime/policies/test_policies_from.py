"""The policy that a topology declares under `uses:` becomes policies of the runtime, as it is."""

from collections.abc import Callable
from typing import Any

import pytest

from holdfast.runtime import (
    Balancer,
    BreakerSettings,
    Bulkhead,
    CircuitBreaker,
    CircuitOpenError,
    Retry,
    Timeout,
    policies_from,
)
from holdfast.runtime.testing import FakeClock

WHOLE = {
    "timeout": "2s", "retries": 2, "retry_budget": "20%", "max_pending": 7,
    "breaker": {"open": "10s", "failure_rate": "40%", "trials": 1},
    "ejection": {"failures": 3, "for": "30s", "most": "50%"},
}  # fmt: skip


def test_a_whole_policy_becomes_a_pipeline_in_the_order_of_its_page() -> None:
    retry, breaker, bulkhead, timeout, balancer = policies_from(
        WHOLE, name="db", max_in_flight=5, endpoints=["a", "b"], failure_on=OSError
    ).policies
    assert isinstance(retry, Retry)
    assert isinstance(breaker, CircuitBreaker)
    assert isinstance(bulkhead, Bulkhead)
    assert isinstance(timeout, Timeout)
    assert isinstance(balancer, Balancer)
    assert (retry.attempts, retry.budget and retry.budget.token_ratio) == (3, 0.2)
    assert (breaker.name, breaker.settings) == (
        "db", BreakerSettings(open_s=10.0, failure_rate=0.4, trials=1, failure_on=OSError))  # fmt: skip
    assert (bulkhead.max_in_flight, bulkhead.max_waiting, bulkhead.max_wait_s, timeout.seconds) == (5, 7, 2.0, 2.0)
    assert balancer.ejection is not None
    assert (balancer.ejection.failures, balancer.ejection.base_s, balancer.ejection.max_share) == (3, 30.0, 0.5)


def test_without_numbers_in_flight_and_endpoints_their_policies_are_left_out() -> None:
    assert [type(policy) for policy in policies_from(WHOLE).policies] == [Retry, CircuitBreaker, Timeout]


def test_what_is_absent_or_none_is_a_policy_less() -> None:
    loaded = {"timeout": 2.0, "retries": None, "retry_budget": None, "max_pending": None, "breaker": None, "ejection": None}
    assert [type(policy) for policy in policies_from(loaded).policies] == [Timeout]
    assert BreakerSettings.from_mapping(loaded) == BreakerSettings()


def test_the_policy_of_every_topology_that_can_be_written_fits() -> None:
    pytest.importorskip("pydantic", reason="pydantic, of which topologies are made, is not installed")
    from holdfast.topology import model  # here: the runtime itself knows nothing of topologies

    assert [type(policy) for policy in policies_from(model.Uses().model_dump()).policies] == [Retry, Timeout]
    assert [type(policy) for policy in policies_from(model.Uses().model_dump(by_alias=True)).policies] == [Retry, Timeout]


@pytest.mark.parametrize(("change", "words"), [
    ({"retrys": 1}, "retrys is no policy; did you mean retries"),
    ({"breaker": {"opens": "1s"}}, "opens is no setting of a breaker"),
    ({"breaker": 3}, "breaker is 3; it must be a mapping"),
    ({"ejection": {"fails": 1}}, "fails is no setting of an ejection"),
    ({"ejection": {"for": 1, "duration": 2}}, "duration is given twice"),
    ({"ejection": {"most": "150%"}}, "max_share is 1.5"),
    ({"ejection": 5}, "ejection is 5; it must be a mapping"),
    ({"retry_budget": "0%"}, "retry_budget is 0.0"),
    ({"retries": -1}, "retries is -1"),
    ({"timeout": "soon"}, "timeout is 'soon'; it must be a time such as"),
    ({"timeout": 0}, "timeout is 0"),
    ({"retries": None}, "retry_budget is 0.2 without retries"),
    ({"max_pending": "many"}, "max_pending is 'many'; it must be a number"),
])  # fmt: skip
def test_what_does_not_fit_is_refused_by_its_name(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        policies_from({**WHOLE, **change})


def test_a_mapping_that_holds_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="holds no policy; known are breaker, ejection"):
        policies_from({"retries": None})


def test_the_pipeline_does_what_the_policy_says() -> None:
    asked: list[str] = []
    clock = FakeClock()

    def ask(address: str) -> str:
        asked.append(address)
        raise ConnectionError

    guarded: Callable[[], str] = policies_from(
        {"retries": 3, "timeout": "1s", "max_pending": 0, "breaker": {"window_calls": 3, "min_calls": 3, "open_jitter": 0.0},
         "ejection": {"failures": 1, "for": "5s", "most": "50%"}},
        max_in_flight=1, endpoints=["a", "b"], clock=clock, sleep=clock.sleep,
    )(ask)  # fmt: skip
    with pytest.raises(CircuitOpenError):
        guarded()
    assert asked == ["a", "b", "b"], "the first was ejected, and after three failures the breaker ended the retries"

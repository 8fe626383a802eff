"""Every setting is checked when it is made, and a mapping from a file is as good as keywords."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from holdfast.runtime import BreakerRegistry, BreakerSettings, CircuitBreaker

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("setting", "values"),
    [
        ("window_calls", [0, -1, 2.5, True, "5", 10**7]), ("window_s", [0, -1, NAN, INF]), ("window_buckets", [0, 1001]),
        ("min_calls", [0, -1, 101]), ("failure_rate", [0, -0.1, 1.01, NAN, "half"]), ("slow_call_s", [0, -1, NAN, INF]),
        ("slow_rate", [0, 1.5, NAN]), ("open_s", [0, -1, NAN, INF]), ("open_growth", [0.5, NAN, INF]),
        ("open_at_most_s", [1, NAN]),
        ("open_jitter", [-0.1, 1.1, NAN]), ("trials", [0, -1, 1.0]), ("trials_at_once", [0, 4]),
        ("trial_failure_rate", [0, 2, NAN]),
        ("full_round", [1, None]), ("half_open_at_most_s", [0, NAN, INF]), ("failure_on", [5, int, (int,)]), ("ignore_on", ["x"]),
        ("failure_result", [5]), ("ignore_result", ["x"]),
    ],
)  # fmt: skip
def test_a_setting_out_of_range_is_named_with_its_value_and_its_range(setting: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(ValueError, match="must be") as complaint:
            BreakerSettings(**{setting: value})
        assert str(complaint.value).startswith(f"{setting} is {value!r}; it must be ")


def test_settings_are_frozen_comparable_and_can_be_copied_with_changes() -> None:
    settings = BreakerSettings(trials=5)
    with pytest.raises(AttributeError, match="replace"):
        settings.trials = 3  # type: ignore[misc]
    assert settings.replace(trials=3) == BreakerSettings(trials=3) != settings
    assert hash(settings) == hash(BreakerSettings(trials=5))
    assert pickle.loads(pickle.dumps(settings)) == settings
    with pytest.raises(ValueError, match="trials is 0"):
        settings.replace(trials=0)


def test_a_mapping_from_a_file_may_use_units_and_percent() -> None:
    written = {"open": "250ms", "open_at_most_s": 60, "failure_rate": "7%", "window": "1min", "trials": "4"}
    read = BreakerSettings.from_mapping(written)
    assert read == BreakerSettings(open_s=0.25, open_at_most_s=60, failure_rate=0.07, window_s=60.0, trials=4)


def test_the_policy_of_a_topology_fits_as_it_is() -> None:
    assert BreakerSettings.from_mapping({"timeout": "2s", "retries": 1}) == BreakerSettings()
    policy = {"timeout": 2.0, "retries": 1, "breaker": {"open": "5s"}}
    assert BreakerSettings.from_mapping(policy, failure_on=OSError) == BreakerSettings(open_s=5.0, failure_on=OSError)


def test_the_policy_of_a_topology_that_was_loaded_fits_as_it_is() -> None:
    pytest.importorskip("pydantic", reason="pydantic, of which topologies are made, is not installed")
    from holdfast.topology.model import Uses  # here: the runtime itself knows nothing of topologies

    for uses in (Uses(), Uses.model_validate({"timeout": "2s", "retries": 1})):
        for policy in (uses.model_dump(), uses.model_dump(mode="json"), dict(uses)):
            assert BreakerSettings.from_mapping(policy) == BreakerSettings()


@pytest.mark.parametrize(
    ("mapping", "complaint"),
    [
        ({"failure_rat": 0.5}, "did you mean failure_rate"), ({"open": "soon"}, "open is 'soon'; it must be a time such as"),
        ({"open": "1s", "open_s": 2}, "given twice"), ({"breaker": {}, "open": "1s"}, "belong inside"),
        ({"breaker": 5}, "a mapping"),
        ({"failure_rate": "120%"}, "failure_rate is 1.2"), ({"failure_on": "OSError"}, "no setting"),
    ],
)  # fmt: skip
def test_a_mapping_with_a_mistake_says_which(mapping: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        BreakerSettings.from_mapping(mapping)


def test_a_switch_to_nowhere_is_refused() -> None:
    breaker = CircuitBreaker()
    with pytest.raises(ValueError, match="state is 'ajar'; it must be one of closed"):
        breaker.switch_to("ajar")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="for_s is 5"):
        breaker.switch_to("closed", for_s=5)


def test_a_registry_makes_one_breaker_for_each_key_and_drops_the_least_recently_used() -> None:
    registry = BreakerRegistry(at_most=2, own={"b": BreakerSettings(trials=7)})
    a, b = registry["a"], registry["b"]
    assert (a.name, b.settings.trials) == ("a", 7)
    assert registry["a"] is a
    assert registry["c"].name == "c"
    assert ([key for key, _ in registry.items()], len(registry), "b" in registry) == (["a", "c"], 2, False)


def test_a_registry_drops_a_closed_breaker_before_an_open_one() -> None:
    registry = BreakerRegistry(at_most=2)
    registry["down"].switch_to("open")
    assert registry["fine"].state == "closed"
    assert registry["new"].state == "closed"
    assert [key for key, _ in registry.items()] == ["down", "new"]


def test_a_registry_swaps_the_settings_of_all_and_hands_its_listeners_on() -> None:
    heard: list[Any] = []
    registry = BreakerRegistry(listeners=[(heard.append, ("state",))])
    breaker = registry["a"]
    registry.configure(BreakerSettings(trials=9))
    assert (breaker.settings.trials, registry["b"].settings.trials) == (9, 9)
    assert [event.reason for event in heard] == ["settings"]
    with pytest.raises(ValueError, match="at_most is 0"):
        BreakerRegistry(at_most=0)

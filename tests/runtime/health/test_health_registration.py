"""What is wrong with a check is said when it is registered: the setting, the value, the range, the remedy."""

from __future__ import annotations

import math

import pytest

from holdfast.runtime import CircuitBreaker
from holdfast.runtime.health import BreakerState, Check, Health, Result, Tcp


def well() -> bool:
    return True


@pytest.mark.parametrize(("settings", "words"), [
    ({"timeout_s": -1}, "timeout_s is -1.*0 < timeout_s <= 300"),
    ({"timeout_s": 0}, "0 < timeout_s"),
    ({"timeout_s": math.inf}, "timeout_s is inf"),
    ({"timeout_s": True}, "timeout_s is True"),
    ({"ttl_s": -0.1}, "0 <= ttl_s"),
    ({"kind": "healthiness"}, "kind is 'healthiness'.*'liveness', 'readiness', 'startup'"),
    ({"kind": ()}, "at least one of"),
    ({"kind": ("readiness", "readiness")}, "only once"),
    ({"critical": "yes"}, "critical is 'yes'.*True, False or None"),
    ({"rise": 0}, "1 <= rise"),
    ({"fall": 1.5}, "fall is 1.5"),
    ({"history": -1}, "0 <= history"),
    ({"group": "storage"}, "group is 'storage'.*one of none"),
    ({"needs": "network"}, "there is no check 'network'.*before, or together"),
    ({"needs": "database"}, "cannot need itself"),
])
def test_a_setting_out_of_its_range_is_refused_with_the_name_of_the_check(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=f"check 'database': .*{words}"):
        Health().check("database", **settings)(well)


@pytest.mark.parametrize("name", ["", "a:b", "a/b", "a b", "x" * 65, None, "-a", "a\n"])
def test_a_name_is_a_word_that_fits_into_a_path_and_into_health_json(name: str) -> None:
    with pytest.raises(ValueError, match="name is .* letters, digits"):
        Check(name, well)


def generator() -> object:
    yield True


@pytest.mark.parametrize("function", [None, "well", 5, generator])
def test_what_cannot_be_called_for_one_answer_is_refused(function: object) -> None:
    with pytest.raises(ValueError, match="check 'a': "):
        Check("a", function)  # type: ignore[arg-type]


def test_a_name_is_given_once_to_a_check_or_a_group() -> None:
    health = Health()
    health.check("database")(well)
    health.group("storage")
    with pytest.raises(ValueError, match="'database' is registered twice"):
        health.check("database")(well)
    with pytest.raises(ValueError, match="'storage' has the name of a group"):
        health.check("storage")(well)
    for taken in ("storage", "database"):
        with pytest.raises(ValueError, match=f"group '{taken}' is registered twice"):
            health.group(taken)


def test_a_group_may_demand_of_each_check_to_say_whether_it_is_critical() -> None:
    health = Health()
    health.group("storage")
    health.group("extras", critical=False)
    with pytest.raises(ValueError, match="critical is missing.*'storage' wants each"):
        health.check("disk", group="storage")(well)
    health.check("disk", group="storage", critical=False)(well)
    health.check("mail", group="extras")(well)
    health.check("alone")(well)
    assert {check.name: check.critical for check in health.checks} == {"disk": False, "mail": False, "alone": True}


def test_in_a_quorum_only_the_group_is_critical_or_not() -> None:
    health = Health()
    group = health.group("replicas", at_least=2)
    assert group.critical is True
    with pytest.raises(ValueError, match="only the group as a whole"):
        health.check("db1", group="replicas", critical=True)(well)
    with pytest.raises(ValueError, match="group 'none': at_least is 0"):
        health.group("none", at_least=0)


def test_checks_registered_together_may_need_each_other_in_any_order_but_not_in_a_circle() -> None:
    health = Health()
    health.add(Check("shop", well, needs="database"), Check("database", well, needs="network"), Check("network", well))
    with pytest.raises(ValueError, match="in a circle: 'a' needs 'b' needs 'c' needs 'a'"):
        health.add(Check("a", well, needs="b"), Check("b", well, needs="c"), Check("c", well, needs="a"))
    assert [check.name for check in health.checks] == ["shop", "database", "network"], "all of them or none"


def test_a_check_can_only_need_what_is_asked_with_it() -> None:
    health = Health()
    health.check("migrated", kind="startup")(well)
    with pytest.raises(ValueError, match="'migrated' is no check of kind 'readiness'"):
        health.check("orders", needs="migrated")(well)


@pytest.mark.parametrize("function", [Tcp("127.0.0.1", 5432), BreakerState(CircuitBreaker("db"))])
def test_liveness_touches_no_dependency(function: object) -> None:
    with pytest.raises(ValueError, match="liveness must touch no dependency.*Use kind='readiness'"):
        Health().check("database", kind=("readiness", "liveness"))(function)  # type: ignore[type-var]


def test_no_readiness_checks_must_be_said() -> None:
    health = Health()
    health.check("loop", kind="liveness")(well)
    for forgotten in (health.validate, health.ask):
        with pytest.raises(ValueError, match="no readiness checks are registered.*no_readiness_checks=True"):
            forgotten()
    assert Health(no_readiness_checks=True).ask().ok


@pytest.mark.parametrize(("made", "words"), [
    (lambda: Result("ok"), "status is 'ok'; it must be one of"),
    (lambda: Result("pass", 5), "message is 5"),
    (lambda: Result("pass", value=math.nan), "value is nan"),
    (lambda: Result("pass", value=[1]), r"value is \[1\]"),
    (lambda: Health().ask("readyness"), "kind is 'readyness'"),
    (lambda: Health(no_readiness_checks=True).ask(only="nobody"), "only is 'nobody'"),
    (lambda: Health(no_readiness_checks="yes"), "no_readiness_checks is 'yes'"),
    (lambda: Health(max_threads=0), "1 <= max_threads"),
    (lambda: Health(service=None), "service is None"),
    (lambda: Health(clock=5), "clock is 5"),
])
def test_an_unknown_status_kind_or_name_is_refused(made: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        made()  # type: ignore[operator]


def test_a_secret_is_never_repeated_in_the_refusal_of_it() -> None:
    with pytest.raises(ValueError, match="4 or more characters") as refused:
        Health(secrets=["abc"])
    assert "abc" not in str(refused.value)

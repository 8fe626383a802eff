"""Capacity after a loss and settings that must fit: each rule speaks where it must, and is silent where all is well."""

from math import inf

import pytest
from services import HEAD, WEB, classic, written

from holdfast.predict.queues import erlang_b, erlang_c, mean_wait
from holdfast.predict.safety import findings


def told(topology, rule: str) -> list[str]:
    return [f"{each.level}: {each.what} | {each.remedy}" for each in findings(topology) if each.rule == rule]


AGAIN = "tiers.web.uses.db.retries=1"


def test_the_classic_stack_is_sound_and_a_second_layer_of_retries_is_noted():
    assert findings(classic()) == ()
    found = findings(classic(AGAIN))
    assert [each.rule for each in found] == ["retries"]
    assert found[0].where.endswith("topology.yaml:28:5")


def test_a_peak_that_two_of_three_can_carry_is_fine_and_one_that_they_cannot_is_told_with_the_number_that_would_do(tmp_path):
    assert told(written(tmp_path, HEAD + WEB), "capacity") == []
    (found,) = told(written(tmp_path, HEAD + WEB, "tiers.web.demand=250"), "capacity")
    assert found == "warning: without one instance, web can do 200 of a peak of 250 | write replicas: 4, or use larger instances"


def test_a_zone_that_takes_two_of_six_is_counted_as_two(tmp_path):
    changes = ("tiers.web.replicas=6", "tiers.web.demand=450")
    (found,) = told(written(tmp_path, HEAD + WEB, *changes), "capacity")
    assert "without zone a, web can do 400 of a peak of 450 | write replicas: 8" in found
    assert told(written(tmp_path, HEAD + WEB, *changes, "tiers.web.replicas=8"), "capacity") == []


def test_waiting_is_told_when_what_is_left_is_nearly_full(tmp_path):
    (found,) = told(written(tmp_path, HEAD + WEB, "tiers.web.demand=195"), "queueing")
    assert "used to 98%" in found
    assert told(written(tmp_path, HEAD + WEB, "tiers.web.demand=100"), "queueing") == []


def test_erlangs_formulas_are_those_of_his_tables():
    # 10 servers, 5 erlangs: B = 0.01838 (any table of Erlang B), C = B / (1 - rho (1 - B)).
    assert erlang_b(10, 5) == pytest.approx(0.018385, abs=1e-6)
    assert erlang_c(10, 5) == pytest.approx(0.036105, abs=1e-6)
    # One server: the wait of M/M/1 is rho / (mu - lambda).
    assert mean_wait(1, 0.8, 1.0) == pytest.approx(0.8 / 0.2)
    assert mean_wait(2, 3.0, 1.0) == inf
    with pytest.raises(ValueError, match="per_server must be a finite number above 0, not 0.0"):
        mean_wait(2, 1.0, 0.0)
    with pytest.raises(ValueError, match="servers must be a whole number of 0 or more, not -3"):
        erlang_c(-3, 0.5)


def test_retries_that_would_keep_a_tier_down_after_its_loss_are_metastable():
    load = ("tiers.db.capacity=100", "tiers.db.demand=150")
    (found,) = told(classic(AGAIN, *load), "metastable")
    assert "after a loss db can carry the peak (150 of 200), but not once every call fails" in found
    assert "entry -> web -> db makes 4 of one, 600 in all" in found
    calm = ("tiers.db.capacity=1000", "tiers.db.demand=150")
    assert told(classic(AGAIN, *calm), "metastable") == []


def test_a_caller_that_gives_up_before_what_it_calls_has_tried_all_is_told():
    (found,) = told(classic(AGAIN, "tiers.entry.request_timeout=3s", "tiers.web.uses.db.timeout=2s"), "timeouts")
    assert "entry gives up on web after 3s, but web may take 4s for db (2 attempts)" in found
    assert told(classic(AGAIN, "tiers.entry.request_timeout=4s", "tiers.web.uses.db.timeout=2s"), "timeouts") == []


def test_pools_that_could_open_more_than_the_database_takes_are_told():
    (found,) = told(classic("tiers.web.uses.db.pool=70"), "pools")
    assert "db takes 197 connections besides 3 reserved ones, its users may open web 210" in found
    assert told(classic("tiers.web.uses.db.pool=60"), "pools") == []


def test_a_zone_without_which_the_rest_are_no_majority_is_told():
    (found,) = told(classic("zones=[a, b]"), "quorum")
    assert found.startswith("warning: zone a holds 2 of 3 voters of etcd")


def test_standbys_that_follow_asynchronously_may_lose_what_was_confirmed():
    (found,) = told(classic("tiers.db.synchronous=0"), "recovery point")
    assert found.startswith("warning: db follows asynchronously")
    assert "the objective is 0 lost writes" in found
    (spare,) = told(classic("tiers.db.replicas=2", "tiers.etcd.on=null", "tiers.etcd.replicas=3"), "recovery point")
    assert "after one loss none is to spare" in spare

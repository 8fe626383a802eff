"""Capacity after a loss and settings that must fit: each rule speaks where it must, and is silent where all is well."""

from math import inf

import pytest
from services import CLASSIC, HEAD, WEB, classic, written

from holdfast.cli.service import sensible
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
    assert found == (
        "warning: without one instance, web can do 200 of a peak of 250 | write replicas: 5, or use larger instances; "
        "4 would bear the loss of one, but not of a zone"
    )
    assert told(written(tmp_path, HEAD + WEB, "tiers.web.demand=250", "tiers.web.replicas=5"), "capacity") == []


def test_a_loss_that_leaves_exactly_the_peak_is_told_because_a_queue_is_never_worked_off():
    (found,) = told(classic("tiers.web.capacity=100", "tiers.web.demand=200"), "capacity")
    assert "without one instance, web can do 200 of a peak of 200: nothing is left to spare, and a queue only grows" in found
    assert "4 would bear the loss of one" in found
    assert told(classic("tiers.web.capacity=100", "tiers.web.demand=200", "tiers.web.replicas=5"), "capacity") == []


def test_the_loss_of_a_zone_is_told_beside_that_of_one_instance_and_the_remedy_bears_both():
    load = ("tiers.web.capacity=100", "tiers.web.demand=350", "zones=[a, b]")
    (found,) = told(classic(*load, "tiers.web.replicas=4"), "capacity")
    assert "without one instance, web can do 300 of a peak of 350; without zone a, 200" in found
    assert "write replicas: 8" in found
    assert "without zone a, web can do 200" in told(classic(*load, "tiers.web.replicas=5"), "capacity")[0]
    assert told(classic(*load, "tiers.web.replicas=8"), "capacity") == []


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
    assert "without one instance, db can carry the peak (150 of 200), but not once every call fails" in found
    assert "entry -> web -> db makes 4 of one, 600 in all" in found
    calm = ("tiers.db.capacity=1000", "tiers.db.demand=150")
    assert told(classic(AGAIN, *calm), "metastable") == []


def test_a_tier_in_the_middle_of_a_chain_may_be_metastable_as_well():
    (found,) = told(classic("tiers.web.capacity=100", "tiers.web.demand=150"), "metastable")
    assert "web can carry the peak (150 of 200), but not once every call fails" in found
    assert "entry -> web makes 2 of one, 300 in all" in found


def test_a_tier_that_bears_one_instance_may_be_metastable_without_a_zone():
    load = ("tiers.web.replicas=6", "zones=[a, b]", "tiers.web.capacity=100")
    (found,) = told(classic(*load, "tiers.web.demand=240"), "metastable")
    assert "without zone a, web can carry the peak (240 of 300)" in found
    assert told(classic(*load, "tiers.web.demand=140"), "metastable") == []


def test_a_budget_of_retries_is_the_remedy_that_it_is_said_to_be():
    load = (AGAIN, "tiers.db.capacity=100", "tiers.db.demand=80")
    (found,) = told(classic(*load), "metastable")
    assert "limit retries by a budget" in found
    assert told(classic(*load, "tiers.web.uses.db.retry_budget=10%"), "metastable") == []
    # Half of all calls may be retries, so 1 of 2: no budget that would help.
    assert told(classic(*load, "tiers.web.uses.db.retry_budget=50%"), "metastable") == [found]


def test_a_caller_that_gives_up_before_what_it_calls_has_tried_all_is_told():
    (found,) = told(classic(AGAIN, "tiers.entry.request_timeout=3s", "tiers.web.uses.db.timeout=2s"), "timeouts")
    assert "entry gives up on web after 3s, but web may take 4s for db (2 attempts)" in found
    assert told(classic(AGAIN, "tiers.entry.request_timeout=4s", "tiers.web.uses.db.timeout=2s"), "timeouts") == []


CACHE = """\
tiers:
  front: {engine: command, run: python3 app.py, uses: {lb: {timeout: 500ms, retries: 0}}}
  lb: {engine: haproxy, routes: {http: web}}
  web: {engine: command, run: python3 app.py, uses: {cache: {timeout: 2s}, stock: {timeout: 1s}}}
  cache: {engine: command, run: python3 app.py}
  stock: {engine: command, run: python3 app.py}
probes:
  pages: {http: "http://front/"}
"""


def test_who_waits_for_less_than_all_that_is_asked_one_after_the_other_is_noted(tmp_path):
    (found,) = told(written(tmp_path, HEAD + CACHE, "tiers.front.uses.lb.timeout=5s"), "timeouts")
    assert found == (
        "note: front gives up on lb after 5s, but lb may take 6s for web, where one thing is asked after the other, or 4s at "
        "once | let front wait for 6s or more, or lb for less"
    )
    assert told(written(tmp_path, HEAD + CACHE, "tiers.front.uses.lb.timeout=6s"), "timeouts") == []


def test_timeouts_nest_through_a_balancer(tmp_path):
    (found,) = told(written(tmp_path, HEAD + CACHE), "timeouts")
    assert found.startswith("warning: front gives up on lb after 500ms, but lb may take 6s for web")
    # The balancer itself gives up before: then that is the longest that it takes, and it is told of as well.
    inner, outer = told(written(tmp_path, HEAD + CACHE, "tiers.lb.request_timeout=3s"), "timeouts")
    assert inner.startswith("warning: front gives up on lb after 500ms, but lb may take 3s for web")
    assert outer.startswith("warning: lb gives up on web after 3s, but web may take 6s for cache (2 attempts) and stock")


def test_pools_that_could_open_more_than_the_database_takes_are_told():
    (found,) = told(classic("tiers.web.uses.db.pool=70"), "pools")
    assert "db takes 197 connections besides 3 reserved ones, its users may open web 210" in found
    assert told(classic("tiers.web.uses.db.pool=60"), "pools") == []


def test_pools_are_seen_through_a_balancer(tmp_path):
    text = """\
tiers:
  web: {engine: command, replicas: 3, run: python3 app.py, uses: {lb: {pool: 500}}}
  lb: {engine: haproxy, replicas: 2, routes: {postgres: db}}
  db: {engine: patroni, replicas: 3, synchronous: 1, consensus: etcd}
  etcd: {engine: etcd, replicas: 3}
probes:
  pages: {http: "http://web/"}
"""
    (found,) = told(written(tmp_path, HEAD + text), "pools")
    assert "db takes 197 connections besides 3 reserved ones, its users may open web through lb 1500" in found
    assert told(written(tmp_path, HEAD + text, "tiers.web.uses.lb.pool=60"), "pools") == []


def test_a_zone_without_which_the_rest_are_no_majority_is_told():
    (found,) = told(classic("zones=[a, b]"), "quorum")
    assert found.startswith("warning: zone a holds 2 of 3 voters of etcd")


def test_standbys_that_follow_asynchronously_may_lose_what_was_confirmed():
    (found,) = told(classic("tiers.db.synchronous=0"), "recovery point")
    assert found.startswith("warning: db follows asynchronously")
    assert "the objective is 0 lost writes" in found
    (spare,) = told(classic("tiers.db.replicas=2", "tiers.etcd.on=null", "tiers.etcd.replicas=3"), "recovery point")
    assert "goes on without rather than stop writes, and what is then confirmed is on one host alone" in spare
    assert "write replicas: 3" in spare


def test_standbys_that_are_all_waited_for_are_fewer_after_a_loss_because_patroni_lowers_their_number():
    (found,) = told(classic("tiers.db.synchronous=2"), "recovery point")
    assert "after one loss Patroni waits for 1 rather than stop writes" in found
    assert "on 2 hosts, not 3: a recovery point above 0 once these are lost together | write replicas: 4" in found
    assert told(classic("tiers.db.synchronous=2", "tiers.db.replicas=4"), "recovery point") == []


def test_of_a_config_of_ones_own_it_is_not_claimed_that_writes_go_on():
    strict = sensible(str(CLASSIC.parent / "unsafe" / "strict_no_spare"))
    (found,) = told(strict, "recovery point")
    assert "after one loss your config decides whether writes stop (synchronous_mode_strict)" in found

"""Who is cut from whom: the pure half of network faults."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import Refused
from holdfast.faults.fault import Target
from holdfast.faults.network import (
    LEAST_HOSTS,
    SHAPES,
    CutFrom,
    Delay,
    Partition,
    bridge,
    cut_off,
    cut_rules,
    halves,
    minority,
    partitioned,
    peers,
    ring,
    sides,
)

TIERS = {"db": ("db1", "db2", "db3"), "etcd": ("db1", "db2", "db3"), "web": ("web1", "web2")}

hosts = st.integers(2, 9).map(lambda count: tuple(f"h{number}" for number in range(count)))
seeds = st.integers(0, 2**32)


def heard_by(host: str, everyone: tuple[str, ...], cut: frozenset[tuple[str, str]]) -> set[str]:
    return {other for other in everyone if other != host and (other, host) not in cut}


@given(hosts, seeds, st.sampled_from(sorted(SHAPES)))
def test_every_shape_cuts_both_directions_and_never_a_host_from_itself(everyone, seed, shape):
    cut = SHAPES[shape](everyone, random.Random(seed))

    assert cut == {(b, a) for a, b in cut}
    assert all(a != b and a in everyone and b in everyone for a, b in cut)


@given(hosts, seeds, st.sampled_from(sorted(SHAPES)))
def test_the_same_seed_cuts_the_same_pairs(everyone, seed, shape):
    assert SHAPES[shape](everyone, random.Random(seed)) == SHAPES[shape](everyone, random.Random(seed))


@given(hosts, seeds, st.sampled_from(sorted(SHAPES)))
def test_a_shape_cuts_somebody_exactly_from_its_least_number_of_hosts_on(everyone, seed, shape):
    assert bool(SHAPES[shape](everyone, random.Random(seed))) == (len(everyone) >= LEAST_HOSTS[shape])


@given(hosts, seeds)
def test_halves_differ_by_one_at_most_and_each_hears_itself(everyone, seed):
    cut = halves(everyone, random.Random(seed))

    groups = {frozenset({host} | heard_by(host, everyone, cut)) for host in everyone}
    assert len(groups) == 2
    one, other = groups
    assert not one & other
    assert abs(len(one) - len(other)) <= 1


@given(hosts.filter(lambda everyone: len(everyone) > 2), seeds)
def test_a_minority_never_is_half_and_the_rest_hears_itself(everyone, seed):
    cut = minority(everyone, random.Random(seed))

    sizes = sorted(len(group) for group in {frozenset({host} | heard_by(host, everyone, cut)) for host in everyone})
    assert len(sizes) == 2
    assert sizes[0] * 2 < len(everyone)
    assert sizes[0] == (len(everyone) - 1) // 2


@given(hosts.filter(lambda everyone: len(everyone) > 2), seeds)
def test_a_bridge_hears_everyone_and_nobody_else_does(everyone, seed):
    cut = bridge(everyone, random.Random(seed))

    everyone_hearing = [host for host in everyone if len(heard_by(host, everyone, cut)) == len(everyone) - 1]
    assert len(everyone_hearing) == 1
    left = frozenset(host for host in everyone if host not in everyone_hearing)
    assert len({frozenset({host} | heard_by(host, tuple(left), cut)) for host in left}) == 2


@given(hosts.filter(lambda everyone: len(everyone) > 3), seeds)
def test_in_a_ring_everyone_hears_two_and_can_be_reached_round_about(everyone, seed):
    cut = ring(everyone, random.Random(seed))

    assert {len(heard_by(host, everyone, cut)) for host in everyone} == {2}
    reached, fresh = set(), {everyone[0]}
    while fresh:
        reached |= fresh
        fresh = {other for host in fresh for other in heard_by(host, everyone, cut)} - reached
    assert reached == set(everyone)


def test_a_targeted_host_is_one_side_and_the_rest_of_its_tiers_the_other():
    target = Target(hosts=("db2",), tiers=TIERS, rest=("db1", "db3", "web1", "web2", "client"), settings=Partition())

    assert peers(target) == ("db2", "db1", "db3")
    assert partitioned(target) == sides(["db2"], ["db1", "db3"])


def test_all_hosts_are_split_by_the_shape_and_the_seed():
    target = Target(hosts=TIERS["db"], tiers=TIERS, settings=Partition(shape="bridge"), seed=5)

    assert partitioned(target) == bridge(TIERS["db"], random.Random(5))


def test_a_shape_that_cuts_nobody_is_refused_with_a_way_out():
    target = Target(hosts=TIERS["db"], tiers=TIERS, settings=Partition(shape="ring"))

    with pytest.raises(Refused, match="at least 4 hosts"):
        partitioned(target)


def test_a_tier_is_cut_from_another_on_the_same_hosts_by_ports():
    target = Target(hosts=("db1",), tiers=TIERS, settings=CutFrom(**{"from": "etcd", "ports": [2379, 2380]}))

    pairs = cut_off(target)

    assert pairs == sides(["db1"], ["db2", "db3"])
    assert {rule.ports for rule in cut_rules(pairs, target.settings.ports)} == {frozenset({2379, 2380})}


@pytest.mark.parametrize(("tier", "why"), [("cache", "no tier cache"), ("alone", "same host")])
def test_a_cut_from_nobody_is_refused(tier, why):
    target = Target(hosts=("db1",), tiers={**TIERS, "alone": ("db1",)}, settings=CutFrom(**{"from": tier}))

    with pytest.raises(Refused, match=why):
        cut_off(target)


def test_settings_are_read_as_people_write_them():
    assert Delay(delay="250ms").delay == 0.25
    assert CutFrom(**{"from": "db"}).from_ == "db"

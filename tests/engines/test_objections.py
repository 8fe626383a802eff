"""What is senseless although each value alone is fine."""

from dataclasses import replace

import pytest
from helpers import classic, db, pages, shop, store, topology, web

from holdfast.engines import command, envoy, etcd, haproxy, nginx, patroni
from holdfast.engines.catalogue import ENGINES
from holdfast.topology.model import Tier, Topology, Uses


def told(topology: Topology, tier: str) -> str:
    return "\n".join(map(str, ENGINES[topology.tiers[tier].engine].objections(tier, topology)))


def with_tier(name: str, tier: Tier) -> Topology:
    return replace(shop(), tiers={**shop().tiers, name: tier})


@pytest.mark.parametrize("whole", [shop(), classic(), pages()])
def test_nothing_is_said_of_a_sound_service(whole: Topology):
    assert {tier: told(whole, tier) for tier in whole.tiers if tier != "web"} == {
        tier: "" for tier in whole.tiers if tier != "web"
    }


def test_two_etcd_members_are_objected_to():
    assert "two etcd members cannot outvote a dead third" in told(with_tier("etcd", store(2)), "etcd")


def test_four_etcd_members_survive_no_more_than_three():
    assert "4 etcd members survive no more losses than 3 (1)" in told(with_tier("etcd", store(4)), "etcd")


def test_one_etcd_member_is_objected_to_unless_it_is_meant():
    assert "no majority" in told(with_tier("etcd", store(1)), "etcd")
    assert told(with_tier("etcd", store(1, single=True)), "etcd") == ""


def test_an_election_timeout_must_hold_five_heartbeats():
    assert "five heartbeats" in told(with_tier("etcd", store(heartbeat="300ms")), "etcd")


@pytest.mark.parametrize(("settings", "said"), [
    ({"ttl": "20s", "loop_wait": "10s", "retry_timeout": "10s"}, "ttl 20s is less than loop_wait + 2 * retry_timeout, 30s"),
    ({"ttl": "10s"}, "Patroni raises ttl to 20s"),
    ({"loop_wait": "500ms"}, "Patroni raises loop_wait to 1s"),
    ({"retry_timeout": "1s"}, "Patroni raises retry_timeout to 3s"),
    ({"loop_wait": "1500ms"}, "whole seconds"),
    ({"synchronous": 3}, "3 synchronous standbys do not exist among 3 replicas"),
    ({"consensus": "ectd"}, "there is no tier 'ectd'"),
    ({"consensus": "web"}, "the tier web runs command"),
    ({"user": "postgres"}, "a user of the database's own"),
    ({"database": "template1"}, "PostgreSQL's own database"),
])
def test_a_database_that_could_not_keep_its_promise_is_objected_to(settings: dict[str, object], said: str):
    assert said in told(with_tier("db", db(**settings)), "db")


def test_a_database_with_one_replica_has_nowhere_to_go():
    said = told(with_tier("db", db(1)), "db")
    assert "no standby to fail over to" in said
    assert "1 synchronous standbys do not exist" in said


@pytest.mark.parametrize(("routes", "said"), [
    ({}, "routes nothing"),
    ({"http": "wep"}, "no tier 'wep'"),
    ({"http": "db"}, "the tier db does not speak http"),
    ({"mysql": "db"}, "no balancer here speaks 'mysql'"),
    ({"postgres": "etcd"}, "does not speak postgres"),
])
@pytest.mark.parametrize("engine", [envoy, haproxy, nginx])
def test_a_balancer_that_could_reach_nobody_is_objected_to(engine, routes: dict[str, str], said: str):
    name = engine.__name__.rsplit(".", 1)[1]
    changed = with_tier("entry", Tier(engine=name, routes=routes, settings=engine.Settings()))
    assert said in told(changed, "entry")
    engine.ports("entry", changed)  # answers although the routes are wrong


def test_nginx_is_not_trusted_with_a_database_and_the_others_are_named():
    entry = Tier(engine="nginx", routes={"postgres": "db"}, settings=nginx.Settings())
    said = told(with_tier("entry", entry), "entry")
    assert "would send writes to standbys" in said
    assert "haproxy or envoy" in said


@pytest.mark.parametrize(("settings", "said"), [
    ({"fail_timeout": "1500ms"}, "in whole seconds, not 1.5s"),
    ({"retry_after": 0}, "use 1ms or more for retry_after"),
    ({"connect_timeout": "80s"}, "the kernel gives a connection up after about 75 s"),
])
def test_a_number_that_means_something_else_to_nginx_is_objected_to(settings: dict[str, object], said: str):
    entry = Tier(engine="nginx", routes={"http": "web"}, settings=nginx.Settings(**settings))
    assert said in told(with_tier("entry", entry), "entry")


def test_a_virtual_ip_on_one_host_is_objected_to():
    whole = classic()
    alone = replace(whole, tiers={
        **whole.tiers,
        "entry": whole.tiers["entry"].model_copy(update={"replicas": 1}),
        "entry-vip": whole.tiers["entry-vip"].model_copy(update={"replicas": 1}),
    })
    assert "nowhere to go" in told(alone, "entry-vip")


def test_a_program_that_is_not_there_is_objected_to():
    assert "./missing does not exist" in told(with_tier("web", web(run="./missing --fast")), "web")


def test_two_databases_for_one_program_are_objected_to():
    whole = with_tier("orders", db())
    both = {"db": Uses(), "orders": Uses()}
    changed = replace(whole, tiers={**whole.tiers, "web": whole.tiers["web"].model_copy(update={"uses": both})})
    assert "would both be PGHOST" in told(changed, "web")


@pytest.mark.parametrize("settings", [
    {"run": ""}, {"run": "'open"}, {"run": "x", "health": "ready"}, {"run": "x", "health": "/a\nb"}, {"run": "x", "port": 0},
    {"run": "x", "env": {"PORT": "1"}}, {"run": "x", "env": {"A": "1\nB=2"}}, {"run": "x", "env": {"A B": "1"}},
])
def test_a_command_that_cannot_be_started_is_refused(settings: dict[str, object]):
    with pytest.raises(ValueError):  # noqa: PT011 - pydantic's own wording around ours
        command.Settings(**settings)


@pytest.mark.parametrize("settings", [
    {"database": 'a"; drop'}, {"user": "x y"}, {"parameters": {"a b": "1"}}, {"parameters": {"work_mem": "1\n2"}},
])
def test_no_word_breaks_out_of_the_database_settings(settings: dict[str, object]):
    with pytest.raises(ValueError):  # noqa: PT011
        patroni.Settings(consensus="etcd", **settings)


def test_etcd_settings_have_the_documented_defaults():
    assert etcd.Settings().heartbeat == 0.1
    assert topology(etcd=store()).tiers["etcd"].settings.election_timeout == 1.0

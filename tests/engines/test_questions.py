"""How answers of real programs are read, and what a planned change looks like."""

import json
import re
from dataclasses import replace
from ipaddress import IPv4Address

from helpers import PRODUCTION, classic, shop

from holdfast.engines import command, etcd, haproxy, keepalived, patroni, routing
from holdfast.engines.catalogue import ENGINES
from holdfast.plan import reach
from holdfast.topology.model import Uses


def first(topology, tier):
    return topology.instances_of(tier)[0]


def cluster(*members: tuple[str, str]) -> bytes:
    return json.dumps({"members": [{"role": role, "state": state} for role, state in members]}).encode()


def redundant(body: bytes, status: int = 200) -> str:
    question = patroni.questions(first(shop(), "db"), shop()).redundant
    assert question is not None
    return question.read(status, body)


def test_a_database_is_redundant_when_all_stream_and_one_is_synchronous():
    assert redundant(cluster(("leader", "running"), ("sync_standby", "streaming"), ("replica", "streaming"))) == "yes"


def test_a_database_is_not_redundant_while_anything_is_missing():
    assert redundant(cluster(("leader", "running"), ("replica", "streaming"), ("replica", "streaming"))) == "no"
    assert redundant(cluster(("leader", "running"), ("sync_standby", "streaming"), ("replica", "running"))) == "no"
    assert redundant(cluster(("leader", "running"), ("sync_standby", "streaming"))) == "no"
    assert redundant(cluster(("replica", "streaming"), ("sync_standby", "streaming"), ("replica", "streaming"))) == "no"
    assert redundant(b"not json") == "no"
    assert redundant(b"", 503) == "no"


def test_the_role_of_a_member_is_that_of_a_running_one():
    role = patroni.questions(first(shop(), "db"), shop()).role
    assert role is not None
    assert role.read(200, b'{"state": "running", "role": "primary"}') == "primary"
    assert role.read(200, b'{"state": "running", "role": "master"}') == "primary"
    assert role.read(200, b'{"state": "running", "role": "replica"}') == "replica"
    assert role.read(503, b'{"state": "stopped", "role": "primary"}') == ""
    assert role.read(200, b"[]") == ""


def test_the_leader_of_etcd_is_the_member_that_names_itself():
    role = etcd.questions(first(shop(), "etcd"), shop()).role
    assert role is not None
    assert role.read(200, b'{"header": {"member_id": "7"}, "leader": "7"}') == "leader"
    assert role.read(200, b'{"header": {"member_id": "7"}, "leader": "9"}') == "follower"
    assert role.read(200, b'{"header": {}}') == ""
    assert role.read(404, b"404 page not found") == ""


def test_etcd_is_in_service_when_it_says_so():
    service = etcd.questions(first(shop(), "etcd"), shop()).service
    assert service is not None
    assert service.read(200, b'{"health":"true","reason":""}') == "yes"
    assert service.read(503, b'{"health":"false"}') == "no"


def test_a_switchover_is_an_authenticated_request_to_the_leader():
    switchover = patroni.actions(first(shop(), "db"), shop()).switchover
    assert switchover is not None
    request = switchover("db2", "db3")
    assert (request.host, request.port, request.path) == ("db2", 8008, "/switchover")
    assert json.loads(request.body) == {"leader": "db2", "candidate": "db3"}
    assert request.credential == ("patroni", "db-restapi")
    assert json.loads(switchover("db2", "").body) == {"leader": "db2"}


def test_only_the_primary_is_asked_for_writes():
    assert routing.served_by("db", shop())["postgres"].check_path == "/primary"


def test_clients_find_a_balancer_at_the_usual_ports():
    found = {entry.protocol: (entry.port, entry.tier) for entry in haproxy.entries("entry", classic())}
    assert found == {"http": (80, "web"), "postgres": (5432, "db")}


def test_the_active_balancer_is_the_one_that_holds_the_virtual_ip():
    assert keepalived.questions(first(classic(), "entry-vip"), classic()).holds == "10.0.1.100"


def test_of_two_addresses_each_host_is_at_home_with_one_and_clients_know_both():
    whole = classic()
    entry = whole.tiers["entry"].model_copy(update={"second_vip": IPv4Address("10.0.1.101")})
    both = replace(whole, tiers={**whole.tiers, "entry": entry})
    texts = [keepalived.files(each, both, PRODUCTION)[keepalived.FILE].text for each in both.instances_of("entry-vip")]
    priorities = [re.findall(r"priority (\d+)", text) for text in texts]
    assert priorities == [["150", "149"], ["149", "150"]]
    assert [re.findall(r"virtual_router_id (\d+)", text) for text in texts] == [["51", "52"]] * 2
    assert "nopreempt" not in texts[0]
    assert both.addresses_of("entry") == reach(both, PRODUCTION, "entry") == ("10.0.1.100", "10.0.1.101")


def test_a_program_is_told_where_its_database_is_and_its_secret_only_by_name():
    process = command.process(first(shop(), "web"), shop(), PRODUCTION)
    lines = process.files[process.environment_file].text.splitlines()
    assert "PGHOST=10.0.1.31,10.0.1.32,10.0.1.33" in lines
    assert "PGTARGETSESSIONATTRS=read-write" in lines
    assert "PGPASSWORD=secret://db-app" in lines
    assert process.files[process.environment_file].mode == 0o600


def test_a_program_is_told_the_whole_policy_by_which_it_calls_another():
    whole = shop()
    uses = {"db": Uses(timeout="2s", retries=1, retry_budget="20%", max_pending=64, ejection={"failures": 4, "for": "8s"})}
    changed = replace(whole, tiers={**whole.tiers, "web": whole.tiers["web"].model_copy(update={"uses": uses})})
    process = command.process(first(changed, "web"), changed, PRODUCTION)
    told = [line for line in process.files[process.environment_file].text.splitlines() if line.startswith("HOLDFAST_DB")]
    assert told == [
        "HOLDFAST_DB_TIMEOUT_S=2", "HOLDFAST_DB_RETRIES=1", "HOLDFAST_DB_RETRY_BUDGET=0.2", "HOLDFAST_DB_MAX_PENDING=64",
        "HOLDFAST_DB_EJECTION_FAILURES=4", "HOLDFAST_DB_EJECTION_FOR_S=8", "HOLDFAST_DB_EJECTION_MOST=0.5",
    ]


def test_a_relative_program_is_beside_the_topology_and_a_bare_name_is_looked_up():
    process = command.process(first(shop(), "web"), shop(), PRODUCTION)
    assert process.argv == ("python3", "app.py")
    assert process.cwd == "/srv/shop"


def test_every_delay_has_a_source_and_bounds_in_order():
    for topology in (shop(), classic()):
        for tier, declared in topology.tiers.items():
            for delay in ENGINES[declared.engine].delays(tier, topology):
                assert 0 <= delay.low_s <= delay.high_s, delay
                assert delay.source
                assert delay.setting or delay.kind == "work" or delay.source

"""A file becomes a topology, or every mistake in it is told at once, with its place, what was meant and a remedy."""

import re
from ipaddress import IPv4Address, IPv4Network

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from small_kinds import (
    KINDS,
    SHOP,
    Balancer,
    Command,
    Database,
    Kinds,
    Ledger,
    Nothing,
    VirtualIp,
    changed,
    loaded,
    problems,
    told,
    written,
)

from holdfast.errors import BAD_INPUT, Refused
from holdfast.topology.check import check
from holdfast.topology.load import load
from holdfast.topology.model import Client, Drilled, Objectives, Tier, Uses

LEAST = "service: x\ntiers: {web: {engine: command, run: x}}\n"


def test_the_shop_is_read_as_it_was_meant(tmp_path):
    shop = loaded(tmp_path)
    assert shop.service == "shop"
    assert shop.objectives == Objectives(availability="99.95%", write_outage="30s", lost_writes=0)
    assert shop.zones == ("a", "b", "c")
    assert shop.clients == {"client": Client(zone="a")}
    assert list(shop.tiers) == ["entry", "entry-vip", "web", "db", "etcd"]
    assert shop.tiers["entry"] == Tier(
        engine="haproxy", replicas=2, vip=IPv4Address("10.0.1.100"), routes={"http": "web", "postgres": "db"},
        settings=Balancer(),
    )
    assert shop.tiers["web"].uses == {"db": Uses(timeout="2s", retries=1)}
    assert shop.tiers["web"].settings == Command(run="python3 app.py")
    assert shop.tiers["db"].settings == Database(synchronous=1, consensus="etcd")
    assert shop.probes["orders"] == Ledger(ledger="db", through="entry", client="client", every="20ms")
    assert shop.drills == (Drilled(fault="freeze", target="primary", duration="10s", settings=Nothing()),)
    assert shop.folder == tmp_path


def test_a_folder_and_its_file_give_the_same_topology(tmp_path):
    assert load(written(tmp_path, SHOP), KINDS) == load(tmp_path, KINDS)


def test_what_is_left_out_has_a_default(tmp_path):
    least = loaded(tmp_path, LEAST)
    assert least.network == IPv4Network("10.0.1.0/24")
    assert least.zones == ("a",)
    assert least.clients == {"client": Client()}
    assert least.objectives == Objectives()
    assert least.tiers["web"].replicas == 1


def test_keys_with_nothing_behind_them_count_as_left_out(tmp_path):
    nothing = "".join(f"{key}:\n" for key in ("objectives", "zones", "clients", "probes", "drills", "secrets"))
    assert loaded(tmp_path, LEAST + nothing) == loaded(tmp_path, LEAST)
    assert loaded(tmp_path, LEAST + "clients:\n  far:\n").clients == {"far": Client()}


def test_a_virtual_ip_adds_a_tier_on_the_same_hosts_right_behind(tmp_path):
    shop = loaded(tmp_path)
    assert shop.tiers["entry-vip"] == Tier(engine="keepalived", replicas=2, on="entry", settings=VirtualIp())
    assert shop.located("tiers", "entry-vip", "replicas").endswith(":10:5")


def test_a_tier_on_the_hosts_of_others_is_as_large_as_they_are(tmp_path):
    assert loaded(tmp_path).tiers["etcd"].replicas == 3
    chain = LEAST.replace("}}", "}, a: {engine: etcd, on: b}, b: {engine: haproxy, on: c}, c: {engine: patroni, replicas: 5}}")
    assert loaded(tmp_path, chain).tiers["a"].replicas == 5


def test_places_are_those_of_the_keys_in_the_file(tmp_path):
    shop = loaded(tmp_path)
    assert shop.located("tiers", "db", "consensus") == f"{tmp_path / 'topology.yaml'}:13:54"
    assert shop.located("drills", 0, "fault").endswith(":19:6")


def test_secrets_name_a_file_or_an_environment_variable(tmp_path):
    assert loaded(tmp_path, LEAST + "secrets: {db: {env: DB}}").secrets == {"db": {"env": "DB"}}
    assert told(tmp_path, LEAST + "secrets:\n  db: {}\n  q: {env: A, file: B}\n  r: x\n") == [
        "4:3 secrets.'db' must name one source",
        "5:3 secrets.'q' must name one source",
        "6:6 secrets.r must be keys and values, not 'x'",
    ]


@pytest.mark.parametrize(("change", "expected"), [
    (("service: shop", "sevice: shop"), ["1:1 unknown key 'sevice'; did you mean 'service'?"]),
    (("service: shop\n", ""), ["1:1 'service' is missing"]),
    (("service: shop", "service: 7"), ["1:10 service must be text, not 7"]),
    (("write_outage: 30s", "write_outage: 30"), ["2:50 objectives.write_outage: 30 has no unit"]),
    (("write_outage: 30s", "write_outge: 30s"), ["2:36 unknown key 'write_outge' in objectives; did you mean 'write_outage'?"]),
    (("99.95%", "99.95"), ["2:28 objectives.availability: 99.95 lies outside of 0% to 100%"]),
    (("lost_writes: 0", "lost_writes: none"), ["2:68 objectives.lost_writes must be a whole number, not 'none'"]),
    (("10.0.1.0/24", "10.0.1.7/24"), ["3:10 network must be an IPv4 network whose host bits are zero, not '10.0.1.7/24'"]),
    (("zones: [a, b, c]", "zones: a"), ["4:8 zones must be a list, not 'a'"]),
    (("[a, b, c]", "[a, 2, c]"), ["4:12 zones[2] must be text, not 2"]),
    (("[a, b, c]", "[]"), ["4:8 zones is empty"]),
    (("{zone: a}", "{zome: a}"), ["5:20 unknown key 'zome' in clients.client; did you mean 'zone'?"]),
    (("{zone: a}", "far"), ["5:19 clients.client must be keys and values, not 'far'"]),
    (("engine: haproxy", "engine: haprxy"), ["8:13 there is no engine 'haprxy'; did you mean 'haproxy'?"]),
    (("engine: haproxy", "engin: haproxy"), ["8:5 unknown key 'engin' in tiers.entry; did you mean 'engine'?"]),
    (("engine: haproxy", "mode: tcp"), ["7:3 'engine' is missing in tiers.entry"]),
    (("engine: haproxy", "engine: [haproxy]"), ["8:13 tiers.entry.engine must be text, not a list"]),
    (("replicas: 2", "replcas: 2"), ["9:5 unknown key 'replcas' in tiers.entry; did you mean 'replicas'?"]),
    (("replicas: 2", "replicas: two"), ["9:15 tiers.entry.replicas must be a whole number, not 'two'"]),
    (("replicas: 2", "replicas: 2.5"), ["9:15 tiers.entry.replicas must be a whole number, not 2.5"]),
    (("replicas: 2", "replicas: true"), ["9:15 tiers.entry.replicas must be a number, not true"]),
    (("replicas: 2", "mode: htp"), ["9:11 tiers.entry.mode must be one of 'http' or 'tcp', not 'htp'; did you mean 'http'?"]),
    (("replicas: 2", "check_interval: 2 parsecs"), [
        "9:21 tiers.entry.check_interval: '2 parsecs' has the unknown unit 'parsecs'"]),
    (("replicas: 2", "config: ./haproxy.cfg"), ["9:13 there is no file 'haproxy.cfg'"]),
    (("10.0.1.100", "10.0.1.999"), ["10:10 tiers.entry.vip must be an IPv4 address, not '10.0.1.999'"]),
    (("postgres: db}", "postgers: db}"), ["11:25 there is no protocol 'postgers'; did you mean 'postgres'?"]),
    (("run: python3 app.py, ", ""), ["12:3 'run' is missing in tiers.web"]),
    (("run: python3 app.py", "rum: python3 app.py"), ["12:39 unknown key 'rum' in tiers.web; did you mean 'run'?"]),
    (("run: python3 app.py", "run: a, port: 99999"), ["12:53 tiers.web.port must be at most 65535, not 99999"]),
    (("{timeout: 2s, ", "{timeuot: 2s, "), ["12:72 unknown key 'timeuot' in tiers.web.uses.db; did you mean 'timeout'?"]),
    (("synchronous: 1", "limits: {memry: 1}"),
     ["13:47 unknown key 'memry' in tiers.db.limits; did you mean 'memory'?"]),
    (("synchronous: 1", "limits: {files: [1]}"), ["13:54 tiers.db.limits.files must be a whole number or text, not a list"]),
    (("{engine: etcd, on: db}", "7"), ["14:9 tiers.etcd must be keys and values, not 7"]),
    (("from: client, every: 20ms", "form: client, every: 20ms"), [
        "17:40 unknown key 'form' in probes.orders; did you mean 'from'?"]),
    (("ledger: db", "leger: db"), ["17:12 unknown key 'leger' in probes.orders; did you mean 'ledger'?"]),
    (("{ledger: db, through: entry, from: client, every: 20ms}", "{}"), ["17:3 probes.orders does not say what to ask"]),
    (("fault: freeze", "fault: freze"), ["19:13 there is no fault 'freze'; did you mean 'freeze'?"]),
    (("fault: freeze, ", ""), ["19:5 'fault' is missing in drills[1]"]),
    (("for: 10s", "for: 10"), ["19:43 drills[1].for: 10 has no unit"]),
    (("  - {fault: freeze, target: primary, for: 10s}", "  {fault: freeze}"), [
        "19:3 drills must be a list, not keys and values"]),
])
def test_each_mistake_is_told_where_it_is(tmp_path, change, expected):
    assert told(tmp_path, changed(change)) == expected


def test_every_mistake_is_told_at_once_in_the_order_of_the_file(tmp_path):
    text = changed(
        ("availability: 99.95%", "availability: 3 nines"), ("replicas: 2", "replcas: 2\n    replcas: 3"),
        ("http: web", "http: wbe"), ("engine: etcd", "engine: etdc"),
        ("pages: {http", "pages: {htpp"), ("through: entry", "through: enrty"),
        ("fault: freeze", "fault: freze"), ("clients: {client: {zone: a}}", "clients: {client: {zone: d}}"),
    )
    assert told(tmp_path, text) == [
        "2:28 objectives.availability: '3 nines' has the unknown unit 'nines'",
        "5:20 there is no zone 'd'",
        "9:5 unknown key 'replcas' in tiers.entry; did you mean 'replicas'?",
        "10:5 the key 'replcas' is given twice, first in line 9",
        "12:14 there is no tier 'wbe'; did you mean 'web'?",
        "15:18 there is no engine 'etdc'; did you mean 'etcd'?",
        "17:11 unknown key 'htpp' in probes.pages; did you mean 'http'?",
        "18:24 there is no tier 'enrty'; did you mean 'entry'?",
        "20:13 there is no fault 'freze'; did you mean 'freeze'?",
    ]


def test_a_part_that_cannot_be_read_raises_no_false_alarms_elsewhere(tmp_path):
    text = changed(("engine: patroni, replicas: 3", "engine: patroni, replicas: many"), ("zones: [a, b, c]", "zones: {a: 1}"),
                   ("10.0.1.0/24", "ten"), ("{zone: a}", "{zone: b, x: 1}"))
    assert [line.split(" ")[0] for line in told(tmp_path, text)] == ["3:10", "4:8", "5:29", "13:35"]


def test_mistakes_beneath_an_alias_are_told_at_the_alias(tmp_path):
    text = changed(("zones: [a, b, c]", "zones: &z [1]")).replace("target: primary", "target: *z")
    assert told(tmp_path, text) == ["4:12 zones[1] must be text, not 1", "19:29 drills[1].target must be text, not a list"]


def test_a_tier_named_like_a_virtual_ip_is_refused(tmp_path):
    text = changed(("  etcd: {", "  entry-vip: {engine: etcd, on: db}\n  etcd: {"))
    assert told(tmp_path, text) == ["14:3 the name 'entry-vip' is taken by the virtual IP of entry"]


def test_the_holder_of_a_virtual_ip_is_set_beside_it_and_its_mistakes_are_told_where_they_stand(tmp_path):
    def beside(settings: str) -> str:
        return changed(("vip: 10.0.1.100", f"vip: 10.0.1.100\n    vip_settings: {settings}"))

    shop = loaded(tmp_path, beside("{advert_interval: 50ms}"))
    assert shop.tiers["entry-vip"].settings == VirtualIp(advert_interval="50ms")
    assert shop.located("tiers", "entry-vip", "advert_interval").endswith(":11:20")
    assert told(tmp_path, beside("{advrt_interval: 50ms}")) == [
        "11:20 unknown key 'advrt_interval' in tiers.entry.vip_settings; did you mean 'advert_interval'?"]
    assert told(tmp_path, changed(("    vip: 10.0.1.100\n", "    vip_settings: {advert_interval: 50ms}\n"))) == [
        "10:5 vip_settings has no virtual IP to hold"]


def test_a_virtual_ip_needs_an_engine_that_holds_it(tmp_path):
    bare = Kinds(engines={"haproxy": Balancer}, probes={}, faults={})
    text = "service: x\ntiers: {entry: {engine: haproxy, vip: 10.0.1.100}}\n"
    assert told(tmp_path, text, bare) == ["2:39 there is no engine 'keepalived' to hold it"]


@pytest.mark.parametrize("text", ["[1]", "x", "7", "true"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path, text):
    assert told(tmp_path, text) == ["1:1 a topology is made of keys and values"]


def test_no_problem_speaks_of_how_it_was_found(tmp_path):
    text = changed(("replicas: 2", "replicas: []"), ("vip: 10.0.1.100", "vip: {}"), ("zones: [a, b, c]", "zones: 1"))
    found = problems(tmp_path, text)
    assert len(found) == 3
    said = " ".join(map(str, found)).lower()
    assert not [word for word in ("pydantic", "input should", "validation", "python", "valid ") if word in said]


def test_a_refusal_is_bad_input(tmp_path):
    with pytest.raises(Refused) as caught:
        load(written(tmp_path, "a: 1"), KINDS)
    assert caught.value.exit_code == BAD_INPUT


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(
    ["a", "db", "web", "entry", "command", "haproxy", "client", "10.0.1.100", "1s", "http://entry/"])
WORDS = """service tiers zones clients probes drills secrets objectives network web db engine replicas on vip routes uses http
    ledger from every fault for tier run limits config"""
KEYS = st.sampled_from(re.findall(r"\w+", WORDS)) | st.text(max_size=3)
TREES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=20)
PATHS = [tuple(path.split()) for path in (
    "", "service", "objectives", "network", "zones", "clients", "clients client", "tiers", "tiers entry", "tiers entry vip",
    "tiers entry engine", "tiers entry replicas", "tiers entry routes", "tiers entry config", "tiers etcd on", "tiers web uses",
    "tiers db limits", "tiers db consensus", "probes", "probes pages", "probes orders every", "drills", "secrets",
)]


@settings(max_examples=300, deadline=None)
@given(path=st.sampled_from(PATHS), tree=TREES)
def test_any_value_anywhere_gives_a_topology_that_can_be_checked_or_a_refusal(tmp_path_factory, path, tree):
    whole = yaml.safe_load(SHOP)
    where = whole
    for step in path[:-1]:
        where = where[step]
    if path:
        where[path[-1]] = tree
    text = yaml.safe_dump(whole if path else tree, allow_unicode=True)
    try:
        found = check(load(written(tmp_path_factory.getbasetemp(), text), KINDS))
    except Refused as refused:
        found = tuple(refused.problems)
        assert found
    assert all(problem.what and problem.where and problem.remedy for problem in found)


def test_a_misspelt_key_beside_the_right_one_is_to_be_removed(tmp_path):
    found = problems(tmp_path, changed(("service: shop", "service: shop\nservise: shop")))
    assert [(problem.what, problem.remedy) for problem in found] == [
        ("unknown key 'servise'; 'service' is there already", "remove it")]


@pytest.mark.parametrize(("every", "as_in"), [("50", "50ms"), ("2", "2s"), ("'50'", "50s")])
def test_a_beat_without_a_unit_is_probably_meant_in_milliseconds(tmp_path, every, as_in):
    found, = problems(tmp_path, changed(("every: 20ms", f"every: {every}")))
    assert found.remedy.endswith(f"as in {as_in}")

"""One declared intent, three engines: each renders what it can, and names who can where it cannot."""

from dataclasses import replace

import pytest
import yaml
from helpers import ASKED_FOR, BALANCERS, CANNOT, PRODUCTION, balanced

from holdfast.blueprint import Program, Site
from holdfast.engines.abilities import ABILITIES
from holdfast.engines.catalogue import ENGINES
from holdfast.engines.envoy import live
from holdfast.engines.intent import Balance
from holdfast.errors import Refused
from holdfast.topology.model import Topology, Uses

NEW_NGINX = replace(
    PRODUCTION, programs={**PRODUCTION.programs, "nginx": Program(name="nginx", path="/n", version="1.29.6", source="PATH")},
)
STRICT = Uses(timeout="5s", retries=1, max_pending=200, ejection={"failures": 4, "for": "8s"})


def told(whole: Topology) -> str:
    return "\n".join(map(str, ENGINES[whole.tiers["entry"].engine].objections("entry", whole)))


def text(whole: Topology, site: Site = PRODUCTION, number: int = 0) -> str:
    """All files of one balancer: Envoy has several."""
    instance = whole.instances_of("entry")[number]
    return "\n".join(file.text for file in ENGINES[instance.engine].files(instance, whole, site).values())


def cluster(whole: Topology, number: int = 0) -> dict:
    """Envoy's first cluster, with its endpoints."""
    instance = whole.instances_of("entry")[number]
    files = ENGINES["envoy"].files(instance, whole, PRODUCTION)
    found = yaml.safe_load(files[live.CLUSTERS].text)["resources"][0]
    return {**found, "load_assignment": yaml.safe_load(files[live.endpoints_of(found["name"])].text)["resources"][0]}


@pytest.mark.parametrize("engine", BALANCERS)
@pytest.mark.parametrize("name", ASKED_FOR)
def test_what_an_engine_can_do_it_renders_and_what_not_it_says_with_who_can(engine: str, name: str):
    whole = balanced(engine, **ASKED_FOR[name])
    said = told(whole)
    if (engine, name) in CANNOT:
        others = [other for other in BALANCERS if (other, name) not in CANNOT]
        assert all(f"engine: {other}" in said for other in others), said
    else:
        assert said == ""
        assert text(whole, NEW_NGINX) != text(balanced(engine), NEW_NGINX) or name == "least_connections" or (
            engine == "envoy" and name == "random_two")


def test_every_key_of_the_intent_is_in_the_table_of_abilities_or_only_modifies_another():
    asked = {ability.key[1] for ability in ABILITIES}
    assert set(Balance.model_fields) - asked == {"hash_on"}


def test_nothing_asked_for_changes_nothing():
    for engine in BALANCERS:
        assert text(balanced(engine)) == text(balanced(engine, **{"weights": {}, "backups": []}))


@pytest.mark.parametrize(("balance", "said"), [
    ({"weights": {"web9": 2}}, "web9 is no host of the tier web"),
    ({"backups": ["web1", "web2", "web3"]}, "every server is a backup"),
    ({"bounded_load": 125}, "only a consistent hash needs its load bounded"),
    ({"strategy": "first"}, "the first server would never be full"),
    ({"queue_timeout": "1s"}, "nobody waits for a server without a limit"),
    ({"strategy": "source", "sessions": {"by": "cookie"}}, "source keeps visitors together already"),
    ({"hash_on": "source"}, "nothing is hashed"),
    ({"rate_limit": {"requests": 5, "per": 0}}, "counted over 50 ms at the least"),
    ({"retry_after": 0}, "use 1ms or more"),
    ({"retry_after": "20s"}, "does not end before the whole request, 5s"),
])
def test_what_makes_no_sense_on_any_engine_is_objected_to(balance: dict[str, object], said: str):
    assert said in told(balanced("haproxy", Uses(timeout="5s"), **balance))


def test_a_call_to_a_tier_that_is_not_routed_to_and_a_queue_without_a_limit_are_objected_to():
    whole = balanced("haproxy", Uses(max_pending=10))
    assert "nobody waits for a server without a limit" in told(whole)
    entry = whole.tiers["entry"].model_copy(update={"uses": {"db": Uses()}})
    assert "entry routes nothing to db" in told(replace(whole, tiers={**whole.tiers, "entry": entry}))


@pytest.mark.parametrize(("engine", "uses", "others"), [
    ("nginx", Uses(retry_budget="20%"), "engine: envoy"),
    ("haproxy", Uses(retry_budget="20%"), "engine: envoy"),
    ("nginx", Uses(max_pending=10), "engine: haproxy or engine: envoy"),
    ("haproxy", Uses(ejection={"most": "30%"}), "engine: envoy"),
])
def test_a_policy_that_an_engine_cannot_keep_names_those_that_can(engine: str, uses: Uses, others: str):
    assert others in told(balanced(engine, uses, server_connections=10))


@pytest.mark.parametrize("version", ["1.22.1", "1.26.3", "1.29.5"])
def test_an_nginx_that_is_too_old_for_a_cookie_is_refused_by_its_version(version: str):
    old = replace(PRODUCTION, programs={"nginx": Program(name="nginx", path="/n", version=version, source="PATH")})
    with pytest.raises(Refused, match="1.29.6"):
        text(balanced("nginx", **ASKED_FOR["cookie"]), old)
    assert "sticky cookie SHOP expires=3600s" in text(balanced("nginx", **ASKED_FOR["cookie"]), NEW_NGINX)


def test_an_envoy_that_is_too_old_for_a_rate_by_client_is_refused_by_its_version():
    old = replace(PRODUCTION, programs={"envoy": Program(name="envoy", path="/e", version="1.32.3", source="PATH")})
    with pytest.raises(Refused, match="1.34"):
        text(balanced("envoy", **ASKED_FOR["rate"]), old)


def test_a_file_for_a_version_that_we_did_not_run_says_so_and_one_that_we_ran_does_not():
    assert "# Unverified with nginx 1.29.6: our drills ran 1.22." in text(balanced("nginx"), NEW_NGINX)
    assert "Unverified" not in text(balanced("nginx"))


def test_the_same_numbers_reach_all_three_engines():
    limit = {"server_connections": 50}
    haproxy = text(balanced("haproxy", STRICT, **limit))
    assert "retries 1\n" in haproxy
    assert "timeout server 5000ms" in haproxy
    assert "default-server maxconn 50 maxqueue 200" in haproxy
    # 8 s at a check every 250 ms
    assert "observe layer7 error-limit 4 on-error mark-down rise 32" in haproxy
    nginx = text(balanced("nginx", Uses(timeout="5s", retries=1, ejection={"failures": 4, "for": "8s"}), **limit))
    assert "proxy_next_upstream_tries 2;" in nginx
    assert "proxy_read_timeout 5000ms;" in nginx
    assert "max_fails=4 fail_timeout=8s max_conns=50;" in nginx
    envoy = cluster(balanced("envoy", STRICT, **limit))
    assert envoy["circuit_breakers"]["thresholds"][0]["max_pending_requests"] == 200
    assert envoy["circuit_breakers"]["per_host_thresholds"] == [{"max_connections": 50}]
    assert envoy["outlier_detection"]["consecutive_5xx"] == 4
    assert envoy["outlier_detection"]["base_ejection_time"] == "8s"


def test_each_balancer_prefers_the_servers_of_its_own_zone():
    for number, own in ((0, "web1"), (1, "web2")):  # zones a and b
        whole = balanced("haproxy", prefer_zone=True)
        lines = [line.split() for line in text(whole, number=number).splitlines() if line.strip().startswith("server ")]
        assert [words[1] for words in lines if "backup" not in words] == [own]
        first = cluster(balanced("envoy", prefer_zone=True), number)["load_assignment"]["endpoints"][0]
        assert [each["endpoint"]["hostname"] for each in first["lb_endpoints"]] == [own]
        assert first["priority"] == 0


def test_haproxy_balancers_share_what_they_know_of_visitors_and_a_single_one_tells_nobody():
    whole = balanced("haproxy", **ASKED_FOR["by_address"])
    assert "peer entry2 10.0.1.12:10000" in text(whole)
    assert "localpeer entry1" in text(whole)
    assert 10000 in BALANCERS["haproxy"].ports("entry", whole)
    alone = replace(whole, tiers={**whole.tiers, "entry": whole.tiers["entry"].model_copy(update={"replicas": 1})})
    assert "peer" not in text(alone)


def test_a_method_that_must_not_be_asked_twice_never_is():
    for name in ASKED_FOR:
        if ("nginx", name) not in CANNOT:
            assert "non_idempotent" not in text(balanced("nginx", STRICT, **ASKED_FOR[name]), NEW_NGINX)
        if ("haproxy", name) not in CANNOT:
            assert "disable-l7-retry unless safe" in text(balanced("haproxy", STRICT, **ASKED_FOR[name]))


@pytest.mark.parametrize(("limit", "rate"), [
    ({"requests": 100}, "rate=100r/s"), ({"requests": 30, "per": "1m"}, "rate=30r/m"),
    ({"requests": 5, "per": "2s"}, "rate=150r/m"),
])
def test_nginx_takes_rates_in_whole_numbers_only(limit: dict[str, object], rate: str):
    assert rate in text(balanced("nginx", rate_limit=limit))


@pytest.mark.parametrize("wrong", [
    {"hash_on": "cookie x; y"}, {"check": {"path": "ready"}}, {"check": {"status": "2xx"}}, {"check": {"host": "a b"}},
    {"sessions": {"by": "cookie", "cookie": "a;b"}}, {"weights": {"web1": 0}}, {"strategy": "fastest"}, {"bounded_load": 100},
    {"hash_on": "header X\nY"},
])
def test_no_word_breaks_out_of_the_intent(wrong: dict[str, object]):
    with pytest.raises(ValueError):  # noqa: PT011 - pydantic's own wording around ours
        Balance(**wrong)

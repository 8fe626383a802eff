"""How instances stand together: damped, weighed, and judged by what their tier needs."""

import pytest

from holdfast.cli.service import sensible
from holdfast.watch.aggregate import Rule, Status, rules_of, verdict
from holdfast.watch.answers import as_health, as_json, as_prometheus
from holdfast.watch.standing import Standing, Standings
from holdfast.watch.target import Answer, Target, Word
from holdfast.watch.targets import of_topology

TARGETS = tuple(
    Target(name=f"web{n} {level}", group="web", member=f"web{n}", level=level, kind="http", host=f"10.0.1.2{n}", port=80)
    for n in (1, 2, 3) for level in ("process", "service")
)


def answer(target: str, word: Word = "yes", at_s: float = 1.0, role: str = "", detail: str = "") -> Answer:
    return Answer(target=target, asked_s=at_s, took_s=0.01, late_s=0.0, word=word, role=role, detail=detail)


def standing(*bad: str, roles: dict[str, str] | None = None, targets: tuple[Target, ...] = TARGETS) -> Standings:
    found = Standings(targets, fall=1)
    for target in targets:
        word: Word = "no" if target.name in bad else "yes"
        detail = "ECONNREFUSED" if word == "no" else ""
        found.hear(answer(target.name, word, role=(roles or {}).get(target.name, ""), detail=detail))
    return found


def judged(standings: Standings, **rules: Rule) -> tuple[Status, str]:
    found = verdict("shop", standings, rules)
    return found.status, found.why


def test_all_up_is_a_pass_and_one_down_a_warning_that_names_it():
    assert judged(standing()) == ("pass", "")
    assert judged(standing("web2 service")) == ("warn", "web: web2 does not serve (ECONNREFUSED)")


def test_a_process_that_is_not_there_is_one_cause_and_not_two_symptoms():
    assert judged(standing("web2 process", "web2 service")) == ("warn", "web: web2 is down (ECONNREFUSED)")


@pytest.mark.parametrize(("need", "status"), [(1, "warn"), (2, "warn"), (2.5, "fail"), (3, "fail")])
def test_a_tier_is_healthy_with_k_of_n(need, status):
    assert judged(standing("web1 service"), web=Rule(need=need))[0] == status


def test_weights_count_instead_of_members():
    weights = {"web1": 5.0}
    assert judged(standing("web1 service"), web=Rule(need=3, weights=weights))[0] == "fail"
    assert judged(standing("web2 service", "web3 service"), web=Rule(need=3, weights=weights))[0] == "warn"


DATABASE = tuple(
    Target(name=f"db{n} role", group="db", member=f"db{n}", level="service", kind="http", host="x") for n in (1, 2, 3)
)


@pytest.mark.parametrize(("roles", "status", "why"), [
    (("primary", "replica", "replica"), "pass", ""),
    (("replica", "replica", "replica"), "fail", "db: nobody says primary"),
    (("primary", "primary", "replica"), "fail", "db: db1 and db2 each say primary"),
])
def test_a_database_has_one_primary_and_no_second(roles, status, why):
    named = {f"db{number} role": role for number, role in enumerate(roles, 1)}
    assert judged(standing(roles=named, targets=DATABASE), db=Rule(leads="primary")) == (status, why)


def test_a_role_that_moves_is_no_second_primary_until_the_first_says_so_again():
    standings = standing(roles={"db1 role": "primary", "db2 role": "replica", "db3 role": "replica"}, targets=DATABASE)
    rule = Rule(leads="primary")
    standings.hear(answer("db2 role", role="primary", at_s=2.0))  # db1 was asked before, at 1.0
    assert judged(standings, db=rule)[0] == "pass"
    standings.hear(answer("db1 role", role="primary", at_s=2.5))
    assert judged(standings, db=rule) == ("fail", "db: db1 and db2 each say primary")


def test_what_was_not_asked_yet_saves_nobody():
    standings = Standings(TARGETS, fall=1)
    for name in ("web1", "web2"):
        standings.hear(answer(f"{name} process", "no"))
    assert judged(standings, web=Rule(need=2))[0] == "fail"
    assert judged(standings, web=Rule(need=1))[0] == "warn"


def test_without_its_virtual_address_the_service_fails_however_many_balancers_are_up():
    classic = sensible("examples/classic")
    standings = Standings(of_topology(classic, every_s=1.0, timeout_s=0.5), fall=1)
    for each in list(standings):
        word: Word = "no" if each.target.host == "10.0.1.100" else "yes"
        standings.hear(answer(each.target.name, word, role="primary" if each.target.name == "db1/patroni role" else ""))
    found = verdict("shop", standings, rules_of(classic))
    assert [(group.name, group.status) for group in found.groups if group.status == "fail"] == [("entry-vip", "fail")], found.why


def test_trouble_of_our_own_is_never_a_pass():
    found = verdict("shop", standing(), {}, trouble="holdfast itself cannot ask everything")
    assert (found.status, found.why) == ("warn", "holdfast itself cannot ask everything")


def test_nothing_is_healthy_before_it_was_asked():
    assert judged(Standings(TARGETS))[0] == "warn"
    assert judged(Standings(()))[0] == "warn"


def test_one_lost_answer_is_no_outage_and_the_first_answer_counts_at_once():
    one = Standing(target=TARGETS[0], rise=2, fall=3)
    seen = []
    for word in ("yes", "no", "no", "yes", "no", "unknown", "no", "yes", "no", "yes", "yes"):
        one.hear(answer(TARGETS[0].name, word))
        seen.append(one.state)
    assert seen == ["up", "up", "up", "up", "up", "up", "down", "down", "down", "down", "up"]
    assert (one.asked, one.bad) == (11, 6)


def test_the_time_in_a_state_begins_with_the_answer_that_decided():
    one = Standing(target=TARGETS[0], fall=2)
    for at_s, word in ((1.0, "yes"), (2.0, "no"), (3.0, "no")):
        one.hear(answer(TARGETS[0].name, word, at_s))
    assert one.since_s == pytest.approx(3.01)


def test_a_topology_is_watched_at_both_levels_and_a_store_needs_its_majority():
    classic = sensible("examples/classic")
    targets = of_topology(classic, every_s=1.0, timeout_s=0.5)
    said = [target.said for target in targets]
    for wanted in ("connect 10.0.1.11:80", "GET http://10.0.1.11:80/", "connect 10.0.1.100:5432", "GET http://10.0.1.21:8080/ready/pages",
                   "GET http://10.0.1.31:8008/patroni", "POST http://10.0.1.31:2379/v3/maintenance/status"):
        assert wanted in said, wanted
    assert {target.every_s for target in targets} == {1.0}
    assert len({target.name for target in targets}) == len(targets)
    assert {name: rule.need for name, rule in rules_of(classic).items()}["etcd"] == 2
    assert rules_of(classic)["db"].leads == "primary"
    instances = {instance.name for instance in classic.instances if instance.tier != "entry-vip"}
    for level in ("process", "service"):
        assert instances <= {target.member for target in targets if target.level == level}


def test_the_forms_say_the_same():
    found = verdict('sh"op\n', standing("web1 service"), {})
    assert as_json(found, 5.0)["groups"][0]["members"][0]["status"] == "fail"
    assert as_json(found, 5.0)["groups"][0]["members"][0]["in_state_s"] == pytest.approx(3.99)
    assert as_health(found)["checks"]["web:web1"][0] == {
        "componentId": "web1", "status": "fail", "output": "does not serve (ECONNREFUSED)",
    }  # fmt: skip
    text = as_prometheus(found)
    assert 'holdfast_watch_member_up{service="sh\\"op\\n",group="web",member="web1",role=""} 0' in text
    assert 'holdfast_watch_group_up{service="sh\\"op\\n",group="web"} 2' in text


def test_prometheus_own_parser_reads_the_page():
    from prometheus_client.parser import text_string_to_metric_families

    found = verdict('sh"op\n', standing("web1 service"), {})
    names = {family.name for family in text_string_to_metric_families(as_prometheus(found))}
    assert {"holdfast_watch_service_status", "holdfast_watch_member_up", "holdfast_watch_questions"} <= names

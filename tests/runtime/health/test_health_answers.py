"""What is answered, byte by byte: health+json, text, Kubernetes' format, Prometheus."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from holdfast.runtime.health import Check, Health, Result, bearer
from holdfast.runtime.health.answers import Answer
from holdfast.runtime.health.routes import Routes
from holdfast.runtime.testing import FakeClock

SECRET = "sesame-open-now"


def shop(clock: FakeClock | None = None) -> Health:
    """A database that is gone, a cache that is full, and orders that need the database."""
    health = Health("shop", clock=clock or FakeClock())
    health.group("orders", critical=False)
    health.add(
        Check("loop", lambda: Result("pass", value=0.01, unit="s"), kind="liveness"),
        Check("pages", lambda: True),
        Check("database", lambda: Result("fail", "connection refused password=x"), group="orders"),
        Check("place", lambda: Result("fail", "no connection"), group="orders", needs="database"),
        Check("cache", lambda: Result("warn", "82 % used", 82, "%"), critical=False),
    )
    return health


def get(health: Health, url: str, method: str = "GET", headers: Mapping[str, str] | None = None, **settings: Any) -> Answer:
    routes = Routes(health, **settings)
    path, _, query = url.partition("?")
    asked = routes.question(path, query)
    if asked is None:
        return Answer(404, "", b"")
    return routes.refusal(asked, method) or routes.answer(asked, routes.ask(asked), lambda: headers or {})


def test_the_public_answer_is_the_status_and_nothing_else() -> None:
    answer = get(shop(), "/health")
    assert (answer.status, answer.body) == (200, b'{"status": "warn"}\n')
    assert dict(answer.headers) == {
        "Content-Type": "application/health+json", "Content-Length": "19", "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }


def test_the_operators_answer_has_the_shape_of_the_draft() -> None:
    clock = FakeClock()
    health = shop(clock)
    get(health, "/health")
    clock.advance(0.75)
    answer = get(health, "/health", details=True)
    said = json.loads(answer.body)
    assert (answer.status, said["status"], said["serviceId"], said["description"]) == (200, "warn", "shop", "readiness")
    assert said["output"] == "database: connection refused password=***"
    assert said["checks"]["cache"] == [{
        "status": "warn", "observedValue": 82, "observedUnit": "%", "output": "82 % used", "critical": False, "age_s": 0.75,
        "took_s": 0.0, "for_s": 0.75,
    }]
    assert said["checks"]["place"][0]["cause"] == "database"
    assert list(said["checks"]) == ["pages", "database", "place", "cache"]
    assert said["groups"] == {"orders": {"status": "warn", "good": 0, "members": 2, "at_least": None}}


@pytest.mark.parametrize(("statuses", "code"), [(["pass"], 200), (["pass", "warn"], 200), (["warn", "fail"], 503)])
@pytest.mark.parametrize("path", ["/health", "/health/ready", "/readyz", "/readyz?verbose"])
def test_pass_and_warn_are_200_and_fail_is_503_everywhere(statuses: list[str], code: int, path: str) -> None:
    health = Health()
    health.add(*(Check(f"c{number}", lambda said=status: Result(said)) for number, status in enumerate(statuses)))
    answer = get(health, path)
    assert answer.status == code
    assert dict(answer.headers)["Cache-Control"] == "no-store"


def test_kubernetes_paths_answer_as_kubernetes_does() -> None:
    health = shop()
    assert get(health, "/livez").body == b"ok"
    assert get(health, "/startupz").body == b"ok"
    assert get(health, "/readyz").body == b"ok"
    assert get(health, "/readyz?verbose").body.decode() == (
        "[+]pages ok\n[-]database failed: reason withheld (not critical)\n[-]place failed: reason withheld (not critical)\n"
        "[+]cache ok\nreadyz check passed\n")
    assert get(health, "/readyz?verbose&exclude=database&exclude=place&exclude=mail").body.decode() == (
        "[+]pages ok\n[+]database excluded: ok\n[+]place excluded: ok\n[+]cache ok\n"
        'warn: some health checks cannot be excluded: no matches for "mail"\nreadyz check passed\n')
    assert get(health, "/livez?verbose").body == b"[+]loop ok\nlivez check passed\n"


def test_a_failure_names_checks_only_to_who_asks_and_reasons_only_to_operators() -> None:
    health = Health()
    health.add(Check("database", lambda: Result("fail", "refused")), Check("pages", lambda: True))
    assert get(health, "/readyz").body == b"readyz check failed\n"
    assert get(health, "/readyz?verbose").body == b"[-]database failed: reason withheld\n[+]pages ok\nreadyz check failed\n"
    assert get(health, "/readyz", details=True).body == b"[-]database failed: refused\n[+]pages ok\nreadyz check failed\n"


def test_one_check_or_group_has_a_path_of_its_own() -> None:
    health = shop()
    assert get(health, "/readyz/pages").status == 200
    assert get(health, "/readyz/orders").status == 503, "by itself it depends on its checks"
    assert get(health, "/readyz/database").status == 503
    assert get(health, "/readyz/nobody").status == 404
    assert get(health, "/readyz/loop").status == 404, "that is liveness"
    health.check("migrated", kind="startup")(lambda: True)
    assert [get(health, "/startupz/migrated").body for _ in range(2)] == [b"ok"] * 2
    assert health.ask("startup").ok
    assert get(health, "/startupz/migrated").body == b"ok", "also when the latch is closed"
    assert get(health, "/ready/orders", paths={"/ready/orders": "orders"}).status == 503
    assert get(health, "/ready", paths={"/ready": "readiness"}).status == 200


def test_while_draining_readiness_says_why_to_operators_and_liveness_goes_on() -> None:
    health = shop()
    health.drain("SIGTERM")
    assert (get(health, "/readyz").status, get(health, "/livez").status) == (503, 200)
    for path in ("/readyz/pages", "/readyz?exclude=database&exclude=shutdown", "/health/ready", "/mine"):
        assert get(health, path, paths={"/mine": "pages"}).status == 503, "by whatever path a balancer asks"
    assert "[-]shutdown failed: draining: SIGTERM\n" in get(health, "/readyz", details=True).body.decode()
    assert json.loads(get(health, "/health", details=True).body)["notes"] == ["draining: SIGTERM"]


def test_text_is_for_people() -> None:
    clock = FakeClock()
    health = shop(clock)
    health.ask()
    clock.advance(0.5)
    plain = {"accept": "text/plain"}
    assert get(health, "/health", headers=plain).body == b"warn\n"
    assert get(health, "/health", headers=plain, details=True).body.decode().splitlines() == [
        "warn readiness of shop",
        "  pass  pages     0.5 s ago, for 0.5 s",
        "  fail  database  0.5 s ago, for 0.5 s, not critical: connection refused password=***",
        "  fail  place     0.5 s ago, for 0.5 s, not critical, because of database: no connection",
        "  warn  cache     0.5 s ago, for 0.5 s, not critical: 82 % used",
    ]


def test_details_are_for_who_knows_the_token() -> None:
    health, details = shop(), bearer(SECRET)
    assert get(health, "/health/metrics", details=details).status == 403
    assert get(health, "/health/metrics", headers={"authorization": f"Bearer {SECRET}"}, details=details).status == 200
    for headers in ({}, {"authorization": SECRET}, {"authorization": "Bearer wrong"}, {"authorization": f"Bearer {SECRET}é"}):
        assert get(health, "/health", headers=headers, details=details).body == b'{"status": "warn"}\n'
    assert b"serviceId" in get(health, "/health", headers={"authorization": f"Bearer {SECRET}"}, details=details).body
    with pytest.raises(ValueError, match="8 or more") as refused:
        bearer("short")
    assert "short" not in str(refused.value)


def test_other_methods_are_refused_and_other_paths_are_nobodys() -> None:
    answer = get(shop(), "/readyz", "POST")
    assert (answer.status, dict(answer.headers)["Allow"]) == (405, "GET, HEAD")
    for path in ("/", "/health/", "/healthz", "/readyzz", "/health/metrics/x"):
        assert get(shop(), path).status == 404
    assert get(shop(), "/health/metrics", metrics=False).status == 404
    assert get(shop(), "/internal/readyz", prefix="/internal").status == 200
    assert get(shop(), "/readyz", prefix="/internal").status == 404


@pytest.mark.parametrize("settings", [
    {"prefix": "x"}, {"prefix": "/x/"}, {"details": "yes"}, {"paths": {"ready": "readiness"}},
])
def test_wrong_settings_of_the_paths_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(settings))} "):
        Routes(shop(), **settings)


def test_a_path_for_a_check_that_there_is_not_is_an_error_and_not_a_page_that_is_missing() -> None:
    with pytest.raises(ValueError, match="only is 'ordrs'"):
        get(shop(), "/ready/orders", paths={"/ready/orders": "ordrs"})


def test_the_same_public_answer_is_not_written_twice() -> None:
    health = shop()
    routes = Routes(health)
    asked = routes.question("/readyz", "")
    assert asked is not None
    assert routes.answer(asked, routes.ask(asked), dict) is routes.answer(asked, routes.ask(asked), dict)


def test_prometheus_reads_the_metrics() -> None:
    parser = pytest.importorskip("prometheus_client.parser", reason="prometheus-client is not installed")
    clock = FakeClock()
    health = shop(clock)
    health.service = 'a "quoted\\ one\n'
    health.ask()
    clock.advance(0.25)
    answer = get(health, "/health/metrics")
    assert answer.kind == "text/plain; version=0.0.4; charset=utf-8"
    samples = {
        (sample.name, sample.labels.get("check") or sample.labels.get("kind", ""), sample.labels.get("status", "")): sample
        for family in parser.text_string_to_metric_families(answer.body.decode()) for sample in family.samples
    }
    assert {sample.labels["service"] for sample in samples.values()} == {'a "quoted\\ one\n'}
    value = {key: sample.value for key, sample in samples.items()}
    assert value["holdfast_health_status", "readiness", "warn"] == 1
    assert value["holdfast_health_status", "liveness", "pass"] == 1
    assert value["holdfast_health_check_status", "database", "fail"] == 1
    assert value["holdfast_health_check_status", "database", "pass"] == 0
    assert value["holdfast_health_check_cause", "database", ""] == 1
    assert value["holdfast_health_check_cause", "place", ""] == 0
    assert value["holdfast_health_check_age_seconds", "database", ""] == 0.25
    assert value["holdfast_health_check_value", "cache", ""] == 82
    assert value["holdfast_health_check_runs_total", "database", ""] == 1
    assert value["holdfast_health_check_failures_total", "database", ""] == 1
    assert value["holdfast_health_draining", "", ""] == 0
    assert b"password" not in answer.body

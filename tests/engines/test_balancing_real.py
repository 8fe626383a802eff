"""What was asked for is what clients of the real programs see."""

import os
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import BALANCERS, PRODUCTION, balanced
from running import running

from holdfast.engines import keepalived
from holdfast.topology.model import Tier, Uses

pytestmark = pytest.mark.real
every = pytest.mark.parametrize("engine", BALANCERS)


@every
def test_a_server_of_three_times_the_weight_gets_three_of_five_requests(tmp_path: Path, engine: str):
    with running(engine, tmp_path, strategy="round_robin", weights={"web1": 3}) as service:
        found = service.asked(50)
    assert sum(found.values()) == sum(found[name] for name in ("web1", "web2", "web3")) == 50
    assert 27 <= found["web1"] <= 33


@every
def test_requests_that_are_alike_meet_the_same_server_and_others_spread(tmp_path: Path, engine: str):
    with running(engine, tmp_path, strategy="consistent_hash", hash_on="header X-Tenant") as service:
        tenants = [service.asked(3, X_Tenant=f"tenant-{number}") for number in range(30)]
    assert all(len(found) == 1 for found in tenants)
    assert {name for found in tenants for name in found} == {"web1", "web2", "web3"}


@every
def test_a_client_that_asks_too_often_is_told_429_and_the_servers_see_none_of_it(tmp_path: Path, engine: str):
    with running(engine, tmp_path, rate_limit={"requests": 40, "per": "1m"}) as service:
        # Whether it is ready was asked in the same minute.
        found = service.asked(60)
    assert 10 <= found["status 429"] <= 35
    assert found["status 429"] + sum(found[name] for name in ("web1", "web2", "web3")) == 60
    assert service.hits("GET") == 60 - found["status 429"]


@pytest.mark.parametrize("engine", ["haproxy", "envoy"])
def test_a_visitor_with_a_cookie_stays_with_the_server_until_it_dies_and_is_then_served_by_another(
    tmp_path: Path, engine: str
):
    with running(engine, tmp_path, sessions={"by": "cookie", "cookie": "SHOP"}) as service:
        (first,) = service.asked(10)
        assert "SHOP" in service.cookies
        service.servers[first].stop()
        after = service.asked(10)
    assert first not in after
    assert len(after.keys() - {first}) == 1, "once redirected, the visitor stays again"
    assert not any(name.startswith("status") for name in after)


@every
def test_a_visitor_known_by_the_address_stays_with_one_server(tmp_path: Path, engine: str):
    with running(engine, tmp_path, sessions={"by": "source"}) as service:
        assert len(service.asked(20)) == 1


@pytest.mark.parametrize(("engine", "by"), [
    ("nginx", "source"), ("haproxy", "source"), ("envoy", "source"), ("haproxy", "cookie"), ("envoy", "cookie"),
])
def test_when_the_balancer_dies_the_next_one_sends_the_visitor_to_the_same_server(tmp_path: Path, engine: str, by: str):
    def visits(service, order) -> dict[int, list[str]]:
        found = {}
        for service.visitor in order:
            service.cookies = cookies[service.visitor]
            found[service.visitor] = list(service.asked(3))
        return found

    cookies = [{} for _ in range(6)]
    with running(engine, tmp_path, balancers=2, sessions={"by": by}) as service:
        before = visits(service, range(6))
        if (engine, by) == ("haproxy", "source"):
            service.wait_until_told()
        service.kill_the_balancer()
        # In another order, or a balancer that knows nobody would deal out the servers as the first one did.
        after = visits(service, (4, 5, 0, 3, 1, 2))
    assert {len(servers) for servers in before.values()} == {1}
    assert after == before


@every
def test_servers_killed_and_started_one_after_the_other_cost_no_visitor_an_answer(tmp_path: Path, engine: str):
    with running(engine, tmp_path, retry_after="300ms") as service, service.asked_all_the_while() as seen:
        for name in ("web1", "web2", "web3"):
            service.restart(name, gone_s=0.4)
            time.sleep(0.3)
    assert len(seen) > 30
    assert {status for status, _ in seen} == {200}


@every
def test_a_server_that_hangs_costs_no_visitor_an_answer_and_none_waits_for_it(tmp_path: Path, engine: str):
    with running(engine, tmp_path, retry_after="200ms") as service, service.asked_all_the_while() as seen:
        service.servers["web2"].status = "hang"
        time.sleep(1.5)
        service.servers["web2"].status = "200"
    assert {status for status, _ in seen} == {200}
    assert max(took_s for _, took_s in seen) < 2, "it hangs for 4 s"


@pytest.mark.parametrize(("engine", "told"), [("nginx", signal.SIGHUP), ("haproxy", signal.SIGUSR2)])
def test_a_reload_under_load_costs_no_visitor_an_answer(tmp_path: Path, engine: str, told: int):
    with running(engine, tmp_path) as service, service.asked_all_the_while() as seen:
        for _ in range(3):
            os.kill(service.balancers[0].pid, told)
            time.sleep(0.5)
    assert len(seen) > 30
    assert {status for status, _ in seen} == {200}


@every
def test_a_backup_waits_until_no_other_can_serve(tmp_path: Path, engine: str):
    with running(engine, tmp_path, backups=["web3"]) as service:
        assert set(service.asked(30)) == {"web1", "web2"}
        service.servers["web1"].stop()
        service.servers["web2"].stop()
        assert service.ask()[0] in (200, 503), "it may take a check until both are known to be gone"
        time.sleep(1.2)
        assert service.asked(10) == {"web3": 10}


@every
def test_a_get_is_asked_again_elsewhere_and_a_post_never(tmp_path: Path, engine: str):
    with running(engine, tmp_path) as service:
        service.servers["web1"].status = service.servers["web2"].status = "hang up"
        assert service.asked(12) == {"web3": 12}
        for server in service.servers.values():
            server.status = "hang up"
            server.seen.clear()
        for _ in range(4):
            assert service.ask(method="POST")[0] in (0, 502, 503)
        assert service.hits("POST") <= 4


@every
def test_a_server_that_answers_500_while_its_check_says_yes_is_left_alone(tmp_path: Path, engine: str):
    with running(engine, tmp_path, Uses(ejection={"failures": 3, "for": "5s"})) as service:
        service.servers["web1"].status = "500"
        service.asked(40)
        time.sleep(0.5)
        service.servers["web1"].seen.clear()
        found = service.asked(40)
    assert found["status 500"] == 0
    assert service.servers["web1"].seen["GET"] <= 1
    assert found["web2"] + found["web3"] == 40


@every
def test_a_host_that_is_slow_costs_a_visitor_no_more_than_retry_after(tmp_path: Path, engine: str):
    with running(engine, tmp_path, retry_after="200ms") as service:
        service.servers["web1"].status = "slow"
        took = []
        for _ in range(12):
            began_s = time.monotonic()
            assert service.ask()[0] == 200
            took.append(time.monotonic() - began_s)
    assert max(took) < 0.55, "a slow server takes 0.6 s"


@pytest.mark.parametrize(("engine", "uses", "balance"), [
    ("nginx", None, {}),
    ("haproxy", Uses(max_pending=2), {"queue_timeout": "150ms"}),
    ("envoy", Uses(max_pending=2), {}),
])
def test_when_all_servers_are_busy_the_rest_is_refused_at_once_and_those_let_in_are_served(
    tmp_path: Path, engine: str, uses: Uses | None, balance: dict[str, object]
):
    def timed(_: int) -> tuple[int, float]:
        began_s = time.monotonic()
        return service.ask()[0], time.monotonic() - began_s

    with running(engine, tmp_path, uses, server_connections=2, retry_after="3s", **balance) as service:
        for server in service.servers.values():
            server.status = "slow"
        with ThreadPoolExecutor(40) as visitors:
            found = list(visitors.map(timed, range(40)))
        assert service.ask("/ready")[0] == 200
    good = [took_s for status, took_s in found if status == 200]
    refused = [took_s for status, took_s in found if status in (502, 503)]
    assert len(good) + len(refused) == 40
    assert len(good) >= 6, "three servers, two at a time"
    assert len(refused) >= 15, "a queue without a bound would take all of them"
    assert sorted(refused)[len(refused) // 2] < 0.5, "the answer of a slow server takes 0.6 s"


@every
def test_an_upgraded_connection_may_be_silent_for_longer_than_a_get(tmp_path: Path, engine: str):
    with running(engine, tmp_path, websocket=True, retry_after="200ms") as service, socket.create_connection(
        (service.address, service.port), 5
    ) as wire:
        lines = ("GET /chat HTTP/1.1", "Host: web", "Connection: Upgrade", "Upgrade: websocket",
                 "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "", "")
        wire.sendall("\r\n".join(lines).encode())
        assert b"101" in wire.recv(4096)
        time.sleep(0.5)
        wire.sendall(b"anybody there?\n")
        assert wire.recv(4096) == b"anybody there?\n"


@every
def test_the_script_that_moves_the_virtual_ip_says_yes_of_a_balancer_that_lives_and_no_of_one_that_died(
    tmp_path: Path, engine: str
):
    whole = balanced(engine)
    vip = Tier(engine="keepalived", replicas=2, on="entry", settings=keepalived.Settings())
    whole = replace(whole, tiers={**whole.tiers, "entry-vip": vip})
    script = keepalived.files(whole.instances_of("entry-vip")[0], whole, PRODUCTION)[keepalived.CHECK].text

    def said(address: str) -> int:
        # Here all hosts share one network, so the balancer's own address stands in for its loopback.
        return subprocess.run(["bash", "-c", script.replace("127.0.0.1", address)], capture_output=True, timeout=5).returncode

    with running(engine, tmp_path, balancers=2) as service:
        assert said(service.address) == 0
        dead = service.address
        service.kill_the_balancer()
        assert said(dead) != 0


@pytest.mark.parametrize("engine", ["nginx", "envoy"])
def test_the_only_server_of_the_own_zone_may_hang_and_no_visitor_waits_for_it(tmp_path: Path, engine: str):
    with running(engine, tmp_path, prefer_zone=True, retry_after="200ms") as service:
        assert service.asked(5) == {"web1": 5}
        service.servers["web1"].status = "hang"
        found = service.asked(6)
    assert found["web2"] + found["web3"] == 6, found


@pytest.mark.parametrize("engine", ["haproxy", "envoy"])
def test_servers_that_were_all_left_alone_are_asked_all_the_same_and_serve_again_as_soon_as_they_can(tmp_path: Path, engine: str):
    with running(engine, tmp_path, Uses(ejection={"failures": 2, "for": "60s"})) as service:
        for server in service.servers.values():
            server.status = "500"
        assert service.asked(60)["status 500"] > 6
        for server in service.servers.values():
            server.status = "200"
        time.sleep(0.5)
        found = service.asked(20)
    assert found["web1"] + found["web2"] + found["web3"] == 20

"""Seats in etcd: request by request in memory, against servers that misbehave, and against a real one."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from election_stores import free_port, unverified
from pretend_etcd import PretendEtcd

from holdfast.runtime import HoldLost, Leader, NotAcquired, Semaphore, StoreRefused, Unreachable
from holdfast.runtime.election_etcd import Etcd, EtcdSeats, encoded, held
from holdfast.runtime.election_http import Answered, Gateway
from holdfast.runtime.election_race import drive
from holdfast.runtime.election_store import Gone
from holdfast.runtime.testing import FakeClock

# --- request by request


class Lossy:
    """The in-memory etcd; the answer to the next request of this path is lost, though it was done."""

    def __init__(self, etcd: PretendEtcd):
        self.etcd, self.lose = etcd, ""

    def post(self, path: str, body: dict[str, Any], *, limit_s: float) -> dict[str, Any]:
        answer = self.etcd.post(path, body)
        if path == self.lose:
            self.lose = ""
            raise Unreachable("the answer was lost")
        return answer


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def lossy(clock: FakeClock) -> Lossy:
    return Lossy(PretendEtcd(clock))


def go(steps: Any) -> Any:
    return drive(steps, lambda seconds: None)


def test_a_seat_that_a_lost_answer_gave_is_found_again_and_its_lease_begins_anew(lossy: Lossy, clock: FakeClock) -> None:
    seats = EtcdSeats(lossy, "a", 1)
    lossy.lose = "/v3/kv/txn"
    with pytest.raises(Unreachable):
        go(seats.take("me", 5.0, limit_s=1))
    clock.advance(4.0)

    taken = go(seats.take("me", 5.0, limit_s=1))

    assert taken.token == lossy.etcd.revision
    clock.advance(4.9)  # the holder counts 5 s from the second try, so the lease must last as long
    go(seats.renew(limit_s=1))


def test_a_lease_that_ran_out_before_its_seat_was_found_is_no_seat(lossy: Lossy, clock: FakeClock) -> None:
    seats = EtcdSeats(lossy, "a", 1)
    lossy.lose = "/v3/kv/txn"
    with pytest.raises(Unreachable):
        go(seats.take("me", 5.0, limit_s=1))
    clock.advance(6.0)
    other = go(EtcdSeats(lossy, "a", 1).take("other", 5.0, limit_s=1))

    assert go(seats.take("me", 5.0, limit_s=1)) is None
    assert other.token > 2


def test_whoever_was_too_late_leaves_no_lease_behind(lossy: Lossy) -> None:
    go(EtcdSeats(lossy, "a", 1).take("one", 5.0, limit_s=1))

    assert go(EtcdSeats(lossy, "a", 1).take("two", 5.0, limit_s=1)) is None
    assert len(lossy.etcd.leases) == 1


def test_a_lease_that_ran_out_on_the_way_leaves_no_key_that_nothing_ends(lossy: Lossy, clock: FakeClock) -> None:
    post = lossy.post

    def frozen_after_the_grant(path: str, body: dict[str, Any], *, limit_s: float) -> dict[str, Any]:
        answer = post(path, body, limit_s=limit_s)
        if path == "/v3/lease/grant":
            clock.advance(6.0)
        return answer

    seats = EtcdSeats(lossy, "a", 3)
    lossy.post = frozen_after_the_grant  # type: ignore[method-assign]
    assert go(seats.take("me", 5.0, limit_s=1)) is None
    assert lossy.etcd.keys == {}

    lossy.post = post  # type: ignore[method-assign]
    assert go(seats.take("me", 5.0, limit_s=1)).seat == 0


def test_a_claim_that_arrives_when_its_seat_is_free_again_takes_no_second_seat_for_whoever_sent_it(clock: FakeClock) -> None:
    etcd = PretendEtcd(clock)
    first, second = EtcdSeats(etcd, "a", 2), Doubling(etcd)
    assert go(first.take("first", 5.0, limit_s=1)).seat == 0
    second.blind = True  # it looked before the first one had claimed
    assert go(EtcdSeats(second, "a", 2).take("second", 5.0, limit_s=1)).seat == 1
    go(first.leave(limit_s=1))
    second.again()
    assert [kv["value"] for kv in etcd.keys.values()] == [encoded("second")]


class Doubling:
    """Its first look finds nobody, and its first claim can be applied again, as by a retry that was long on its way."""

    def __init__(self, etcd: PretendEtcd):
        self.etcd, self.blind = etcd, False
        self.claims: list[dict[str, Any]] = []

    def post(self, path: str, body: dict[str, Any], *, limit_s: float) -> dict[str, Any]:
        if path == "/v3/kv/txn":
            self.claims.append(body)
        answer = self.etcd.post(path, body)
        if path == "/v3/kv/range" and self.blind:
            self.blind = False
            answer.pop("kvs", None)
        return answer

    def again(self) -> None:
        with pytest.raises(Answered, match="lease not found"):
            self.etcd.post("/v3/kv/txn", self.claims[0])


def test_a_renewal_of_what_is_gone_says_so(lossy: Lossy, clock: FakeClock) -> None:
    seats = EtcdSeats(lossy, "a", 1)
    go(seats.take("me", 5.0, limit_s=1))
    clock.advance(6.0)

    with pytest.raises(Gone, match="run out"):
        go(seats.renew(limit_s=1))


# --- servers that misbehave


Answer = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture
def server() -> Iterator[Callable[[Answer], str]]:
    servers = []

    def serve(answer: Answer) -> str:
        class Pages(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                answer(self)

            def log_message(self, *_: object) -> None: ...

        made = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
        made.daemon_threads = True
        threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(made)
        return f"http://127.0.0.1:{made.server_address[1]}"

    yield serve
    for made in servers:
        made.shutdown()
        made.server_close()


def says(status: int, body: str) -> Answer:
    def answer(page: BaseHTTPRequestHandler) -> None:
        page.wfile.write(f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())

    return answer


def ask(*endpoints: str, limit_s: float = 3.0, attempt_s: float = 0.3, **more: Any) -> dict[str, Any]:
    return Gateway(endpoints, attempt_s=attempt_s, **more).post("/v3/kv/range", {}, limit_s=limit_s)


FINE = '{"header": {"revision": "7"}}'


def silent() -> tuple[socket.socket, str]:
    """Accepts, and never answers, as a frozen member."""
    listening = socket.create_server(("127.0.0.1", 0))
    return listening, f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_the_next_member_is_asked_when_one_is_dead_frozen_ill_or_no_etcd(server: Callable[[Answer], str]) -> None:
    listening, frozen = silent()
    dead = f"http://127.0.0.1:{free_port()}"
    leaderless = server(says(503, '{"error": "etcdserver: no leader", "code": 14}'))
    alien = server(says(404, "not found"))

    with listening:
        assert ask(dead, frozen, leaderless, alien, server(says(200, FINE)))["header"]["revision"] == "7"


def test_the_member_that_answered_last_is_asked_first(server: Callable[[Answer], str]) -> None:
    listening, frozen = silent()
    with listening:
        gateway = Gateway([frozen, server(says(200, FINE))], attempt_s=0.5)
        gateway.post("/v3/kv/range", {}, limit_s=3)
        began_s = time.monotonic()
        for _ in range(10):
            gateway.post("/v3/kv/range", {}, limit_s=3)
        assert time.monotonic() - began_s < 5.0, "ten times the frozen one would be 5 s"


def test_members_that_are_all_slow_are_given_more_time_by_and_by(server: Callable[[Answer], str]) -> None:
    def late(page: BaseHTTPRequestHandler) -> None:
        time.sleep(0.5)
        try:
            says(200, FINE)(page)
        except OSError:
            pass

    gateway, refused = Gateway([server(late)], attempt_s=0.1), 0
    for _ in range(5):
        try:
            assert gateway.post("/v3/kv/range", {}, limit_s=5)["header"]["revision"] == "7"
            break
        except Unreachable:
            refused += 1
    assert 1 <= refused < 5, "0.1, 0.2 and 0.4 s are too short, 0.8 s is not"


def test_without_quorum_every_member_s_word_is_told(server: Callable[[Answer], str]) -> None:
    late = server(says(504, '{"error": "etcdserver: request timed out", "code": 14}'))
    dead = f"http://127.0.0.1:{free_port()}"

    with pytest.raises(Unreachable) as refused:
        ask(late, dead)

    assert "etcdserver: request timed out" in str(refused.value)
    assert dead in str(refused.value)


def test_an_answer_in_drops_does_not_outlive_the_limit(server: Callable[[Answer], str]) -> None:
    def drip(page: BaseHTTPRequestHandler) -> None:
        try:
            for byte in b"HTTP/1.1 200 x\r\nContent-Length: 100000\r\n\r\n" + b"x" * 200:
                page.wfile.write(bytes([byte]))
                time.sleep(0.1)
        except OSError:
            pass

    began_s = time.monotonic()
    with pytest.raises(Unreachable):
        ask(server(drip), attempt_s=0.5)
    assert time.monotonic() - began_s < 10, "the whole would take 24 s"


@pytest.mark.parametrize(("revision", "soon"), [(8, [True, False, True, False]), (7, [False, False])])
def test_what_changed_between_the_look_and_the_watch_is_looked_at_at_once_and_not_in_circles(
    server: Callable[[Answer], str], revision: int, soon: list[bool],
) -> None:
    def watched(page: BaseHTTPRequestHandler) -> None:
        line = json.dumps({"result": {"header": {"revision": str(revision)}, "created": True}}) + "\n"
        page.wfile.write(f"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n{len(line):x}\r\n{line}\r\n".encode())
        time.sleep(0.5)

    gateway = Gateway([server(watched)], attempt_s=0.3)
    took_s = []
    for _ in soon:
        began_s = time.monotonic()
        gateway.change({"start_revision": "8"}, limit_s=0.4)
        took_s.append(time.monotonic() - began_s)
    assert [seconds < 0.3 for seconds in took_s] == soon


def test_what_is_no_etcd_at_all_is_an_error_at_once(server: Callable[[Answer], str]) -> None:
    alien = server(says(404, "404 page not found"))

    with pytest.raises(StoreRefused, match="enable-grpc-gateway"), Leader("billing", etcd=[alien]):
        pass


def test_etcd_s_own_refusal_is_final(server: Callable[[Answer], str]) -> None:
    with pytest.raises(Answered, match="permission denied") as refused:
        ask(server(says(403, '{"error": "etcdserver: permission denied", "code": 7}')))
    assert refused.value.code == 7


def test_a_token_that_has_run_out_is_asked_for_again(server: Callable[[Answer], str]) -> None:
    given: list[str] = []

    def answer(page: BaseHTTPRequestHandler) -> None:
        if page.path == "/v3/auth/authenticate":
            given.append(f"token-{len(given)}")
            says(200, json.dumps({"token": given[-1]}))(page)
        elif page.headers["Authorization"] == "token-1":
            says(200, FINE)(page)
        else:
            says(401, '{"error": "etcdserver: invalid auth token", "code": 16}')(page)

    assert ask(server(answer), user="shop", password="s")["header"]["revision"] == "7"
    assert given == ["token-0", "token-1"]


def test_nobody_leads_when_no_member_answers() -> None:
    nobody = Leader("billing", etcd=[f"http://127.0.0.1:{free_port()}"], ttl_s=2)

    with pytest.raises(NotAcquired, match="Connection refused") as refused, nobody.hold(0.5):
        pass
    assert refused.value.state == "unreachable"


# --- the real one


@pytest.mark.real
def test_a_real_etcd_elects_fences_and_hands_over(etcd: str) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    first, second = (Leader("real", etcd=[dead, etcd], ttl_s=2, who=who) for who in "ab")
    began: list[float] = []

    def wait() -> None:
        with second as later:
            began.append(time.monotonic())
            assert later.token > term.token

    with first as term:
        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(2.5)
        term.check()
        assert [(seat.who, seat.token) for seat in first.holders()] == [("a", term.token)]
        assert began == []
    ended_s = time.monotonic()
    thread.join(10)
    assert began[0] - ended_s < 0.8, "told by the watch, before its next look after a second"


@pytest.mark.real
def test_a_write_in_etcd_can_check_the_term_itself(etcd: str) -> None:
    gateway = Etcd([etcd]).gateway(1.0)

    def write(value: str, token: int) -> bool:
        put = {"request_put": {"key": encoded("total"), "value": encoded(value)}}
        body = {"compare": [held("guard", 0, token)], "success": [put]}
        return bool(gateway.post("/v3/kv/txn", body, limit_s=5).get("succeeded"))

    with Leader("guard", etcd=[etcd], ttl_s=2) as term:
        assert write("10", term.token)
    with Leader("guard", etcd=[etcd], ttl_s=2):
        assert not write("99", term.token)


@pytest.mark.real
def test_a_deleted_key_deposes_and_a_semaphore_has_its_seats(etcd: str) -> None:
    gateway = Etcd([etcd]).gateway(1.0)
    permits = Semaphore("slots", 2, etcd=[etcd], ttl_s=2)

    with pytest.raises(HoldLost, match="deleted"), permits.hold() as one:  # noqa: PT012
        with permits.hold() as other, pytest.raises(NotAcquired), permits.hold(0.3):
            assert {one.seat, other.seat} == {0, 1}
        gateway.post("/v3/kv/deleterange", {"key": encoded(f"/holdfast/seats/slots/{one.seat}")}, limit_s=5)
        until_s = time.monotonic() + 10
        while one.may_act() and time.monotonic() < until_s:
            time.sleep(0.02)


@pytest.mark.real
def test_with_tls_and_users_only_those_who_may_can_lead(etcd_tls: str) -> None:
    root = Etcd([etcd_tls], tls=unverified()).gateway(5.0)
    for path, body in (
        ("user/add", {"name": "root", "password": "secret"}), ("user/grant", {"user": "root", "role": "root"}), ("enable", {}),
    ):  # fmt: skip
        root.post(f"/v3/auth/{path}", body, limit_s=10)

    with Leader("guarded", etcd=Etcd([etcd_tls], user="root", password="secret", tls=unverified()), ttl_s=2) as term:
        time.sleep(1.0)
        term.check()
    for store in (
        Etcd([etcd_tls], tls=unverified()), Etcd([etcd_tls], user="root", password="wrong", tls=unverified()),
    ):  # fmt: skip
        with pytest.raises(StoreRefused), Leader("guarded", etcd=store, ttl_s=2):
            pass
    with pytest.raises(NotAcquired, match="certificate") as refused, Leader("guarded", etcd=[etcd_tls], ttl_s=2).hold(1.0):
        pass
    assert refused.value.state == "unreachable"

"""`holdfast watch` as a person and as a program meets it, over real sockets."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import HTTPError

import pytest
from small_targets import nobody

from holdfast.cli import main
from holdfast.cli.arguments import parsed
from holdfast.cli.watch import _what

LIMIT_S = 20.0


class Service(ThreadingHTTPServer):
    status = 200


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    server = Service(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def url(server: Service) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/ready"


def fetched(at: str) -> tuple[int, bytes, dict[str, str]]:
    try:
        with urllib.request.urlopen(at, timeout=5) as answer:
            return answer.status, answer.read(), dict(answer.headers)
    except HTTPError as error:
        return error.code, error.read(), dict(error.headers)


@pytest.mark.parametrize(("status", "code", "word"), [(200, 0, "pass"), (503, 1, "fail")])
def test_once_tells_how_everything_stands_and_ends_with_its_code(service, capsys, status, code, word):
    service.status = status
    assert main(["watch", "--once", "--json", f"shop={url(service)}"]) == code
    told = json.loads(capsys.readouterr().out)
    assert (told["status"], told["groups"][0]["members"][0]["name"]) == (word, "shop")


def test_what_is_down_is_named_with_the_reason(service, capsys):
    assert main(["watch", "--once", f"shop={url(service)}", f"gone=tcp://127.0.0.1:{nobody()}"]) == 1
    out = capsys.readouterr().out
    assert "urls  fail: urls: 1 of 2 up, 2 needed: gone is down (ECONNREFUSED)" in out


def test_fewer_may_be_enough(service, capsys):
    assert main(["watch", "--once", "--need", "urls=1", f"shop={url(service)}", f"gone=tcp://127.0.0.1:{nobody()}"]) == 0
    assert "urls  warn" in capsys.readouterr().out


@pytest.mark.parametrize(("words", "told"), [
    (["ftp://x/"], "'ftp://x/' is not an address that can be watched"),
    (["http://x/", "examples/shop"], "one topology, or addresses"),
    (["--every", "5", "http://x/"], "has no unit"),
    (["--every", "1ms", "http://x/"], "more than 20 questions a second"),
    (["--need", "web=2", "http://x/"], "'web=2' cannot be understood"),
    (["--weight", "x=-1", "x=http://x/"], "'x=-1' cannot be understood"),
    (["--listen", "somewhere", "http://x/"], "is not where one could listen"),
])
def test_a_mistake_is_told_with_its_remedy(words, told, capsys):
    assert main(["watch", *words]) == 2
    assert told in capsys.readouterr().err


@pytest.fixture
def watching(service: Service) -> Iterator[tuple[str, Service, subprocess.Popen[str]]]:
    """The real command; where its page is, what it watches, and the process."""
    source = str(Path(__file__).parents[2] / "src")
    command = [sys.executable, "-m", "holdfast", "watch", "--listen", "127.0.0.1:0", "--every", "100ms", f"shop={url(service)}"]
    environment = {**os.environ, "PYTHONPATH": source}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stderr
    line = process.stderr.readline()
    yield line.split("; ")[1].split()[0], service, process
    process.kill()
    process.communicate()


def until(at: str, status: str) -> dict[str, object]:
    until_s = time.monotonic() + LIMIT_S
    while time.monotonic() < until_s:
        told: dict[str, object] = json.loads(fetched(f"{at}status")[1])
        if told["status"] == status:
            return told
        time.sleep(0.05)
    raise AssertionError(f"never {status}: {told}")


def test_the_status_follows_the_service_there_and_back(watching):
    at, service, process = watching
    until(at, "pass")
    assert fetched(f"{at}health")[0] == 200
    service.status = 500
    assert until(at, "fail")["why"] == "urls: 0 of 1 up, 1 needed: shop does not serve (status 500)"
    code, body, headers = fetched(f"{at}health")
    assert (code, headers["Content-Type"], headers["Cache-Control"]) == (503, "application/health+json", "no-store")
    assert json.loads(body)["status"] == "fail"
    service.status = 200
    until(at, "pass")
    assert b'holdfast_watch_member_up{service="urls",group="urls",member="shop",role=""} 1' in fetched(f"{at}metrics")[1]
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0
    failed = "urls fail: urls: 0 of 1 up, 1 needed: shop does not serve (status 500)"
    assert out.splitlines() == ["urls pass", failed, "urls pass"]


def test_events_come_as_they_happen(watching):
    at, service, _ = watching
    until(at, "pass")
    with urllib.request.urlopen(f"{at}events", timeout=LIMIT_S) as events:
        assert events.headers["Content-Type"] == "text/event-stream"
        service.status = 500
        for line in events:
            if line.startswith(b"data: ") and json.loads(line[6:])["status"] == "fail":
                break


@pytest.mark.parametrize(("sent", "answered"), [
    (b"POST / HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 405"),
    (b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", b"HTTP/1.1 404"),
    (b"HEAD / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", b"HTTP/1.1 200"), (b"\x16\x03\x01 hello\r\n\r\n", b""),
    (b"GET " + b"x" * 40_000, b""), (b"GET /status HTTP/1.1\r\nHost: evil.example:8500\r\n\r\n", b"HTTP/1.1 421"),
    (b"HEAD /status HTTP/1.1\r\nHost: 127.0.0.1.evil.example\r\n\r\n", b"HTTP/1.1 421"),
])
def test_strange_questions_are_answered_or_hung_up_and_the_next_is_served(watching, sent, answered):
    at, _, _ = watching
    host, port = at.removeprefix("http://").rstrip("/").split(":")
    with socket.create_connection((host, int(port)), 10) as wire:
        wire.sendall(sent)
        got = b""
        try:
            while data := wire.recv(65536):
                got += data
        except ConnectionError:
            pass
    assert got.startswith(answered)
    assert fetched(at)[0] == 200


SECRET = "http://watcher:hush@127.0.0.1:{port}/ready?token=hush"


def test_no_form_of_the_verdict_tells_a_password(service, capsys):
    at = SECRET.format(port=service.server_address[1])
    for form in ([], ["--json"]):
        assert main(["watch", "--once", *form, at]) == 0
        told = capsys.readouterr()
        assert "hush" not in told.out + told.err
        assert "127.0.0.1" in told.out
    for wrong in (f"{at} ftp://watcher:hush@x/", "http://watcher:hush@x:99999/", "examples/shop http://watcher:hush@x/"):
        assert main(["watch", *wrong.split()]) == 2
        assert "hush" not in capsys.readouterr().err


@pytest.mark.parametrize(("words", "told"), [
    (["--need", "urls=3", "a=tcp://x:1", "b=tcp://y:1"], "urls could never be healthy"),
    (["--weight", "a=0", "a=tcp://x:1"], "urls could never be healthy"),
    (["--every", "c=5s", "a=tcp://x:1"], "nothing that is watched is called 'c'"),
    (["--every", "a=never", "a=tcp://x:1"], "--every"),
    (["http://x y/"], "a blank in the host"),
    (["http://x:0/"], "port 0"),
])
def test_what_could_never_work_is_refused(words, told, capsys):
    assert main(["watch", "--once", *words]) == 2
    assert told in capsys.readouterr().err


def test_all_addresses_are_needed_whatever_they_weigh(service, capsys):
    assert main(["watch", "--once", "--weight", "shop=3", f"shop={url(service)}", f"gone=tcp://127.0.0.1:{nobody()}"]) == 1
    assert "3 of 4 up, 4 needed" in capsys.readouterr().out


def test_tiers_instances_and_addresses_have_beats_of_their_own():
    words = ["--every", "2s", "--every", "db=5s", "--every", "db1/patroni=500ms", "--timeout", "etcd=3s", "examples/classic"]
    _, targets, _ = _what(parsed(["watch", *words]))
    beats = {target.member: (target.every_s, target.timeout_s) for target in targets}
    assert (beats["db1/patroni"], beats["db2/patroni"], beats["web1/command"]) == ((0.5, 1.0), (5.0, 1.0), (2.0, 1.0))
    assert {beat for member, beat in beats.items() if member.endswith("/etcd")} == {(2.0, 3.0)}

"""The page in a real browser: it shows what is, and follows what changes, without being loaded again."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from test_watch_command import LIMIT_S, service, until, watching  # noqa: F401 - fixtures

BROWSER = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), "")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)


@pytest.fixture(scope="module")
def browser() -> str:
    if not BROWSER:
        pytest.skip("chromium is not installed")
    return BROWSER


class Between(ThreadingHTTPServer):
    """Passes the page on, with one picture more in it: a browser that dumps a page does so when everything is loaded, and the
    picture comes when the test says so.  `shown` are the statuses that the browser was told.
    """

    def __init__(self, at: str):
        super().__init__(("127.0.0.1", 0), _Between)
        self.at, self.over, self.shown, self.mute = at, threading.Event(), [], threading.Event()

    daemon_threads = True


class _Between(BaseHTTPRequestHandler):
    server: Between

    def do_GET(self) -> None:
        if self.path == "/picture":
            self.server.over.wait(LIMIT_S)
            self.send_error(404)
            return
        with suppress(OSError), urllib.request.urlopen(self.server.at.rstrip("/") + self.path, timeout=LIMIT_S) as answer:
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            if policy := answer.headers["Content-Security-Policy"]:
                self.send_header("Content-Security-Policy", f"{policy}; img-src 'self'")
            self.end_headers()
            if self.path != "/events":
                self.wfile.write(answer.read().replace(b"</body>", b'<img src="picture"></body>'))
                return
            for line in answer:
                if self.server.mute.is_set():
                    self.server.over.wait(LIMIT_S)
                    return
                self.wfile.write(line)
                self.wfile.flush()
                if line.startswith(b"data: "):
                    self.server.shown.append(json.loads(line[6:])["status"])

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def opened(browser: str, at: str) -> Iterator[tuple[Between, Callable[[], str]]]:
    """The page, open; calling the second ends it and gives the document as it stood."""
    with tempfile.TemporaryDirectory() as folder, Between(at) as between:
        threading.Thread(target=between.serve_forever, daemon=True).start()
        command = [browser, *FLAGS, f"--user-data-dir={folder}/new", "--timeout=60000", "--dump-dom",
                   f"http://127.0.0.1:{between.server_address[1]}/"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True)

        def document() -> str:
            between.over.set()
            return process.communicate(timeout=60)[0]

        try:
            yield between, document
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            between.over.set()
            between.shutdown()


def told(between: Between, status: str) -> None:
    until_s = time.monotonic() + LIMIT_S
    while status not in between.shown:
        assert time.monotonic() < until_s, f"the browser was told {between.shown}"
        time.sleep(0.05)
    time.sleep(0.5)  # until it has drawn it


@pytest.mark.real
def test_the_page_follows_a_change_while_it_is_open(browser, watching):  # noqa: F811
    at, served, _ = watching
    until(at, "pass")
    with opened(browser, at) as (between, document):
        told(between, "pass")
        served.status = 500
        told(between, "fail")
        text = document()
    assert '<span class="pill fail" id="status" role="status">fail</span>' in text
    assert "urls: 0 of 1 up, 1 needed: shop does not serve (status 500)" in text
    assert '<i class="no">' in text
    assert '<i class="yes">' in text
    assert between.shown[0] == "pass"


@pytest.mark.real
def test_a_page_without_news_says_so(browser, watching):  # noqa: F811
    at, _, _ = watching
    until(at, "pass")
    with opened(browser, at) as (between, document):
        told(between, "pass")
        between.mute.set()
        time.sleep(8.0)
        text = document()
    assert 'class="panel shown" id="stale"' in text
    assert '<span class="pill pass" id="status" role="status">pass</span>' in text

"""Real stores for the tests of elections, where they are installed."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from real_postgres import fresh_postgres, programs

REQUIRED = os.environ.get("HOLDFAST_REQUIRE_ENGINES") == "1"


def missing(reason: str) -> None:
    if REQUIRED:
        pytest.fail(reason)
    pytest.skip(reason)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture(scope="session")
def etcd() -> Iterator[str]:
    """The client URL of a fresh etcd of one member."""
    with _etcd("http") as url:
        yield url


@pytest.fixture
def etcd_tls() -> Iterator[str]:
    """The same over TLS, with a certificate that it signed itself."""
    with _etcd("https", "--auto-tls") as url:
        yield url


def unverified() -> ssl.SSLContext:
    """For a server that nobody else reaches, and that has no certificate of anybody's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@contextmanager
def _etcd(scheme: str, *more: str) -> Iterator[str]:
    program = shutil.which("etcd")
    if not program:
        missing("etcd is not installed")
    client, peer = f"{scheme}://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}"
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [str(program), "--data-dir", folder, "--listen-client-urls", client, "--advertise-client-urls", client,
             "--listen-peer-urls", peer, *more], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            _until_healthy(client)
            yield client
        finally:
            process.kill()
            process.wait()


def _until_healthy(url: str) -> None:
    until_s = time.monotonic() + 30
    while True:
        try:
            if urllib.request.urlopen(f"{url}/health", timeout=2, context=unverified()).status == 200:
                return
        except OSError:
            assert time.monotonic() < until_s, "etcd did not become healthy within 30 s"
        time.sleep(0.05)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """libpq's words for a fresh PostgreSQL."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    found = programs()
    if found is None:
        missing("PostgreSQL is not installed under /usr/lib/postgresql")
    with fresh_postgres(found, free_port()) as words:
        yield words

"""Encryption towards clients, by real handshakes with real programs."""

import asyncio
import http.client
import os
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest
from helpers import BALANCERS
from running import Service, running

from holdfast.cli.certificates import Authority, authority
from holdfast.probes.http import http_probe
from holdfast.probes.probe import Reply

pytestmark = pytest.mark.real
every = pytest.mark.parametrize("engine", BALANCERS)


@pytest.fixture(scope="module")
def signing() -> Authority:
    return authority()


def bundle(signing: Authority) -> str:
    return signing.bundle(["entry", "entry1"], [])


def trusting(pem: str, *alpn: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=pem[pem.index("-----BEGIN CERTIFICATE"):])
    if alpn:
        context.set_alpn_protocols(alpn)
    return context


def shaken(service: Service, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Port 443 is 8443 where low ports are not ours."""
    wire = socket.create_connection((service.address, 8443), 5)
    return context.wrap_socket(wire, server_hostname="entry")


def serial(service: Service, pem: str) -> str:
    with shaken(service, trusting(pem)) as wire:
        found = wire.getpeercert()
        assert found
        return str(found["serialNumber"])


@every
def test_a_visitor_of_port_80_is_sent_to_443_and_served_there(tmp_path: Path, engine: str, signing: Authority):
    pem = bundle(signing)
    with running(engine, tmp_path, tls={}, pem=pem) as service:
        plain = http.client.HTTPConnection(service.address, service.port, timeout=5)
        plain.request("GET", "/a?b=c", headers={"Host": "entry"})
        answer = plain.getresponse()
        assert (answer.status, answer.getheader("location")) == (308, "https://entry:8443/a?b=c")
        with shaken(service, trusting(pem, "http/1.1")) as wire:
            wire.sendall(b"GET / HTTP/1.1\r\nHost: entry\r\nConnection: close\r\n\r\n")
            time.sleep(0.2)
            assert wire.recv(4096).startswith(b"HTTP/1.1 200")
    assert service.hits("GET") == 1


@every
def test_http_2_is_spoken_with_whoever_offers_it_and_not_where_it_is_not_wanted(tmp_path: Path, engine: str, signing: Authority):
    pem = bundle(signing)
    for http2, spoken in ((True, "h2"), (False, "http/1.1")):
        folder = tmp_path / spoken[:2]
        folder.mkdir()
        with running(engine, folder, tls={"http2": http2}, pem=pem) as service, shaken(
            service, trusting(pem, "h2", "http/1.1")
        ) as wire:
            assert wire.selected_alpn_protocol() == spoken


@every
@pytest.mark.parametrize(("minimum", "offered", "spoken"), [
    ("1.2", ssl.TLSVersion.TLSv1_1, ""), ("1.2", ssl.TLSVersion.TLSv1_2, "TLSv1.2"), ("1.3", ssl.TLSVersion.TLSv1_2, ""),
])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1")
def test_nothing_older_than_the_minimum_is_spoken(
    tmp_path: Path, engine: str, signing: Authority, minimum: str, offered: ssl.TLSVersion, spoken: str
):
    pem = bundle(signing)
    context = trusting(pem)
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, offered
    context.set_ciphers("DEFAULT@SECLEVEL=0")  # or this side would refuse the old versions first
    with running(engine, tmp_path, tls={"minimum": minimum}, pem=pem) as service:
        try:
            with shaken(service, context) as wire:
                found = str(wire.version())
        except (ssl.SSLError, ConnectionError):
            found = ""
    assert found == spoken


@every
def test_a_renewed_certificate_is_served_after_a_reload_and_nobody_notices(tmp_path: Path, engine: str, signing: Authority):
    old, new = bundle(signing), bundle(signing)
    with running(engine, tmp_path, tls={"redirect": False}, pem=old) as service:
        before = serial(service, old)
        renewed(tmp_path / "entry1", service.balancers[0], engine, new)
        until_s = time.monotonic() + 20
        failed = 0
        # Asked once more, an old process that is just leaving might be the one who answers.
        while (shown := serial(service, new)) == before and time.monotonic() < until_s:
            failed += service.ask()[0] != 200
        assert shown != before
        assert failed == 0


def renewed(host: Path, balancer: "subprocess.Popen[bytes]", engine: str, pem: str) -> None:
    """As an operator does it: written beside, moved into place, told."""
    (place,) = host.rglob("site.pem")
    beside = place.with_suffix(".new")
    beside.write_text(pem + "\n")
    beside.rename(place)
    told = {"nginx": signal.SIGHUP, "haproxy": signal.SIGUSR2}.get(engine)  # Envoy looks by itself
    if told:
        os.kill(balancer.pid, told)


def test_the_authority_of_one_run_is_not_trusted_in_another(tmp_path: Path, signing: Authority):
    with running("nginx", tmp_path, tls={}, pem=bundle(authority())) as service, pytest.raises(ssl.SSLError):
        shaken(service, trusting(bundle(signing)))


@pytest.mark.parametrize(("url", "answer"), [("https://entry/", "yes"), ("https://elsewhere/", "no")])
def test_a_probe_trusts_what_the_authority_of_its_run_signed_and_only_by_the_name_it_asked_for(
    tmp_path: Path, signing: Authority, url: str, answer: str
):
    async def asked(address: str, trust: str) -> Reply:
        probe = http_probe(
            name="pages", url=url, addresses=lambda: [address], port=8443, client="client", every_s=1, patience_s=3,
            expect=(200,), trust=trust,
        )  # fmt: skip
        async with probe.open() as ask:
            return await ask(1)

    pem, other = bundle(signing), bundle(authority())
    with running("nginx", tmp_path, tls={}, pem=pem) as service:
        assert asyncio.run(asked(service.address, pem[pem.index("-----BEGIN CERTIFICATE"):])).answer == answer
        stranger = asyncio.run(asked(service.address, other[other.index("-----BEGIN CERTIFICATE"):]))
    assert (stranger.answer, "certificate verify failed" in stranger.detail.lower()) == ("no", True)

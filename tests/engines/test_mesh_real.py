"""Sidecars by real handshakes: who is let in, what a caller sees when instances die, and what a new certificate costs."""

import http.client
import os
import signal
import ssl
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from helpers import meshed
from running import Server
from test_real_checkers import placed, site, verdict

from holdfast.blueprint import Site, with_secrets
from holdfast.cli.certificates import authority
from holdfast.cli.service import values_of
from holdfast.engines import mesh
from holdfast.engines.sidecar.render import CERTIFICATE
from holdfast.plan import plan
from holdfast.topology.model import Topology

pytestmark = pytest.mark.real


@dataclass
class Mesh:
    """The sidecars of front1 and of all of pages, and three servers as the programs of pages."""

    place: Site
    secrets: dict[str, str]
    servers: dict[str, Server]
    sidecars: dict[str, subprocess.Popen[bytes]]

    def ask(self, method: str = "GET", **headers: str) -> tuple[int, str]:
        """As the program of front1: plain, of its own sidecar."""
        connection = http.client.HTTPConnection(self.place.addresses["front1"], mesh.FIRST_OUTBOUND_PORT, timeout=5)
        try:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, "/", body=b"x" if method == "POST" else None, headers=sent)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException):
            return 0, ""
        finally:
            connection.close()

    def asked(self, times: int) -> Counter[str]:
        found = (self.ask() for _ in range(times))
        return Counter(body if status == 200 else f"status {status}" for status, body in found)

    def knock(self, host: str, folder: Path, pem: str = "", scheme: str = "https") -> tuple[int, str]:
        """As a stranger, at the inbound port: curl's exit code and what it got."""
        words = ["curl", "-sS", "-k", "--max-time", "5", f"{scheme}://{self.place.addresses[host]}:{mesh.INBOUND_PORT}/"]
        if pem:
            (folder / "shown.pem").write_text(pem)
            words += ["--cert", str(folder / "shown.pem")]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout or done.stderr

    def shown(self, host: str) -> str:
        """The certificate that this sidecar shows."""
        return ssl.get_server_certificate((self.place.addresses[host], mesh.INBOUND_PORT))


@contextmanager
def running(folder: Path, whole: Topology) -> Iterator[Mesh]:
    net = f"127.{100 + os.getpid() % 100}.{1 + os.getpid() // 100 % 250}."
    addresses = {place.name: net + place.address.rpartition(".")[2] for place in whole.places}
    place = replace(site(folder, whole, "envoy"), addresses=addresses)
    blueprint = plan(whole, place)
    secrets = values_of(whole, blueprint)
    hosts = ("front1", "pages1", "pages2", "pages3")
    found = Mesh(place, secrets, {name: Server(name, addresses[name]) for name in hosts[1:]}, {})
    try:
        for host in hosts:
            process = blueprint.process(f"{host}/sidecar")
            known = {path: replace(file, text=with_secrets(file.text, secrets)) for path, file in process.files.items()}
            process = placed(replace(process, files=known), place)
            assert verdict(process).returncode == 0, verdict(process)
            with open(folder / host / "log", "wb") as log:
                found.sidecars[host] = subprocess.Popen(process.argv, stdout=log, stderr=log, start_new_session=True)
        until_s = time.monotonic() + 15
        while found.asked(6).keys() & {"status 0", "status 503"}:
            assert time.monotonic() < until_s, [(folder / host / "log").read_text()[-1500:] for host in hosts]
            time.sleep(0.05)
        time.sleep(0.5)  # until checks have seen all three
        for server in found.servers.values():
            server.seen.clear()
        yield found
    finally:
        for each in found.sidecars.values():
            with suppress(ProcessLookupError):
                os.killpg(each.pid, signal.SIGKILL)
            each.wait(5)
        for server in found.servers.values():
            with suppress(OSError):
                server.stop()


def test_only_who_shows_a_certificate_of_a_tier_that_calls_is_let_in(tmp_path: Path):
    whole = meshed()
    with running(tmp_path, whole) as found:
        strange = authority().bundle(["front1"], [], mesh.identity("front", whole))
        assert found.knock("pages1", tmp_path, found.secrets["front1-mesh"]) == (0, "pages1")
        refused = {
            "plain text": found.knock("pages1", tmp_path, scheme="http"),
            "no certificate": found.knock("pages1", tmp_path),
            "a tier that does not call": found.knock("pages1", tmp_path, found.secrets["other1-mesh"]),
            "another authority": found.knock("pages1", tmp_path, strange),
        }
        assert all(code != 0 for code, _ in refused.values()), refused
        assert sum(found.servers["pages1"].seen.values()) == 1


def test_a_call_goes_to_the_own_zone_and_elsewhere_when_nobody_there_can_serve(tmp_path: Path):
    with running(tmp_path, meshed()) as found:
        assert found.asked(20) == {"pages1": 20}
        found.servers["pages1"].stop()
        after = found.asked(40)
    assert set(after) == {"pages2", "pages3"}


def test_without_a_preference_for_the_own_zone_calls_spread(tmp_path: Path):
    with running(tmp_path, meshed({"prefer_zone": False})) as found:
        assert set(found.asked(60)) == {"pages1", "pages2", "pages3"}


@pytest.mark.parametrize("manner", ["hang", "hang up"])
def test_the_only_instance_of_the_own_zone_may_fail_every_get_and_no_caller_notices(tmp_path: Path, manner: str):
    with running(tmp_path, meshed()) as found:
        found.servers["pages1"].status = manner
        began_s = time.monotonic()
        seen = found.asked(8)
        took_s = (time.monotonic() - began_s) / 8
    assert sum(seen[name] for name in ("pages2", "pages3")) == 8, seen
    assert took_s < 1.0, "it hangs for 4 s"


def test_a_post_that_was_sent_is_never_sent_again(tmp_path: Path):
    with running(tmp_path, meshed()) as found:
        for server in found.servers.values():
            server.status = "hang up"
        answers = [found.ask("POST")[0] for _ in range(4)]
        hits = sum(server.seen["POST"] for server in found.servers.values())
    assert set(answers) <= {502, 503}
    assert hits <= 4


def test_a_post_that_meets_a_program_which_is_gone_is_refused_by_the_sidecar_beside_it(tmp_path: Path):
    with running(tmp_path, meshed({"check_interval": "5s"})) as found:
        found.servers["pages1"].stop()
        answer = found.ask("POST")
    assert answer[0] == 503


def test_an_instance_that_keeps_failing_is_left_alone_though_its_check_says_yes(tmp_path: Path):
    whole = meshed({"prefer_zone": False}, ejection={"failures": 3, "for": "5s"})
    with running(tmp_path, whole) as found:
        found.servers["pages2"].status = "500"
        found.asked(40)
        time.sleep(0.5)
        assert "status 500" not in found.asked(40)


@pytest.mark.parametrize("host", ["pages1", "front1"])
def test_a_sidecar_that_is_killed_and_started_again_serves_again(tmp_path: Path, host: str):
    with running(tmp_path, meshed()) as found:
        sidecar = found.sidecars[host]
        os.killpg(sidecar.pid, signal.SIGKILL)
        sidecar.wait(5)
        during = found.asked(10)
        found.sidecars[host] = subprocess.Popen(sidecar.args, start_new_session=True)
        until_s = time.monotonic() + 10
        while found.asked(5) != {"pages1": 5}:
            assert time.monotonic() < until_s
            time.sleep(0.05)
    # The others' are as good as this one; the caller's own is its only way.
    assert (set(during) == {"status 0"}) == (host == "front1")


def test_new_certificates_on_both_ends_are_taken_up_without_a_restart_and_nobody_notices(tmp_path: Path):
    with running(tmp_path, meshed()) as found:
        before = found.shown("pages1")
        for host in found.sidecars:
            place = Path(found.place.path(host, CERTIFICATE))
            beside = place.with_suffix(".new")
            beside.write_text(found.secrets[f"{host}-mesh-next"] + "\n")
            beside.rename(place)
        seen: Counter[str] = Counter()
        until_s = time.monotonic() + 10
        while found.shown("pages1") == before:
            seen += found.asked(5)
            assert time.monotonic() < until_s
        seen += found.asked(20)
        # A caller whose certificate is no longer taken would fail here: connections that are new.
        for host in ("pages1", "pages2", "pages3"):
            assert found.knock(host, tmp_path, found.secrets["front1-mesh-next"])[0] == 0
    assert set(seen) == {"pages1"}


def test_a_program_is_told_who_calls_and_nobody_can_pretend(tmp_path: Path):
    with running(tmp_path, meshed()) as found:
        assert found.ask(x_forwarded_client_cert="URI=spiffe://shop/other") == (200, "pages1")
        assert found.servers["pages1"].heard["x-forwarded-client-cert"].endswith(";URI=spiffe://shop/front")

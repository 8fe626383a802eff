"""OCSP stapling: what a visitor is shown by the real programs, and what a renewed answer costs."""

import os
import re
import signal
import subprocess
import time
from base64 import b64decode, b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp
from helpers import BALANCERS, PRODUCTION, balanced
from running import Service, running

from holdfast.cli.certificates import Authority, answered, authority
from holdfast.cli.service import values_of
from holdfast.drills.drill import objections
from holdfast.errors import Refused
from holdfast.lab.writing import BYTES, as_bytes
from holdfast.plan import plan
from holdfast.topology.model import Drilled

every = pytest.mark.parametrize("engine", BALANCERS)
NOW = datetime.now(UTC).replace(microsecond=0)
SAID = ("OCSP Response Status", "Cert Status", "This Update", "Serial Number")
GOOD = ocsp.OCSPCertStatus.GOOD


@pytest.fixture(scope="module")
def signing() -> Authority:
    return authority()


def response(signing: Authority, pem: str, status=GOOD, begins=NOW - timedelta(hours=1), ends=NOW + timedelta(days=1)) -> bytes:
    """Made here by hand, so that what holdfast makes has something to be compared with."""
    revoked = begins if status is ocsp.OCSPCertStatus.REVOKED else None
    made = ocsp.OCSPResponseBuilder().add_response(
        cert=x509.load_pem_x509_certificates(pem.encode())[0], issuer=signing.certificate, algorithm=hashes.SHA1(),
        cert_status=status, this_update=begins, next_update=ends, revocation_time=revoked, revocation_reason=None,
    ).responder_id(ocsp.OCSPResponderEncoding.HASH, signing.certificate)
    return made.sign(signing.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def as_value(answer: bytes) -> str:
    return b64encode(answer).decode()


def shown(service: Service, trusted: Path) -> dict[str, str]:
    """What openssl says of the stapled answer, in its own words; empty where there is none."""
    words = ["openssl", "s_client", "-connect", f"{service.address}:8443", "-servername", "entry", "-status",
             "-CAfile", str(trusted)]
    said = subprocess.run(words, input="", capture_output=True, text=True, timeout=10, check=False).stdout
    assert "Verify return code: 0 (ok)" in said
    lines = (line.strip().partition(": ") for line in said.splitlines())
    return {name: value for name, _, value in lines if name in SAID}


@every
@pytest.mark.real
def test_a_visitor_is_shown_that_the_certificate_is_good_and_a_renewed_answer_after_a_reload(
    tmp_path: Path, engine: str, signing: Authority
):
    pem = signing.bundle(["entry"], [])
    trusted = tmp_path / "authority.pem"
    trusted.write_text(signing.pem)
    first, later = (as_value(response(signing, pem, begins=NOW - timedelta(minutes=ago))) for ago in (120, 1))
    with running(engine, tmp_path, tls={"ocsp": True, "redirect": False}, pem=pem, answer=first) as service:
        before = shown(service, trusted)
        assert (before["OCSP Response Status"], before["Cert Status"]) == ("successful (0x0)", "good")
        renewed(tmp_path / "entry1", service, engine, later)
        until_s, failed = time.monotonic() + 20, 0
        while (after := shown(service, trusted))["This Update"] == before["This Update"] and time.monotonic() < until_s:
            failed += service.ask()[0] != 200
    assert after["This Update"] != before["This Update"]
    assert after["Cert Status"] == "good"
    assert failed == 0


def renewed(host: Path, service: Service, engine: str, answer: str) -> None:
    """As an operator's job does it: written beside, moved into place, told."""
    (place,) = host.rglob("secret.yaml" if engine == "envoy" else "site.pem.ocsp")
    beside = place.with_suffix(".new")
    if engine == "envoy":
        beside.write_text(re.sub(r"inline_bytes: \S+", f"inline_bytes: {answer}", place.read_text()))
    else:
        beside.write_bytes(b64decode(answer))
    beside.rename(place)
    told = {"nginx": signal.SIGHUP, "haproxy": signal.SIGUSR2}.get(engine)  # Envoy looks by itself
    if told:
        os.kill(service.balancers[0].pid, told)


@every
@pytest.mark.real
def test_a_renewed_certificate_comes_with_its_own_answer_and_nobody_notices(tmp_path: Path, engine: str, signing: Authority):
    pems = [signing.bundle(["entry"], []) for _ in range(2)]
    old, new = (as_value(response(signing, pem)) for pem in pems)
    serial = [f"{x509.load_pem_x509_certificates(pem.encode())[0].serial_number:X}" for pem in pems]
    trusted = tmp_path / "authority.pem"
    trusted.write_text(signing.pem)
    with running(engine, tmp_path, tls={"ocsp": True, "redirect": False}, pem=pems[0], answer=old) as service:
        assert shown(service, trusted)["Serial Number"].lstrip("0") == serial[0]
        (place,) = (tmp_path / "entry1").rglob("site.pem")
        place.with_suffix(".new").write_text(pems[1] + "\n")
        place.with_suffix(".new").rename(place)
        renewed(tmp_path / "entry1", service, engine, new)
        until_s, failed = time.monotonic() + 20, 0
        while (after := shown(service, trusted))["Serial Number"].lstrip("0") != serial[1] and time.monotonic() < until_s:
            failed += service.ask()[0] != 200
    assert (after["Serial Number"].lstrip("0"), after["Cert Status"]) == (serial[1], "good")
    assert failed == 0


@every
@pytest.mark.real
def test_where_it_is_not_asked_for_nothing_is_stapled(tmp_path: Path, engine: str, signing: Authority):
    trusted = tmp_path / "authority.pem"
    trusted.write_text(signing.pem)
    with running(engine, tmp_path, tls={}, pem=signing.bundle(["entry"], [])) as service:
        assert shown(service, trusted) == {}


@pytest.mark.parametrize(("more", "said"), [
    ({"status": ocsp.OCSPCertStatus.REVOKED}, "says revoked"),
    ({"status": ocsp.OCSPCertStatus.UNKNOWN}, "says unknown"),
    ({"begins": NOW - timedelta(days=9), "ends": NOW - timedelta(days=2)}, "was good until"),
])
def test_an_answer_that_would_do_harm_is_refused_with_the_command_that_fetches_another(
    signing: Authority, more: dict[str, object], said: str
):
    pem = signing.bundle(["entry"], [])
    with pytest.raises(Refused, match=said) as found:
        answered(response(signing, pem, **more), pem, "entry")
    assert "openssl ocsp" in str(found.value.problems[0])


def test_an_answer_on_another_certificate_or_none_at_all_is_refused(signing: Authority):
    pem, other = (signing.bundle(["entry"], []) for _ in range(2))
    with pytest.raises(Refused, match="is on another certificate"):
        answered(response(signing, other), pem, "entry")
    with pytest.raises(Refused, match="cannot be read"):
        answered(b"no such thing", pem, "entry")


def test_what_is_written_are_the_bytes_of_the_answer(signing: Authority):
    pem = signing.bundle(["entry"], [])
    answer = response(signing, pem)
    assert as_bytes(BYTES + answered(answer, pem, "entry") + "\n") == answer
    assert as_bytes("plain text\n") == b"plain text\n"


def secrets_of(folder: Path, **files: bytes) -> dict[str, str]:
    named = {}
    for name, content in files.items():
        (folder / name).write_bytes(content)
        named[name.replace("_", "-")] = {"file": name}
    whole = replace(balanced("nginx", tls={"ocsp": True}), folder=folder, secrets=named)
    return values_of(whole, plan(whole, PRODUCTION))


def test_the_lab_answers_for_the_certificates_that_it_made_and_the_next_ones_too(tmp_path: Path):
    found = secrets_of(tmp_path)
    for end in ("", "-next"):
        made = ocsp.load_der_ocsp_response(b64decode(found[f"entry-tls-ocsp{end}"]))
        leaf = x509.load_pem_x509_certificates(found[f"entry-tls{end}"].encode())[0]
        assert (made.certificate_status, made.serial_number) == (GOOD, leaf.serial_number)


def test_a_users_own_certificate_that_comes_in_a_drill_brings_its_own_answer(tmp_path: Path, signing: Authority):
    pems = [signing.bundle(["entry"], []) for _ in range(2)]
    named = {"entry_tls": pems[0].encode(), "entry_tls_next": pems[1].encode(), "entry_tls_ocsp": response(signing, pems[0])}
    whole = replace(
        balanced("nginx", tls={"ocsp": True}), secrets={name.replace("_", "-"): {"file": name} for name in named},
        drills=(Drilled(fault="certificate_change", tier="entry", target="all"),),
    )
    assert "add entry-tls-ocsp-next" in str(objections(whole)[0])
    with pytest.raises(Refused, match="is on another certificate"):
        secrets_of(tmp_path, **named, entry_tls_ocsp_next=response(signing, pems[0]))
    found = secrets_of(tmp_path, **named, entry_tls_ocsp_next=response(signing, pems[1]))
    assert b64decode(found["entry-tls-ocsp-next"]) == (tmp_path / "entry_tls_ocsp_next").read_bytes()


def test_a_users_own_certificate_needs_the_answer_of_its_own_authority(tmp_path: Path, signing: Authority):
    pem = signing.bundle(["entry"], [])
    with pytest.raises(Refused, match="there is no answer to staple to entry's certificate"):
        secrets_of(tmp_path, entry_tls=pem.encode())
    found = secrets_of(tmp_path, entry_tls=pem.encode(), entry_tls_ocsp=response(signing, pem))
    assert ocsp.load_der_ocsp_response(b64decode(found["entry-tls-ocsp"])).certificate_status == GOOD

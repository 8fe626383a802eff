"""An authority and certificates for one run, made by the `cryptography` package: `pip install holdfast[tls]`.

They are good from 2020 to 2049 (RFC 5280, 4.1.2.5, switches formats in 2050), so that no clock has a say in a drill.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

from holdfast.blueprint import Blueprint
from holdfast.engines import mesh
from holdfast.engines.mesh import NEXT
from holdfast.engines.tls import secret_of, staple_of
from holdfast.errors import Problem, Refused
from holdfast.topology.model import Topology

_FROM, _TO = datetime(2020, 1, 1, tzinfo=UTC), datetime(2049, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Authority:
    """Whose signature is trusted in this run only.  `bundle` gives PEM: a private key, its certificate, the authority's."""

    key: Any
    certificate: Any

    def bundle(self, names: Sequence[str], addresses: Sequence[str], identity: str = "") -> str:
        """For these host names and IP addresses; every call gives another key and serial number.

        identity: a URI that names the bearer to others of a mesh, to whom it is client as well as server.
        """
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        bearers: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
        bearers += [x509.IPAddress(ip_address(address)) for address in addresses]
        usages = [x509.ExtendedKeyUsageOID.SERVER_AUTH]
        if identity:
            bearers.append(x509.UniformResourceIdentifier(identity))
            usages.append(x509.ExtendedKeyUsageOID.CLIENT_AUTH)
        made = (
            _draft(names[0], self.certificate.subject, key.public_key())
            .add_extension(x509.SubjectAlternativeName(bearers), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return (private + made.public_bytes(pem) + self.certificate.public_bytes(pem)).decode().strip()


    def answer(self, bundle: str) -> bytes:
        """An OCSP response in DER: the certificate of this bundle, which this authority signed, is good (RFC 6960)."""
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.x509 import ocsp

        made = ocsp.OCSPResponseBuilder().add_response(
            cert=_leaf(bundle), issuer=self.certificate, algorithm=hashes.SHA1(),  # names an authority, protects nothing
            cert_status=ocsp.OCSPCertStatus.GOOD, this_update=_FROM, next_update=_TO,
            revocation_time=None, revocation_reason=None,
        )
        signed = made.responder_id(ocsp.OCSPResponderEncoding.HASH, self.certificate).sign(self.key, hashes.SHA256())
        return bytes(signed.public_bytes(serialization.Encoding.DER))

    @property
    def pem(self) -> str:
        """The certificate alone."""
        from cryptography.hazmat.primitives import serialization

        return str(self.certificate.public_bytes(serialization.Encoding.PEM).decode().strip())


def of_mesh(topology: Topology, blueprint: Blueprint) -> dict[str, str]:
    """Values of the secrets that sidecars need and the user named no source for: an authority for this run, and for each host
    a certificate and the one that takes its place in a drill.  Raises Refused where only some of them were named.
    """
    of = {name: mesh.tier_of(name, topology) for name in blueprint.secrets}
    wanted = [name for name in blueprint.secrets if name == mesh.AUTHORITY or of[name][0]]
    left = [name for name in wanted if not topology.secrets.get(name)]
    if not left:
        return {}
    if given := [name for name in wanted if name not in left]:
        what = f"{', '.join(left)} would be signed by another authority than {', '.join(given)}"
        raise Refused(Problem(what, topology.located("secrets", given[0]), "name all of them under secrets, or none"))
    signing = authority("mesh-authority and HOST-mesh")
    found = {mesh.AUTHORITY: signing.pem}
    for name in wanted:
        tier, host = of[name]
        if tier:
            for made in (name, f"{name}{mesh.NEXT}"):
                found[made] = signing.bundle([host, tier], [blueprint.host(host).address], mesh.identity(tier, topology))
    return found


def _leaf(bundle: str) -> Any:
    from cryptography import x509

    return x509.load_pem_x509_certificates(bundle.encode())[0]


def answered(answer: bytes, bundle: str, name: str) -> str:
    """The authority's answer in base64.  Raises Refused where it is none, on another certificate, not good or old."""
    from cryptography.x509 import ocsp

    try:
        found = ocsp.load_der_ocsp_response(answer)
        good = found.response_status == ocsp.OCSPResponseStatus.SUCCESSFUL
        status = found.certificate_status.name.lower() if good else found.response_status.name.lower()
        wrong = "" if status == "good" else f"says {status}"
        if not wrong and found.serial_number != _leaf(bundle).serial_number:
            wrong = f"is on another certificate, {found.serial_number:x}"
        ends = _ends(found) if not wrong else None
        if ends is not None and ends < today():
            wrong = f"was good until {ends:%Y-%m-%d %H:%M}"
    except ValueError as error:
        wrong = f"cannot be read: {error}"
    if wrong:
        remedy = "fetch a new one, in DER: openssl ocsp -no_nonce -respout FILE -issuer ISSUER -cert CERTIFICATE -url URL"
        raise Refused(Problem(f"the answer to staple {wrong}", where=f"secrets.{name}", remedy=remedy))
    return b64encode(answer).decode()


def _ends(answer: Any) -> datetime | None:
    """The older name, of cryptography 42, gives UTC without saying so."""
    if hasattr(answer, "next_update_utc"):
        return answer.next_update_utc  # type: ignore[no-any-return]
    return answer.next_update and answer.next_update.replace(tzinfo=UTC)


def today() -> datetime:
    return datetime.now(UTC)


def _brought(name: str, path: str, bundle: str, topology: Topology) -> str:
    try:
        return answered((topology.folder / path).read_bytes(), bundle, name)
    except OSError as error:
        what = f"cannot read the secret {name}: {error.strerror}"
        raise Refused(Problem(what, topology.located("secrets", name), "correct the path or its permissions")) from None


def stapled(topology: Topology, blueprint: Blueprint, found: Mapping[str, str], signing: Authority | None) -> dict[str, str]:
    """Values of the authorities' answers that this service staples: of the user's own certificates from where they are, of those
    made for this run made too.  Raises Refused where one is missing or of no use."""
    values: dict[str, str] = {}
    for tier in topology.tiers:
        name = staple_of(tier)
        if name not in blueprint.secrets:
            continue
        named = {end: topology.secrets[name + end].get("file", "") for end in ("", NEXT) if name + end in topology.secrets}
        if named.get(""):
            values |= {name + end: _brought(name + end, path, found[secret_of(tier) + end], topology)
                       for end, path in named.items() if secret_of(tier) + end in found}
        elif signing is None or topology.secrets.get(secret_of(tier)):
            what = f"there is no answer to staple to {tier}'s certificate"
            remedy = f"add {name}: {{file: PATH}} under secrets, or remove `ocsp: true`"
            raise Refused(Problem(what, topology.located("tiers", tier, "tls"), remedy))
        else:
            for end in ("", NEXT):
                values[name + end] = b64encode(signing.answer(found[secret_of(tier) + end])).decode()
    return values


def authority(secrets: str = "TIER-tls") -> Authority:
    """Raises Refused where `cryptography` is missing."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError:
        what = "a certificate for this run cannot be made without the package cryptography"
        remedy = f"`pip install 'holdfast[tls]'`, or name your own under secrets, as {{file: PATH}}: {secrets}"
        raise Refused(Problem(what, where="tls", remedy=remedy)) from None
    key = ec.generate_private_key(ec.SECP256R1())
    usage = {name: name in ("key_cert_sign", "crl_sign") for name in _USAGES}
    draft = _draft("holdfast, for one run", None, key.public_key())
    certificate = (
        draft.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(key, certificate)


_USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign",
    "crl_sign", "encipher_only", "decipher_only",
)


def _draft(name: str, issuer: Any, public: Any) -> Any:
    from cryptography import x509

    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    return (
        x509.CertificateBuilder().subject_name(subject).issuer_name(issuer or subject).public_key(public)
        .serial_number(x509.random_serial_number()).not_valid_before(_FROM).not_valid_after(_TO)
    )

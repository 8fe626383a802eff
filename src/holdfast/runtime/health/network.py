"""Ready-made checks of what can be asked without a client: a TCP port, a name, a certificate.

Rules: plain functions that run in a thread; each wait is shorter than the time limit that a Check has by default.  They touch
dependencies, so they are refused as liveness.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable

from holdfast.runtime import checks
from holdfast.runtime.health.results import FAIL, PASS, WARN, Result

__all__ = ["Dns", "Tcp", "TlsExpiry"]

DAY_S = 86_400.0
_PATIENCE_S = 1.5


def _host(value: str) -> str:
    if not isinstance(value, str) or not value or any(character.isspace() for character in value):
        raise ValueError(f"host is {value!r}; it must be a name or an address")
    return value


class Tcp:
    """Somebody accepts connections there.  That says little of whether he answers: prefer a check that asks a question."""

    dependency = True

    def __init__(self, host: str, port: int, *, timeout_s: float = _PATIENCE_S):
        self._where = (_host(host), checks.whole("port", port, low=1, high=65_535))
        self._timeout_s = checks.number("timeout_s", timeout_s, low=0.0, low_open=True, high=300.0)

    def __call__(self) -> Result:
        began_s = time.monotonic()
        with socket.create_connection(self._where, self._timeout_s):
            return Result(PASS, value=round(1000 * (time.monotonic() - began_s), 3), unit="ms")


class Dns:
    """A name resolves by the system's own resolver, to at least `at_least` different addresses and to all of `expect`."""

    dependency = True

    def __init__(self, name: str, *, at_least: int = 1, expect: Iterable[str] = ()):
        self._name = _host(name)
        self._at_least = checks.whole("at_least", at_least, low=1, high=1000)
        try:
            self._expect = frozenset(str(ipaddress.ip_address(each)) for each in expect)
        except ValueError:
            raise ValueError(f"expect is {expect!r}; it must be addresses") from None

    def __call__(self) -> Result:
        answers = socket.getaddrinfo(self._name, None, type=socket.SOCK_STREAM)
        found = {str(ipaddress.ip_address(str(answer[4][0]).split("%")[0])) for answer in answers}
        missing = sorted(self._expect - found)
        if missing:
            return Result(FAIL, f"{self._name} does not resolve to {', '.join(missing)}", len(found), "addresses")
        if len(found) < self._at_least:
            return Result(FAIL, f"{self._name} has {len(found)} of {self._at_least} addresses", len(found), "addresses")
        return Result(PASS, value=len(found), unit="addresses")


class TlsExpiry:
    """Days until the certificate that a server presents expires.  One that cannot be verified (chain, name, expired) fails.

    cafile        of a private authority
    server_name   when it is not `host`
    """

    dependency = True

    def __init__(
        self, host: str, port: int = 443, *, warn_days: float = 21.0, fail_days: float = 3.0, cafile: str | None = None,
        server_name: str = "", timeout_s: float = _PATIENCE_S,
    ):
        self._where = (_host(host), checks.whole("port", port, low=1, high=65_535))
        self._warn_days = checks.number("warn_days", warn_days, low=0.0, high=10_000.0)
        self._fail_days = checks.number("fail_days", fail_days, low=0.0, high=10_000.0)
        if self._fail_days > self._warn_days:
            raise ValueError(f"fail_days is {fail_days!r}; it must be a number with 0 <= fail_days <= warn_days = {warn_days:g}")
        self._timeout_s = checks.number("timeout_s", timeout_s, low=0.0, low_open=True, high=300.0)
        self._context = ssl.create_default_context(cafile=cafile)
        self._name = server_name or host

    def __call__(self) -> Result:
        with (
            socket.create_connection(self._where, self._timeout_s) as plain,
            self._context.wrap_socket(plain, server_hostname=self._name) as wrapped,
        ):
            certificate = wrapped.getpeercert() or {}
        left = days_left(str(certificate["notAfter"]))
        said = f"the certificate of {self._name} expires in {left:.1f} days"
        status = FAIL if left <= self._fail_days else WARN if left <= self._warn_days else PASS
        return Result(status, "" if status is PASS else said, round(left, 2), "d")


def days_left(not_after: str) -> float:
    """`not_after` as ssl.getpeercert gives it.  The time of day is what a certificate is judged by, so here it must be read."""
    return (ssl.cert_time_to_seconds(not_after) - time.time()) / DAY_S

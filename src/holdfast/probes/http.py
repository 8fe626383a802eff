"""Ask for a page as a fresh visitor does: a new connection, one GET.

    pages: {http: "http://entry/", from: client, every: 50ms, patience: 2s, expect: 200}

yes: the expected status, or one of them.  no: another status, or nobody accepted the connection.  unknown: accepted, but no
answer came.

    basket: {http: "http://entry/", from: client, session: true}

asks as one visitor, who keeps the cookies and wants to meet the same server again.  Each change of server is one more `no`; then
the new one is whom to meet.
"""

import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from holdfast.probes.exchange import Response, Unanswered, exchange
from holdfast.probes.probe import Ask, Probe, Reply


def http_probe(
    *, name: str, url: str, addresses: Callable[[], Sequence[str]], port: int, client: str, every_s: float, patience_s: float,
    expect: tuple[int, ...], trust: str = "", session: bool = False,
) -> Probe:
    """`addresses` (as the service is now) and `port` are where the URL's host is in the lab; they are tried in order.

    trust: for https, PEM certificates; whoever they do not vouch for gives no answer.
    """
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    tls = _context(trust) if parts.scheme == "https" else None
    visitor = Visitor() if session else None

    async def ask(number: int) -> Reply:
        try:
            response = await exchange(
                addresses(), port, path, patience_s=patience_s, host=parts.netloc, tls=tls,
                cookie=visitor.cookie if visitor else "",
            )  # fmt: skip
        except Unanswered as error:
            return Reply(answer="unknown" if error.sent else "no", detail=error.reason)
        if response.status in expect and visitor:
            return visitor.met(response)
        if response.status in expect:
            served = response.headers.get("x-served-by", "")
            return Reply(answer="yes", detail=served if response.status == expect[0] else f"status {response.status}")
        return Reply(answer="no", detail=f"status {response.status}")

    @asynccontextmanager
    async def opened() -> AsyncIterator[Ask]:
        yield ask

    return Probe(
        name=name, kind="http", what=f"GET {url}", client=client, every_s=every_s, patience_s=patience_s, writes=False,
        open=opened,
    )  # fmt: skip


@dataclass(slots=True)
class Visitor:
    """Somebody with a session: what the service gave to remember, and the server that knows it."""

    cookies: dict[str, str] = field(default_factory=dict)
    server: str = ""

    @property
    def cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def met(self, response: Response) -> Reply:
        name, _, value = response.headers.get("set-cookie", "").partition(";")[0].partition("=")
        if name:
            self.cookies[name.strip()] = value
        before, self.server = self.server, response.headers.get("x-served-by", "")
        if not self.server:
            return Reply(answer="no", detail="the answer has no X-Served-By, so nobody knows whose session it is")
        if before not in ("", self.server):
            return Reply(answer="no", detail=f"the session was with {before}, and now {self.server} answers")
        return Reply(answer="yes", detail=self.server)


def _context(trust: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # A chain that ends in what was handed to us is trusted, also where the authority's own certificate is not in it.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=trust)
    return context

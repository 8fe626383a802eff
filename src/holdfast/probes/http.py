"""Ask for a page as a fresh visitor does: a new connection, one GET.

    pages: {http: "http://entry/", from: client, every: 50ms, patience: 2s, expect: 200}

yes: the expected status.  no: another status, or nobody accepted the connection.  unknown: accepted, but no answer came.
"""

import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from holdfast.probes.exchange import Unanswered, exchange
from holdfast.probes.probe import Ask, Probe, Reply


def http_probe(
    *, name: str, url: str, addresses: Callable[[], Sequence[str]], port: int, client: str, every_s: float, patience_s: float,
    expect: int, trust: str = "",
) -> Probe:
    """`addresses` (as the service is now) and `port` are where the URL's host is in the lab; they are tried in order.

    trust: for https, PEM certificates; whoever they do not vouch for gives no answer.
    """
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    tls = _context(trust) if parts.scheme == "https" else None

    async def ask(number: int) -> Reply:
        try:
            response = await exchange(addresses(), port, path, patience_s=patience_s, host=parts.netloc, tls=tls)
        except Unanswered as error:
            return Reply(answer="unknown" if error.sent else "no", detail=error.reason)
        if response.status == expect:
            return Reply(answer="yes", detail=response.headers.get("x-served-by", ""))
        return Reply(answer="no", detail=f"status {response.status}")

    @asynccontextmanager
    async def opened() -> AsyncIterator[Ask]:
        yield ask

    return Probe(
        name=name, kind="http", what=f"GET {url}", client=client, every_s=every_s, patience_s=patience_s, writes=False,
        open=opened,
    )  # fmt: skip


def _context(trust: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # A chain that ends in what was handed to us is trusted, also where the authority's own certificate is not in it.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=trust)
    return context

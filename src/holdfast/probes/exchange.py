"""One HTTP/1.1 request over a connection of its own, with one deadline for all of it."""

import asyncio
import base64
import ssl
from collections.abc import Sequence
from dataclasses import dataclass

import h11

_LARGEST_BODY = 1 << 20


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: bytes
    headers: dict[str, str]


class Unanswered(Exception):
    """No complete answer.  `sent` tells whether the request may have reached a server."""

    def __init__(self, reason: str, *, sent: bool):
        super().__init__(reason)
        self.reason, self.sent = reason, sent


async def exchange(
    addresses: Sequence[str], port: int, path: str, *, patience_s: float, method: str = "GET", body: bytes = b"",
    host: str = "", login: tuple[str, str] | None = None, tls: ssl.SSLContext | None = None, cookie: str = "",
) -> Response:  # fmt: skip
    """Try the addresses in order until one accepts the connection, then ask there.  Raises Unanswered within `patience_s`.

    With `tls` the connection is encrypted first, and the certificate must be one for `host`.
    """
    share_s = patience_s / len(addresses)  # a silent host must not use up all of the patience
    request = _Request(method=method, path=path, host=host or addresses[0], body=body, login=login, share_s=share_s, tls=tls,
                       cookie=cookie)
    try:
        async with asyncio.timeout(patience_s):
            return await request.send(addresses, port)
    except TimeoutError:
        raise Unanswered(f"no answer within {patience_s:g} s", sent=request.sent) from None
    except OSError as error:
        raise Unanswered(error.strerror or str(error) or type(error).__name__, sent=request.sent) from None
    except h11.RemoteProtocolError as error:
        raise Unanswered(str(error), sent=True) from None


@dataclass(slots=True)
class _Request:
    method: str
    path: str
    host: str
    body: bytes
    login: tuple[str, str] | None
    share_s: float
    tls: ssl.SSLContext | None = None
    cookie: str = ""
    sent: bool = False

    async def send(self, addresses: Sequence[str], port: int) -> Response:
        reader, writer = await self._connect(addresses, port)
        try:
            connection = h11.Connection(h11.CLIENT)
            headers = [("Host", self.host), ("Connection", "close"), ("User-Agent", "holdfast")]
            if self.body:
                headers += [("Content-Length", str(len(self.body))), ("Content-Type", "application/json")]
            if self.cookie:
                headers.append(("Cookie", self.cookie))
            if self.login:
                headers.append(("Authorization", "Basic " + base64.b64encode(":".join(self.login).encode()).decode()))
            data = connection.send(h11.Request(method=self.method, target=self.path, headers=headers)) or b""
            if self.body:
                data += connection.send(h11.Data(data=self.body)) or b""
            data += connection.send(h11.EndOfMessage()) or b""
            self.sent = True
            writer.write(data)
            await writer.drain()
            return await _receive(connection, reader)
        finally:
            writer.transport.abort()

    async def _connect(self, addresses: Sequence[str], port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        named = {"ssl": self.tls, "server_hostname": self.host.partition(":")[0]} if self.tls else {}
        for address in addresses[:-1]:
            try:
                async with asyncio.timeout(self.share_s):
                    return await asyncio.open_connection(address, port, **named)
            except OSError:  # a timeout among them
                continue
        return await asyncio.open_connection(addresses[-1], port, **named)


async def certificate_at(address: str, port: int, patience_s: float) -> bytes:
    """The certificate that is shown there, in DER, trusted or not; b"" where nobody shakes hands."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        async with asyncio.timeout(patience_s):
            _, writer = await asyncio.open_connection(address, port, ssl=context)
    except OSError:  # a timeout among them
        return b""
    shown: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True) or b""
    writer.transport.abort()
    return shown


async def _receive(connection: h11.Connection, reader: asyncio.StreamReader) -> Response:
    status, headers, body = 0, {}, b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(1 << 16))
        elif isinstance(event, h11.Response):
            status = event.status_code
            headers = {name.decode().lower(): value.decode("latin-1") for name, value in event.headers}
        elif isinstance(event, h11.Data):
            body = (body + bytes(event.data))[:_LARGEST_BODY]
        elif isinstance(event, h11.EndOfMessage):
            return Response(status, body, headers)
        elif isinstance(event, h11.ConnectionClosed):
            raise h11.RemoteProtocolError("the connection closed before the answer was complete")

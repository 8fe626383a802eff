"""Use the engines' questions on a running lab: what role has this instance, is it in service, is the tier redundant."""

import asyncio
import errno
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from holdfast.blueprint import Site
from holdfast.engines.engine import Question, Request
from holdfast.lab.verbs import Lab
from holdfast.probes.exchange import Response, Unanswered, certificate_at, exchange

PATIENCE_S = 1.0
_NOBODY = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ETIMEDOUT)
"""What the kernel says when nobody is there; anything else (no file left, say) is trouble of our own."""


async def knock(address: str, patience_s: float) -> bool:
    """Does anything at this address answer a connection?  A refusal is an answer."""
    try:
        async with asyncio.timeout(patience_s):
            _, writer = await asyncio.open_connection(address, 7)
    except ConnectionRefusedError:
        return True
    except TimeoutError:
        return False
    except OSError as error:
        if error.errno in _NOBODY:
            return False
        raise
    writer.close()
    return True


@dataclass(frozen=True, slots=True)
class Wire:
    """How questions travel: over real sockets, or to a service that only pretends to run."""

    exchange: Callable[..., Awaitable[Response]] = exchange
    """See `probes.exchange`."""
    knock: Callable[[str, float], Awaitable[bool]] = knock
    certificate: Callable[[str, int, float], Awaitable[bytes]] = certificate_at
    """See `probes.exchange`."""


SOCKETS = Wire()


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks from beside the hosts, or from inside one where a program only answers there."""

    lab: Lab
    site: Site
    wire: Wire = SOCKETS

    async def word(self, question: Question, patience_s: float = PATIENCE_S) -> str:
        """The engine's word for the answer; `""` when there was none."""
        response = await self.answer(question, patience_s)
        return question.read(response.status, response.body) if response else ""

    async def answer(self, question: Question, patience_s: float = PATIENCE_S) -> Response | None:
        """None when there was none."""
        inside = question.inside and not self.site.shares_network
        address = "127.0.0.1" if inside else self.lab.blueprint.host(question.host).address

        async def ask() -> Response:
            return await self.wire.exchange(
                (address,), self.site.port(question.port), question.path, patience_s=patience_s,
                method=question.method, body=question.body,
            )  # fmt: skip

        try:
            return await (self.lab.at(question.host, ask) if inside else ask())
        except (Unanswered, OSError):
            return None

    def said(self, question: Question) -> str:
        """The question as a person would repeat it: `GET http://10.0.1.21:8080/ready`."""
        inside = question.inside and not self.site.shares_network
        address = "127.0.0.1" if inside else self.lab.blueprint.host(question.host).address
        return f"{question.method} http://{address}:{self.site.port(question.port)}{question.path}"

    async def request(self, request: Request, secrets: dict[str, str], patience_s: float = 20.0) -> Response:
        """Raises Unanswered."""
        login = (request.credential[0], secrets[request.credential[1]]) if request.credential else None
        return await self.wire.exchange(
            (self.lab.blueprint.host(request.host).address,), self.site.port(request.port), request.path,
            patience_s=patience_s, method=request.method, body=request.body, login=login,
        )  # fmt: skip

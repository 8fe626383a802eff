"""Questions over TLS: what an https address answers, and how long its certificate lasts.  On the loop, since a handshake that
hangs in a thread would keep the next certificate waiting.
"""

import asyncio
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime

import h11

from holdfast.watch.names import Address
from holdfast.watch.reply import Question, Reply, Understood
from holdfast.watch.target import Target

_DAY_S = 86400.0


async def ask(target: Target, addresses: Sequence[Address], trust: ssl.SSLContext, now_wall_s: float) -> Understood:
    """Ends within `target.timeout_s` and before the next beat, whatever happens, and leaves no socket open.

    now_wall_s: seconds since 1970, because certificates know no other clock.
    """
    try:
        async with asyncio.timeout(min(target.timeout_s, target.every_s)):
            return await _asked(target, addresses, trust, now_wall_s)
    except ssl.SSLCertVerificationError as error:
        return "no", "", f"certificate: {error.verify_message}"
    except TimeoutError:
        return "unknown", "", "no answer in time"
    except ssl.SSLError as error:
        return "unknown", "", f"no TLS there: {error.reason}"
    except (OSError, ValueError, h11.LocalProtocolError) as error:
        return "unknown", "", getattr(error, "strerror", None) or str(error)


async def _asked(target: Target, addresses: Sequence[Address], trust: ssl.SSLContext, now_wall_s: float) -> Understood:
    for last, (_, host) in zip((*[False] * (len(addresses) - 1), True), addresses, strict=True):
        try:
            reader, writer = await asyncio.open_connection(host, target.port, ssl=trust, server_hostname=target.host)
        except ConnectionRefusedError:
            if last:
                return "no", "", "ECONNREFUSED"
            continue
        try:
            if target.kind == "tls":
                return _days(target, writer.get_extra_info("peercert") or {}, now_wall_s)
            reply, found = Reply(Question(target)), None
            writer.write(reply.asked())
            while found is None:
                found = reply.take(await reader.read(1 << 16))
            return found
        finally:
            writer.transport.abort()  # a polite end would wait for the other side's
    raise AssertionError("there is at least one address")


def _days(target: Target, certificate: dict[str, object], now_wall_s: float) -> Understood:
    ends_s = ssl.cert_time_to_seconds(str(certificate.get("notAfter", "")))
    days = (ends_s - now_wall_s) / _DAY_S
    day = datetime.fromtimestamp(ends_s, UTC).date().isoformat()
    return ("yes" if days >= target.days_left else "no"), "", f"ends on {day}, in {days:.0f} days"

"""Offer requests at a fixed rate, whatever becomes of them: a program of its own, so that no probe is asked late because of it.

Open loop: a request is due by the clock and not when the last one was answered, as a crowd of visitors does it.  Each has a
connection of its own and gives up at the deadline, counted from when it was due.  What is good arrived in time *and* before
the offering was over: answers that a queue gives afterwards are nobody's throughput.

Only the standard library and nothing of ours: its text is handed to a Python on a client's host (`argv`).
"""

import asyncio
import gc
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

LATE_S = 0.05
"""A request that leaves later than this after it was due was not offered as planned."""


@dataclass(slots=True, kw_only=True)
class Offered:
    """What became of them.  `refused`: another status than the wanted one.  `failed`: no connection, or one that broke."""

    due: int = 0
    punctual: int = 0
    """Sent no later than `LATE_S` after they were due."""
    good: int = 0
    refused: int = 0
    failed: int = 0
    late: int = 0
    """Not answered before the deadline."""
    refused_slowest_s: float = 0.0
    good_slowest_s: float = 0.0
    lasted_s: float = 0.0


def argv(
    python: str, *, addresses: tuple[str, ...], port: int, host: str, path: str, expect: int, rate: float, lasts_s: float,
    deadline_s: float,
) -> list[str]:  # fmt: skip
    """A command line for a host that has this Python.  It prints `Offered` as JSON."""
    words = {
        "addresses": addresses, "port": port, "host": host, "path": path, "expect": expect, "rate": rate, "lasts_s": lasts_s,
        "deadline_s": deadline_s,
    }  # fmt: skip
    return [python, "-I", "-c", Path(__file__).read_text(), json.dumps(words)]


class Offering:
    """One run.  `rate` is requests in a second, times are seconds."""

    def __init__(
        self, *, addresses: list[str], port: int, host: str, path: str, expect: int, rate: float, lasts_s: float,
        deadline_s: float,
    ):  # fmt: skip
        self._addresses, self._port, self._wanted = addresses, port, f" {expect} ".encode()
        self._request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nUser-Agent: holdfast-load\r\n\r\n".encode()
        self._every_s, self._count, self._lasts_s, self._deadline_s = 1 / rate, round(rate * lasts_s), lasts_s, deadline_s
        self.found = Offered()

    async def run(self) -> Offered:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        async with asyncio.TaskGroup() as tasks:
            for number in range(self._count):
                due_s = began_s + number * self._every_s
                if (wait_s := due_s - loop.time()) > 0:
                    await asyncio.sleep(wait_s)
                self.found.due += 1
                tasks.create_task(self._one(due_s, began_s + self._lasts_s))
            self.found.lasted_s = max(self._lasts_s, loop.time() - began_s)
        return self.found

    async def _one(self, due_s: float, over_s: float) -> None:
        loop, found = asyncio.get_running_loop(), self.found
        writer = None
        try:
            async with asyncio.timeout_at(due_s + self._deadline_s):
                address = self._addresses[found.due % len(self._addresses)]
                found.punctual += loop.time() - due_s <= LATE_S
                reader, writer = await asyncio.open_connection(address, self._port)
                writer.write(self._request)
                head = await _answer(reader)
        except TimeoutError:
            found.late += 1
            return
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            found.failed += 1
            return
        finally:
            if writer is not None:
                writer.transport.abort()
        took_s = loop.time() - due_s
        if self._wanted not in head:
            found.refused += 1
            found.refused_slowest_s = max(found.refused_slowest_s, took_s)
        elif loop.time() <= over_s:
            found.good += 1
            found.good_slowest_s = max(found.good_slowest_s, took_s)
        else:
            found.late += 1


async def _answer(reader: asyncio.StreamReader) -> bytes:
    """Its first line, when all of it has come.  Who closes late after an answer is no slower for it."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, *fields = head.lower().split(b"\r\n")
    if not first.startswith(b"http/1."):
        raise ValueError("no answer in HTTP")
    lengths = [int(field.partition(b":")[2]) for field in fields if field.startswith(b"content-length:")]
    await (reader.readexactly(lengths[0]) if lengths else reader.read(-1))
    return first


if __name__ == "__main__":
    gc.disable()
    sys.stdout.write(json.dumps(asdict(asyncio.run(Offering(**json.loads(sys.argv[1])).run()))))

"""https addresses: the page is asked, and not only the certificate looked at."""

import asyncio
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from small_targets import hanging
from test_poll import until

from holdfast.watch.poll import Poller
from holdfast.watch.target import Answer
from holdfast.watch.targets import of_urls

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed: no certificate can be made")
YEAR_2026_S = 1_767_225_600.0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For 127.0.0.1, signed by itself, with its key beside it."""
    made = tmp_path_factory.mktemp("tls") / "both.pem"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj /CN=127.0.0.1"
    words += f" -addext subjectAltName=IP:127.0.0.1 -keyout {made} -out {made}.crt"
    subprocess.run(["openssl", *words.split()], check=True, capture_output=True)
    made.write_text(made.read_text() + Path(f"{made}.crt").read_text())
    return made


async def asked(url_end: str, certificate: Path, *, trusted: bool, status: int = 200) -> tuple[dict[str, Answer], bytes]:
    """The first answer to each question, and what the server was asked."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
        except asyncio.IncompleteReadError:
            writer.close()
            return
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = listening.sockets[0].getsockname()[1]
    targets = of_urls([f"shop=https://{url_end.format(port=port)}"], every_s=0.2, timeout_s=10.0)
    found: dict[str, Answer] = {}
    trust = ssl.create_default_context(cafile=str(certificate) if trusted else None)
    poller = Poller(targets, lambda answer: found.setdefault(answer.target, answer), seed=1,  # type: ignore[arg-type]
                    wall_s=lambda: YEAR_2026_S, trust=trust)
    task = asyncio.create_task(poller.run())
    await until(lambda: len(found) == 2)
    task.cancel()
    await asyncio.wait({task})
    listening.close()
    return found, b"".join(heads)


@pytest.mark.parametrize(("status", "word"), [(200, "yes"), (503, "no")])
async def test_the_page_behind_a_good_certificate_decides(certificate, status, word):
    found, heads = await asked("127.0.0.1:{port}/ready", certificate, trusted=True, status=status)
    assert (found["shop"].word, found["shop"].detail) == (word, f"status {status}")
    assert found["shop certificate"].word == "yes"
    assert found["shop certificate"].detail.startswith("ends on 203")
    assert b"GET /ready HTTP/1.1" in heads


async def test_a_certificate_that_nobody_signed_is_told(certificate):
    found, heads = await asked("127.0.0.1:{port}/", certificate, trusted=False)
    assert {answer.word for answer in found.values()} == {"no"}
    assert "self" in found["shop"].detail
    assert heads == b""


async def test_user_and_password_are_sent(certificate):
    _, heads = await asked("watcher:p%40ss@127.0.0.1:{port}/", certificate, trusted=True)
    assert b"authorization: basic d2f0y2hlcjpwqhnz" in heads.lower()


async def test_a_handshake_that_hangs_is_given_up_before_the_next_beat():
    async with hanging() as silent:
        (page, _) = of_urls([f"shop=https://127.0.0.1:{silent}/"], every_s=0.2, timeout_s=30.0)
        answers: list[Answer] = []
        task = asyncio.create_task(Poller([page], answers.append, seed=1, wall_s=lambda: YEAR_2026_S).run())
        await until(lambda: len(answers) >= 2)
        task.cancel()
        await asyncio.wait({task})
    assert {answer.detail for answer in answers} == {"no answer in time"}

"""Names, threads and beats: what hangs, moves or fails keeps nobody else waiting."""

import asyncio
import errno
import socket
import threading

import pytest
from small_targets import answering, hanging, nobody
from test_poll import heard, target, until

from holdfast.watch import wire
from holdfast.watch.names import look_up
from holdfast.watch.poll import Poller, following
from holdfast.watch.target import Answer, Target

V4, V6 = socket.AF_INET, socket.AF_INET6


@pytest.mark.parametrize(("now_s", "after_s"), [(10.0, 11.0), (10.4, 11.0), (11.0, 12.0), (75.3, 76.0)])
def test_beats_that_were_missed_are_left_out_and_the_row_is_kept(now_s, after_s):
    assert following(10.0, 1.0, now_s) == after_s


async def test_after_a_stall_everybody_is_asked_once_and_not_once_for_each_missed_beat():
    answers: list[float] = []
    async with answering() as good:
        one = target("good", good.port, every_s=0.05, timeout_s=0.05)
        asked_at = Poller([one], lambda answer: answers.append(answer.asked_s), seed=1, wall_s=lambda: 0.0)
        poller = asyncio.create_task(asked_at.run())
        await until(lambda: answers)
        threading.Event().wait(1.0)  # nothing runs for twenty beats
        stalled_s = asyncio.get_running_loop().time()
        await asyncio.sleep(0.2)
        poller.cancel()
        await asyncio.wait({poller})
    asked = [at_s for at_s in answers if at_s >= stalled_s - 0.001]
    assert 1 <= len(asked) <= 6


def one_name(port: int, **more: object) -> Target:
    return Target(name="shop", group="urls", member="shop", level="process", kind="tcp", host="shop.example", port=port,
                  every_s=0.05, timeout_s=0.05, **more)  # type: ignore[arg-type]


async def polled(one: Target, look_up: object, until: str, **more: object) -> Answer:
    found: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def hear(answer: Answer) -> None:
        if not found.done() and answer.word == until:
            found.set_result(answer)

    poller = asyncio.create_task(Poller([one], hear, seed=1, wall_s=lambda: 0.0, look_up=look_up, **more).run())  # type: ignore[arg-type]
    async with asyncio.timeout(20):
        answer = await found
    poller.cancel()
    await asyncio.wait({poller})
    return answer


async def test_a_name_that_moves_is_followed():
    places = ["127.0.0.2", "127.0.0.1"]  # nobody listens at the first

    def look(_: str) -> list[tuple[int, str]]:
        return [(V4, places.pop(0) if len(places) > 1 else places[0])]

    async with answering() as good:
        answer = await polled(one_name(good.port), look, "yes", renew_s=0.05)
    assert answer.word == "yes"


async def test_of_several_addresses_the_next_is_tried_when_one_refuses():
    async with answering() as good:
        several = [(V6, "::1"), (V4, "127.0.0.2"), (V4, "127.0.0.1")]
        assert (await polled(one_name(good.port), lambda _: several, "yes")).word == "yes"


async def test_of_several_addresses_a_silent_one_is_tried_last_from_then_on(monkeypatch):
    async with answering() as good:
        connects = socket.socket.connect_ex

        class Silent(socket.socket):
            """To 127.0.0.9 no connection comes about."""

            def connect_ex(self, address: tuple[str, int]) -> int:  # type: ignore[override]
                return errno.EINPROGRESS if address[0] == "127.0.0.9" else connects(self, address)

        monkeypatch.setattr(wire.socket, "socket", Silent)
        found = await polled(one_name(good.port), lambda _: [(V4, "127.0.0.9"), (V4, "127.0.0.1")], "yes")
    assert found.word == "yes"


async def test_a_name_that_is_forgotten_keeps_its_address():
    calls = []

    def once(_: str) -> list[tuple[int, str]]:
        calls.append(1)
        if len(calls) > 1:
            raise socket.gaierror(socket.EAI_AGAIN, "no name server")
        return [(V4, "127.0.0.1")]

    async with answering() as good:
        words = []
        task = asyncio.create_task(Poller([one_name(good.port)], lambda answer: words.append(answer.word), seed=1,
                                          wall_s=lambda: 0.0, look_up=once, renew_s=0.02).run())
        await until(lambda: len(calls) >= 4 and len(words) >= 4)
        task.cancel()
        await asyncio.wait({task})
    assert set(words) == {"yes"}


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..b", "\x00"])
async def test_what_cannot_be_a_name_ends_only_its_own_question(host):
    look_for, ask = (
        Target(name=kind, group="urls", member=kind, level="service", kind=kind, host=host, port=80, every_s=0.1, timeout_s=5.0)
        for kind in ("dns", "tcp")
    )  # fmt: skip
    async with answering() as good:
        found = await heard(target("good", good.port), look_for, ask)
    assert found["good"][0].word == "yes"
    assert {found["dns"][0].word, found["tcp"][0].word} <= {"no", "unknown"}


async def test_lookups_that_hang_do_not_pile_up_and_end_in_time():
    hangs, calls = threading.Event(), []

    def look(host: str) -> list[tuple[int, str]]:
        calls.append(host)
        hangs.wait(20)
        return [(V4, "127.0.0.1")]

    one = Target(name="look", group="urls", member="look", level="service", kind="dns", host="slow.example", every_s=0.05,
                 timeout_s=0.05)  # fmt: skip
    answers: list[Answer] = []
    task = asyncio.create_task(Poller([one], answers.append, seed=1, wall_s=lambda: 0.0, look_up=look).run())
    await until(lambda: len(answers) >= 4)
    task.cancel()
    await asyncio.wait({task})
    hangs.set()
    assert len(calls) == 1
    assert {answer.detail for answer in answers[:4]} == {"no answer in time", "the lookup before still hangs"}
    assert sum(answer.detail == "no answer in time" for answer in answers) == 1


async def test_certificates_that_hang_keep_no_other_waiting():
    async with hanging() as silent:
        many = [target(f"silent{n}", silent, "tls", every_s=60.0, timeout_s=1.0) for n in range(60)]
        last = target("gone", nobody(), "tls", every_s=60.0, timeout_s=30.0)
        began_s = asyncio.get_running_loop().time()
        found = await heard(*many, last)
    assert asyncio.get_running_loop().time() - began_s < 20
    assert {answers[0].detail for name, answers in found.items() if name != "gone"} == {"no answer in time"}
    assert found["gone"][0].detail == "ECONNREFUSED"


async def test_without_room_for_a_socket_nothing_is_said_of_the_target(monkeypatch):
    class Full(socket.socket):
        def __init__(self, *_: object):
            raise OSError(errno.EMFILE, "Too many open files")

    answers: list[Answer] = []
    poller = Poller([target("one", nobody())], answers.append, seed=1, wall_s=lambda: 0.0)
    monkeypatch.setattr(wire.socket, "socket", Full)
    task = asyncio.create_task(poller.run())
    await until(lambda: poller.unable >= 2)
    task.cancel()
    await asyncio.wait({task})
    assert (answers, poller.trouble) == ([], "Too many open files")


async def test_questions_that_are_open_at_the_end_are_closed():
    async with hanging() as silent:
        poller = Poller([target("silent", silent, every_s=9.0, timeout_s=9.0)], lambda _: None, seed=1, wall_s=lambda: 0.0)
        task = asyncio.create_task(poller.run())
        await until(lambda: poller._exchanges)
        (exchange,) = poller._exchanges
        task.cancel()
        await asyncio.wait({task})
        assert exchange._socket.fileno() == -1


def test_a_name_is_looked_up_in_both_families():
    assert (int(V4), "127.0.0.1") in look_up("127.0.0.1")

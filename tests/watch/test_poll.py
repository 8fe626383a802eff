"""Questions over real sockets: every one ends once, and none waits for another."""

import asyncio
import gc
from collections.abc import Callable
from dataclasses import replace

import pytest
from small_targets import answering, hanging, nobody

from holdfast.watch.poll import Poller
from holdfast.watch.reply import Reply
from holdfast.watch.target import Answer, Target
from holdfast.watch.targets import of_urls
from holdfast.watch.wire import Exchange


def target(name: str, port: int, kind: str = "http", **more: object) -> Target:
    made = {"every_s": 0.1, "timeout_s": 0.1, "read": lambda status, body: "yes" if status == 200 else "no", **more}
    return Target(name=name, group="urls", member=name, level="service", kind=kind, host="127.0.0.1", port=port, **made)


async def heard(*targets: Target, enough: int = 1) -> dict[str, list[Answer]]:
    """Until each target answered, or was given up, so many times."""
    found: dict[str, list[Answer]] = {each.name: [] for each in targets}
    whole = asyncio.Event()

    def hear(answer: Answer) -> None:
        found[answer.target].append(answer)
        if all(len(answers) >= enough for answers in found.values()):
            whole.set()

    poller = asyncio.create_task(Poller(targets, hear, seed=1, wall_s=lambda: 0.0).run())
    async with asyncio.timeout(20):
        await whole.wait()
    poller.cancel()
    await asyncio.wait({poller})
    return found


async def until(is_so: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


async def first(one: Target) -> Answer:
    return (await heard(one))[one.name][0]


async def test_each_end_has_its_word():
    async with answering() as good, answering(status=503) as bad, hanging() as silent:
        found = await heard(
            target("good", good.port), target("bad", bad.port), target("silent", silent), target("refused", nobody()),
            target("there", silent, "tcp"), target("gone", nobody(), "tcp"),
        )
    words = {name: (answers[0].word, answers[0].detail) for name, answers in found.items()}
    assert words == {
        "good": ("yes", "status 200"), "bad": ("no", "status 503"), "silent": ("unknown", "no answer in time"),
        "refused": ("no", "ECONNREFUSED"), "there": ("yes", ""), "gone": ("no", "ECONNREFUSED"),
    }


@pytest.mark.parametrize(("raw", "word"), [
    (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "yes"),
    (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", "no"),
    (b"HTTP/1.0 200 OK\r\n\r\nwithout a length, to the end", "yes"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "yes"),
    (b"HTTP/1.1 204 Nothing\r\n\r\n", "no"),  # the question of this target wants 200
    (b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * (3 << 20), "yes"),
])
async def test_every_shape_of_an_answer_is_read(raw, word):
    async with answering() as odd:
        odd.raw = raw
        assert (await first(target("odd", odd.port, every_s=5.0, timeout_s=5.0))).word == word


async def test_a_redirection_says_where_to_without_its_query():
    async with answering() as moved:
        moved.raw = b"HTTP/1.1 301 X\r\nLocation: https://shop.example/in?token=secret\r\nContent-Length: 0\r\n\r\n"
        answer = await first(target("moved", moved.port))
    assert (answer.word, answer.detail) == ("no", "status 301, to https://shop.example/in")


async def test_a_path_that_no_request_can_have_is_unknown_and_says_so():
    async with answering() as good:
        found = await heard(target("bad", good.port, path="/a b"), target("good", good.port))
    assert (found["bad"][0].word, found["good"][0].word) == ("unknown", "yes")
    assert "timed" not in found["bad"][0].detail


@pytest.mark.parametrize("raw", [
    b"", b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", b"\x00" * 5000,
])
async def test_what_is_no_answer_is_unknown(raw):
    async with answering() as odd:
        odd.raw = raw
        assert (await first(target("odd", odd.port))).word == "unknown"


async def test_an_answer_that_cannot_be_read_ends_nothing():
    async with answering(body=b"{") as odd:
        answer = await first(target("odd", odd.port, read=lambda status, body: {}["role"]))
    assert (answer.word, answer.detail) == ("unknown", "status 200, not understood: KeyError")


async def test_a_role_counts_as_yes_and_is_told():
    async with answering() as leader:
        answer = await first(target("leader", leader.port, read=lambda status, body: "primary"))
    assert (answer.word, answer.role) == ("yes", "primary")


async def test_those_who_hang_keep_nobody_waiting_and_leave_nothing_open():
    async with answering() as good, hanging() as silent:
        many = [target(f"silent{number}", silent, every_s=0.5, timeout_s=0.5) for number in range(200)]
        found = await heard(target("good", good.port, every_s=5.0, timeout_s=5.0), *many)
    assert found["good"][0].word == "yes"
    assert all(answer.word == "unknown" for name in found if name != "good" for answer in found[name])
    gc.collect()  # a socket left open would warn, and warnings are errors there
    assert len(asyncio.all_tasks()) == 1


async def test_a_name_without_an_address_is_unknown_and_the_others_go_on():
    async with answering() as good:
        lost = replace(target("lost", 80), host="no-such-host.invalid")
        found = await heard(lost, target("good", good.port))
    assert found["lost"][0].word == "unknown"
    assert found["good"][0].word == "yes"


async def test_a_name_is_looked_up():
    one = Target(name="here", group="urls", member="here", level="service", kind="dns", host="localhost", every_s=0.1)
    assert (await first(one)).word == "yes"


def test_addresses_are_read_and_every_mistake_is_told_at_once():
    good = of_urls(["shop=http://user:secret@10.0.1.1:8080/ready?x=1", "https://shop.example/", "tcp://[::1]:5432", "dns://shop.example"],
                   every_s=1.0, timeout_s=1.0)
    assert [(each.name, each.kind, each.host, each.port) for each in good] == [
        ("shop", "http", "10.0.1.1", 8080), ("https://shop.example/", "http", "shop.example", 443),
        ("https://shop.example/ certificate", "tls", "shop.example", 443), ("tcp://[::1]:5432", "tcp", "::1", 5432),
        ("dns://shop.example", "dns", "shop.example", 0),
    ]
    assert (good[0].path, good[0].header_host, good[1].secure) == ("/ready?x=1", "10.0.1.1:8080", True)
    words = ["ftp://x/", "http:///x", "tcp://host", "http://x:99999/", "a=http://x/", "a=http://y/"]
    assert [each.where for each in of_urls(words, every_s=1, timeout_s=1)] == [*words[:4], words[5]]


async def test_a_question_that_ended_leaves_no_garbage():
    """Two thousand a second would keep the collector busy, and every question waits for it."""
    gc.collect()
    gc.disable()
    try:
        async with answering() as good, hanging() as silent:
            fast = {"every_s": 0.01, "timeout_s": 0.01}
            asked = target("good", good.port, **fast), target("silent", silent, **fast), target("gone", nobody(), **fast)
            await heard(*asked, enough=20)
        left = [each for each in gc.get_objects() if isinstance(each, Exchange | Reply)]
    finally:
        gc.enable()
    assert len(left) <= 3  # one for each target may have been cut short

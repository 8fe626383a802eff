"""The loopback lab, with programs of a few lines."""

import asyncio
import ctypes
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from small_services import PORT, blueprint, escaper, hosts, mentioning, segment_maker, segments, shell, sleeper, web

from holdfast.blueprint import Blueprint, File, Need, Process, Restart
from holdfast.lab.loopback import lab_up
from holdfast.lab.verbs import Lab
from holdfast.probes.exchange import Unanswered, exchange

LIMIT_S = 10.0


def in_lab(
    service: Blueprint, folder: Path, story: Callable[[Lab], Awaitable[None]], secrets: dict[str, str] | None = None
) -> None:
    async def session() -> None:
        async with asyncio.timeout(40), lab_up(service, secrets or {}, folder) as lab:
            await story(lab)

    asyncio.run(session())


async def eventually(look: Callable[[], Awaitable[object]], limit_s: float = LIMIT_S) -> None:
    until_s = asyncio.get_running_loop().time() + limit_s
    while not await look():
        assert asyncio.get_running_loop().time() < until_s, "it never came true"
        await asyncio.sleep(0.02)


async def life(lab: Lab, process: str) -> str:
    host = lab.blueprint.process(process).host
    return next(state.life for state in await lab.states(host) if state.name == process)


async def says(lab: Lab, host: str) -> str:
    try:
        response = await exchange((lab.blueprint.host(host).address,), PORT, "/", patience_s=0.3)
    except Unanswered:
        return ""
    return response.body.decode()


def test_a_program_answers_on_its_own_host_s_address(tmp_path):
    one, two = hosts("one", "two")

    async def story(lab: Lab) -> None:
        await eventually(lambda: says(lab, "one"))
        await eventually(lambda: says(lab, "two"))
        assert [await says(lab, "one"), await says(lab, "two")] == ["first", "second"]
        assert await lab.addresses("two") == {two.address}

    in_lab(blueprint((one, two), web(one, "first"), web(two, "second")), tmp_path, story)


def test_files_lie_beneath_the_host_s_folder_at_their_production_paths_with_the_secrets_put_in(tmp_path):
    one, = hosts("one")
    files = {"/etc/small/small.conf": File(text="plain"), "/etc/small/env": File(text="WORD=secret://word\n", mode=0o600)}
    process = shell(
        "one/small", "echo $WORD; pwd; exec sleep 1000", files=files, directories={"/var/lib/small": 0o700},
        environment_file="/etc/small/env", cwd="/var/lib/small",
    )  # fmt: skip

    async def story(lab: Lab) -> None:
        await eventually(lambda: lab.tail("one/small"))
        root = tmp_path / "hosts" / "one"
        assert (root / "etc/small/small.conf").read_text() == "plain"
        assert (root / "etc/small/env").read_text() == "WORD=hidden\n"
        assert (root / "etc/small/env").stat().st_mode & 0o777 == 0o600
        assert (root / "var/lib/small").stat().st_mode & 0o777 == 0o700
        await eventually(lambda: has_lines(lab, "one/small", ["hidden", str(root / "var/lib/small")]))

    in_lab(blueprint((one,), process), tmp_path, story, {"word": "hidden"})


async def has_lines(lab: Lab, process: str, lines: list[str]) -> bool:
    return (await lab.tail(process)).splitlines() == lines


def test_nothing_of_the_caller_s_environment_reaches_a_program(tmp_path, monkeypatch):
    monkeypatch.setenv("CLOUD_CREDENTIAL", "precious")
    one, = hosts("one")

    async def story(lab: Lab) -> None:
        output = await lab.run("one", ["env"])
        assert output.code == 0
        assert "precious" not in output.text
        assert f"HOME={tmp_path}/hosts/one/tmp" in output.text
        assert f"TMPDIR={tmp_path}/hosts/one/tmp" in output.text

    in_lab(blueprint((one,)), tmp_path, story)


def test_a_killed_program_is_started_again_and_both_are_reported(tmp_path):
    one, = hosts("one")

    async def story(lab: Lab) -> None:
        before, = await lab.states("one")
        await lab.signal("one/sleep", "KILL")
        await eventually(lambda: started(lab, 2))
        after, = await lab.states("one")
        assert after.life == "running"
        assert after.identity != before.identity
        told = lab.happenings()
        kinds = [(await anext(told)).kind for _ in range(3)]
        assert kinds == ["process.started", "process.ended", "process.started"]

    in_lab(blueprint((one,), sleeper("one/sleep")), tmp_path, story)


async def started(lab: Lab, times: int) -> bool:
    state, = await lab.states("one")
    return state.starts == times and state.life == "running"


def test_a_program_that_dies_again_and_again_is_given_up_and_what_it_printed_is_kept(tmp_path):
    one, = hosts("one")
    process = shell("one/bad", "echo no such luck; exit 3", restart=Restart(delay_s=0.01, burst=3, window_s=10))

    async def story(lab: Lab) -> None:
        told = lab.happenings()
        while (happening := await anext(told)).kind != "process.gave_up":
            pass
        assert happening.detail["starts"] == 3
        assert await lab.tail("one/bad", 1) == "no such luck"
        assert await life(lab, "one/bad") == "gone"

    in_lab(blueprint((one,), process), tmp_path, story)


def test_a_program_that_does_not_exist_says_so_in_its_log(tmp_path):
    one, = hosts("one")
    process = Process(name="one/none", host="one", argv=("/no/such/program",), restart=Restart(policy="never"))

    async def story(lab: Lab) -> None:
        await eventually(lambda: lab.tail("one/none"))
        assert "cannot start /no/such/program" in await lab.tail("one/none")

    in_lab(blueprint((one,), process), tmp_path, story)


def test_a_stopped_program_has_ended_and_stays_down_until_it_is_started(tmp_path):
    one, = hosts("one")

    async def story(lab: Lab) -> None:
        await lab.stop("one/sleep")
        assert await life(lab, "one/sleep") == "gone"
        await asyncio.sleep(0.3)
        assert await life(lab, "one/sleep") == "gone"
        await lab.start("one/sleep")
        assert await life(lab, "one/sleep") == "running"

    in_lab(blueprint((one,), sleeper("one/sleep")), tmp_path, story)


def test_a_frozen_host_accepts_connections_and_answers_nothing_until_it_goes_on(tmp_path):
    one, two = hosts("one", "two")

    async def story(lab: Lab) -> None:
        await eventually(lambda: says(lab, "one"))
        await eventually(lambda: says(lab, "two"))
        await lab.pause("one")
        assert await life(lab, "one/web") == "stopped"
        _, writer = await asyncio.open_connection(one.address, PORT)
        writer.close()
        assert await says(lab, "one") == ""
        assert await says(lab, "two") == "hello"
        await lab.resume("one")
        assert await says(lab, "one") == "hello"

    in_lab(blueprint((one, two), web(one), web(two)), tmp_path, story)


def test_an_inner_process_is_struck_by_its_pid_file(tmp_path):
    one, = hosts("one")
    script = "sleep 1002 & echo $! > $TMPDIR/inner.pid; exec sleep 1000"
    process = shell("one/outer", script, inner={"inner": "/tmp/inner.pid"})

    async def inner_is(lab: Lab, word: str) -> bool:
        return any(state.life == word for state in await lab.states("one") if state.name == "one/outer:inner")

    async def story(lab: Lab) -> None:
        await eventually(lambda: inner_is(lab, "running"))
        await lab.signal("one/outer", "KILL", "inner")
        await eventually(lambda: inner_is(lab, "gone"))
        assert await life(lab, "one/outer") == "running"

    in_lab(blueprint((one,), process), tmp_path, story)


def test_a_command_gives_its_output_and_code_and_is_ended_when_it_takes_too_long(tmp_path):
    one, = hosts("one")

    async def story(lab: Lab) -> None:
        output = await lab.run("one", ["sh", "-c", "echo out; echo err >&2; exit 4"])
        assert (output.code, output.text) == (4, "out\nerr\n")
        began_s = time.monotonic()
        assert (await lab.run("one", ["sleep", "60"], limit_s=0.2)).code == -9
        assert time.monotonic() - began_s < 5

    in_lab(blueprint((one,)), tmp_path, story)


def test_a_program_waits_for_what_it_needs(tmp_path):
    one, = hosts("one")
    first = web(one)
    needy = shell("one/needy", "echo begun; exec sleep 1000", needs=(Need(address=one.address, port=PORT, path="/"),))

    async def story(lab: Lab) -> None:
        await lab.start("one/needy")
        await asyncio.sleep(0.3)
        assert await lab.tail("one/needy") == ""
        await lab.start("one/web")
        await eventually(lambda: has_lines(lab, "one/needy", ["begun"]))

    async def session() -> None:
        async with lab_up(blueprint((one,), needy, first), {}, tmp_path, start=False) as lab:
            await story(lab)

    asyncio.run(session())


def test_what_it_cannot_do_it_says_in_words_and_refuses(tmp_path):
    one, = hosts("one")

    async def story(lab: Lab) -> None:
        assert {"signal", "pause"} <= lab.can
        assert not {"power", "wire"} & lab.can
        assert "power cut" in lab.why_not("power")
        assert "cable" in lab.why_not("wire")
        assert lab.why_not("signal") == ""
        with pytest.raises(OSError, match="power cut"):
            await lab.power_off("one")
        with pytest.raises(OSError, match="cable"):
            await lab.unplug("one")

    in_lab(blueprint((one,)), tmp_path, story)


def test_when_it_goes_down_nothing_is_left_but_the_logs(tmp_path):
    one, two = hosts("one", "two")
    service = blueprint((one, two), web(one), escaper("one/escaper"), segment_maker("two/maker"), sleeper("two/sleep"))
    made: list[int] = []

    async def story(lab: Lab) -> None:
        await eventually(lambda: lab.tail("two/maker"))
        made.append(int((await lab.tail("two/maker")).split()[1]))
        assert made[0] in segments()
        await eventually(escaped)
        await lab.pause("two")

    async def escaped() -> bool:
        return any("sleep 1001" in words for words in mentioning(str(tmp_path)).values())

    in_lab(service, tmp_path, story)
    assert mentioning(str(tmp_path)) == {}
    assert made[0] not in segments()
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]


def test_a_stranger_s_shared_memory_is_left_alone(tmp_path):
    libc = ctypes.CDLL(None)
    one, = hosts("one")
    stranger = [libc.shmget(0, 4096, 0o1600)]

    async def story(lab: Lab) -> None:
        stranger.append(libc.shmget(0, 4096, 0o1600))
        await asyncio.sleep(0.7)  # the supervisor looks twice a second

    try:
        in_lab(blueprint((one,), sleeper("one/sleep")), tmp_path, story)
        assert set(stranger) <= segments()
    finally:
        for identifier in stranger:
            libc.shmctl(identifier, 0, None)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has another user to be")
def test_a_program_that_must_not_be_root_is_not(tmp_path):
    one, = hosts("one")
    process = shell(
        "one/modest", "id -u; touch mine && ls mine; exec sleep 1000", user="modest", directories={"/var/lib/modest": 0o700},
        cwd="/var/lib/modest",
    )  # fmt: skip

    async def story(lab: Lab) -> None:
        await eventually(lambda: wrote(lab))
        user, mine = (await lab.tail("one/modest")).split()
        assert user != "0"
        assert mine == "mine"

    async def wrote(lab: Lab) -> bool:
        return "mine" in await lab.tail("one/modest")

    in_lab(blueprint((one,), process), tmp_path, story)

"""What a planned change needs of a lab: spare hosts without power, and programs whose files and next start are others."""

from dataclasses import replace
from pathlib import Path

import pytest
from small_services import blueprint, hosts, shell
from test_loopback import eventually, in_lab, life

from holdfast.blueprint import File
from holdfast.drills.connections import count
from holdfast.lab.verbs import HostGone, Lab

FILE = "/etc/small/word"


def saying(word: str, *, secret: bool = False):
    """A program that prints its file when it starts."""
    text = f"{word} secret://word\n" if secret else f"{word}\n"
    return shell("one/small", "cat etc/small/word; exec sleep 1000", files={FILE: File(text=text, mode=0o600)})


def test_a_spare_host_has_no_power_until_it_is_wanted_and_then_starts_nothing_by_itself(tmp_path):
    one, two = hosts("one", "two")
    spare = replace(two, spare=True)
    resting = shell("two/rest", "exec sleep 1000")

    async def story(lab: Lab) -> None:
        assert await lab.states("two") == ()
        with pytest.raises(HostGone):
            await lab.start("two/rest")
        await lab.place(replace(resting, argv=("sh", "-c", "echo placed; exec sleep 1000")), {})
        await lab.power_on("two")
        await lab.power_on("two")
        assert await life(lab, "two/rest") == "gone"
        await lab.start("two/rest")
        await eventually(lambda: lab.tail("two/rest"))
        assert "placed" in await lab.tail("two/rest")

    in_lab(blueprint((one, spare), saying("hello"), resting), tmp_path, story)


def test_a_host_that_has_power_stays_as_it_is(tmp_path):
    one, = hosts("one")

    async def story(lab: Lab) -> None:
        await eventually(lambda: lab.tail("one/small"))
        before = await lab.states("one")
        await lab.power_on("one")
        assert await lab.states("one") == before

    in_lab(blueprint((one,), saying("hello")), tmp_path, story)


def test_what_runs_is_not_touched_until_its_next_start_which_is_the_new_one(tmp_path):
    one, = hosts("one")

    async def story(lab: Lab) -> None:
        await eventually(lambda: lab.tail("one/small"))
        identity = [state.identity for state in await lab.states("one")]
        await lab.place(saying("later", secret=True), {"word": "hidden"})
        assert (tmp_path / "hosts/one" / FILE[1:]).read_text() == "later hidden\n"
        assert (tmp_path / "hosts/one" / FILE[1:]).stat().st_mode & 0o777 == 0o600
        assert [state.identity for state in await lab.states("one")] == identity
        await lab.stop("one/small")
        await lab.start("one/small")
        await eventually(lambda: has(lab, "later hidden"))

    in_lab(blueprint((one,), saying("hello")), tmp_path, story)


async def has(lab: Lab, word: str) -> bool:
    return word in await lab.tail("one/small")


def test_a_file_is_moved_to_its_place_so_that_nobody_reads_half_of_it(tmp_path):
    one, = hosts("one")

    async def story(lab: Lab) -> None:
        path = Path(tmp_path / "hosts/one" / FILE[1:])
        with path.open() as opened:
            await lab.place(saying("later"), {})
            assert opened.read() == "hello\n", "who has it open goes on with what it was"
        assert there(path.parent) == {path.name: "later\n"}

    in_lab(blueprint((one,), saying("hello")), tmp_path, story)


def there(folder: Path) -> dict[str, str]:
    return {each.name: each.read_text() for each in folder.iterdir()}


TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 1801000A:1F90 0B01000A:C350 01 00000000:00000000 00:00000000 00000000     0        0 1
   1: 1801000A:1F90 1801000A:C351 01 00000000:00000000 00:00000000 00000000     0        0 2
   2: 1801000A:1F90 0B01000A:C352 06 00000000:00000000 00:00000000 00000000     0        0 3
   3: 1801000A:1538 0B01000A:C353 01 00000000:00000000 00:00000000 00000000     0        0 4
   4: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 5
"""


@pytest.mark.parametrize(("ports", "found"), [({8080}, 1), ({8080, 5432}, 2), ({80}, 0)])
def test_only_established_connections_of_others_to_these_ports_count(ports, found):
    assert count(TABLE, "10.0.1.24", ports) == found

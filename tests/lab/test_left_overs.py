"""What a program leaves behind when it dies: killed with it where the engine says so, left alone elsewhere."""

from dataclasses import replace

import pytest
from small_services import blueprint, hosts, mentioning, shell
from test_loopback import eventually, in_lab, started

from holdfast.lab.verbs import Lab


@pytest.mark.parametrize("ends_group", [True, False])
def test_children_of_a_killed_program_end_before_it_starts_again_or_go_on_as_the_service_manager_was_told(tmp_path, ends_group):
    one, = hosts("one")
    mark = f"worker-of-{tmp_path.name}"
    process = replace(
        shell("one/master", f"sh -c 'sleep 1000; exit # {mark}' & exec sleep 1000"), ends_group=ends_group,
    )

    async def story(lab: Lab) -> None:
        await eventually(lambda: workers(mark, 1))
        (first,) = mentioning(mark)
        await lab.signal("one/master", "KILL")
        await eventually(lambda: started(lab, 2))
        await eventually(lambda: workers(mark, 1 if ends_group else 2))
        assert (first in mentioning(mark)) is not ends_group

    in_lab(blueprint((one,), process), tmp_path, story)


async def workers(mark: str, count: int) -> bool:
    return len([1 for line in mentioning(mark).values() if line.startswith(f"sh -c sleep 1000; exit # {mark}")]) == count

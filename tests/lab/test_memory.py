"""Memory limits: where they can be set, and that no group of the machine stays behind."""

import os
from pathlib import Path

import pytest

from holdfast.lab import memory
from holdfast.lab.memory import Ground, Limits, ground, name_for, remove, sweep

FIRST = "9:name=systemd:/\n4:memory:/session/ours\n0::/\n"
SECOND = "0::/user.slice/ours\n"


def group(folder: Path, **files: str) -> Path:
    """A control group as the kernel shows it: a folder whose files are there."""
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


def test_the_first_version_is_used_where_its_controller_is(tmp_path: Path) -> None:
    ours = group(tmp_path / "memory" / "session" / "ours", cgroup__procs="")

    found = ground(tmp_path, FIRST)

    assert isinstance(found, Ground)
    assert (found.parent, found.files.limit) == (ours, "memory.limit_in_bytes")


def test_of_the_second_the_nearest_group_that_hands_its_controller_on(tmp_path: Path) -> None:
    group(tmp_path / "user.slice", cgroup__subtree_control="cpu memory", cgroup__procs="")
    ours = group(tmp_path / "user.slice" / "ours", cgroup__subtree_control="", cgroup__procs="")

    found = ground(tmp_path, SECOND)

    assert isinstance(found, Ground)
    assert (found.parent, found.home, found.files.limit) == (tmp_path / "user.slice", ours, "memory.max")


@pytest.mark.parametrize(("own", "why"), [("", "no memory controller"), (SECOND, "hands its memory controller on")])
def test_without_a_controller_the_reason_is_told(tmp_path: Path, own: str, why: str) -> None:
    assert why in str(ground(tmp_path, own))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_what_is_not_ours_to_write_is_told_by_its_path(tmp_path: Path) -> None:
    group(tmp_path / "memory" / "session" / "ours", cgroup__procs="").chmod(0o500)

    assert str(tmp_path) in str(ground(tmp_path, FIRST))


def limits(tmp_path: Path) -> tuple[Limits, Ground, Path]:
    home = group(tmp_path / "memory" / "session" / "ours", cgroup__procs="")
    found = ground(tmp_path, FIRST)
    assert isinstance(found, Ground)
    return Limits(found, "holdfast-7-1"), found, home


def test_the_limit_is_set_once_and_takes_in_whoever_comes_later(tmp_path: Path) -> None:
    held, _, home = limits(tmp_path)

    held.hold("web1/command", [41], 4096)
    (home / "holdfast-7-1.web1.command" / "memory.limit_in_bytes").write_text("the kernel's")
    held.hold("web1/command", [42], 4096)

    assert (home / "holdfast-7-1.web1.command" / "cgroup.procs").read_text() == "42"
    assert (home / "holdfast-7-1.web1.command" / "memory.limit_in_bytes").read_text() == "the kernel's"


def test_the_kernel_tells_how_often_it_struck_and_nobody_is_nought(tmp_path: Path) -> None:
    held, _, home = limits(tmp_path)
    assert held.kills("web1/command") == 0

    held.hold("web1/command", [], 4096)
    (home / "holdfast-7-1.web1.command" / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n")

    assert held.kills("web1/command") == 3


def test_what_a_lab_left_goes_by_its_name_and_nothing_else_does(tmp_path: Path) -> None:
    _, found, home = limits(tmp_path)
    for name in ("holdfast-7-1.web1.command", "holdfast-8-1.web1.command", "of-somebody-else"):
        (home / name).mkdir()

    remove("holdfast-7-1", found)

    assert {path.name for path in home.iterdir() if path.is_dir()} == {"holdfast-8-1.web1.command", "of-somebody-else"}


def test_the_next_lab_sweeps_what_nobody_waits_for_any_more(tmp_path: Path) -> None:
    _, found, home = limits(tmp_path)
    living, dead = f"{name_for(os.getpid())}.web1.command", "holdfast-99999999-1.web1.command"
    for name in (living, dead):
        (home / name).mkdir()

    sweep(found)

    assert [path.name for path in home.iterdir() if path.is_dir()] == [living]


@pytest.mark.real
def test_a_real_limit_strikes_who_asks_for_more_and_leaves_no_group() -> None:
    import subprocess
    import sys

    found = ground()
    if isinstance(found, str):
        pytest.skip(found)
    name = name_for(os.getpid())
    held = Limits(found, name)
    greedy = subprocess.Popen([sys.executable, "-c", "input()\nx = bytearray(1 << 26)"], stdin=subprocess.PIPE)
    try:
        held.hold("web1/command", [greedy.pid], 1 << 20)
        greedy.communicate(b"\n", timeout=10)
        assert (greedy.returncode, held.kills("web1/command")) == (-9, 1)
    finally:
        greedy.kill()
        held.lift("web1/command")
    assert not list(found.parent.glob(f"{name}*"))
    memory.remove(name, found)

"""What a supervisor decides without a lab: where paths are, whose shared memory it is, and how to be another user."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest
from small_services import segments

import holdfast
from holdfast.lab.launch import Place
from holdfast.lab.processes import everyone_below, stat_of
from holdfast.lab.segments import Segments

SOURCE = str(Path(holdfast.__file__).parents[1])
LIBC = ctypes.CDLL(None)


@pytest.mark.parametrize(
    ("prefix", "path", "where"),
    [
        ("", "/etc/small.conf", "/etc/small.conf"),
        ("/runs/hosts/web1", "/etc/small.conf", "/runs/hosts/web1/etc/small.conf"),
        ("/runs/hosts/web1", "/runs/hosts/web1/etc/small.conf", "/runs/hosts/web1/etc/small.conf"),
        ("/runs/hosts/web1", "/runs/hosts/web1", "/runs/hosts/web1"),
        ("/runs/hosts/web1", "/runs/hosts/web10/x", "/runs/hosts/web1/runs/hosts/web10/x"),
        ("/runs/hosts/web1", "/", "/runs/hosts/web1/"),
    ],
)
def test_a_production_path_is_beneath_the_prefix_once(prefix, path, where):
    assert Place(prefix=prefix).path(path) == where


def test_every_descendant_is_found_by_its_parents():
    child = subprocess.Popen(["sh", "-c", "sleep 60 & sleep 60; true"])
    try:
        while len(found := everyone_below(child.pid)) < 2:
            pass
        assert {stat_of(pid)[1] for pid in found} == {child.pid}
    finally:
        for pid in (*everyone_below(child.pid), child.pid):
            os.kill(pid, 9)
        child.wait()


def test_a_process_that_is_gone_has_no_state():
    child = subprocess.Popen(["true"])
    child.wait()
    assert stat_of(child.pid) is None


def test_only_segments_of_its_own_processes_are_removed():
    theirs = LIBC.shmget(0, 4096, 0o1600)
    ours_alone: list[int] = []
    own = Segments(lambda: ours_alone, (65534, 65534))
    try:
        own.look()
        ours_alone.append(os.getpid())
        ours = LIBC.shmget(0, 4096, 0o1600)
        own.look()
        ours_alone.clear()  # its creator is gone by the time that it is removed
        own.remove()
        assert theirs in segments()
        assert ours not in segments()
    finally:
        LIBC.shmctl(theirs, 0, None)


def test_a_process_that_was_reaped_just_now_still_counts_as_the_creator():
    made = subprocess.Popen(
        [sys.executable, "-I", "-c", "import ctypes; print(ctypes.CDLL(None).shmget(0, 4096, 0o1600))"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    own = Segments(lambda: (), (65534, 65534))
    identifier = int(made.communicate()[0])
    own.look(reaped=made.pid)
    own.remove()
    assert identifier not in segments()


_ANOTHER_USER = """
import os, sys
sys.path.insert(0, sys.argv[1])
from holdfast.lab import linux
linux.set_user(65534, 65534)
os.execv("/bin/sh", ["sh", "-c", "id -u; cat " + sys.argv[2] + "; echo more > " + sys.argv[2] + " || echo refused"])
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_may_still_read_what_only_root_may_traverse(tmp_path):
    hidden = tmp_path / "home"
    hidden.mkdir(mode=0o700)
    (hidden / "program").write_text("seen\n")
    said = subprocess.run(
        [sys.executable, "-I", "-c", _ANOTHER_USER, SOURCE, str(hidden / "program")], capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = said.stdout.splitlines()
    assert lines[:2] == ["65534", "seen"]
    assert (hidden / "program").exists()

"""`.ci/run` permits the skips that are listed and no other: the comparing script on reports that a real pytest wrote."""

import subprocess
import sys
from pathlib import Path

import pytest

CI = Path(__file__).parents[2] / ".ci"
TESTS = """\
import pytest

def test_passes(): pass

def test_without_a_program(): pytest.skip("redis-server is not installed")

@pytest.mark.skipif(True, reason="root may read everything")
@pytest.mark.parametrize("kind", ["a.b", "c"])
def test_of_root(kind): pass

@pytest.mark.xfail(reason="known")
def test_known(): assert False

class TestOfAClass:
    def test_inside(self): pytest.importorskip("no_such_module", reason="no_such_module is not installed")
"""
ALL = """\
# a comment, and an empty line

tests/test_some.py::test_without_a_program | redis-server is not installed
tests/test_some.py::test_of_root* | root may*
tests/test_some/TestOfAClass.py::* | *no_such_module is not installed*
tests/test_none.py::test_that_is_not_there | a skip that does not occur is fine
"""


def compared(folder: Path, permitted: str, tests: str = TESTS) -> tuple[int, str]:
    (folder / "tests").mkdir()
    (folder / "tests" / "test_some.py").write_text(tests)
    report = folder / "report.xml"
    words = ["-q", "-p", "no:cacheprovider", f"--rootdir={folder}", f"--junitxml={report}", "tests"]
    subprocess.run([sys.executable, "-m", "pytest", *words], cwd=folder, capture_output=True, timeout=60)
    (folder / "permitted").write_text(permitted)
    words = [CI / "skips.py", report, folder / "permitted"]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr


def test_skips_that_are_listed_are_let_pass(tmp_path: Path) -> None:
    assert compared(tmp_path, ALL) == (0, "")


@pytest.mark.parametrize("line", [2, 3, 4])
def test_any_other_skip_is_red_and_named(tmp_path: Path, line: int) -> None:
    lines = ALL.splitlines()
    code, said = compared(tmp_path, "\n".join(lines[:line] + lines[line + 1 :]))
    assert code == 1
    assert lines[line].partition("::")[2].partition(" |")[0].strip("*") in said


def test_the_reason_counts_too(tmp_path: Path) -> None:
    code, said = compared(tmp_path, ALL.replace("root may*", "not root"))
    assert code == 1
    assert "test_of_root[a.b]: root may read everything" in said


def test_a_whole_module_that_is_skipped_is_seen(tmp_path: Path) -> None:
    code, said = compared(tmp_path, "", "import pytest\npytest.skip('no postgres here', allow_module_level=True)\n")
    assert code == 1
    assert "tests/test_some.py: no postgres here" in said


@pytest.mark.parametrize("permitted", ["tests/*", "tests/* |", "| anything"])
def test_a_line_without_a_reason_permits_nothing(tmp_path: Path, permitted: str) -> None:
    code, said = compared(tmp_path, permitted)
    assert code == 1
    assert "permitted:1 is not" in said


@pytest.mark.parametrize("report", [None, "", "<testsuites><testsuite/></testsuites>"])
def test_without_a_report_of_tests_nothing_is_green(tmp_path: Path, report: str | None) -> None:
    if report is not None:
        (tmp_path / "report.xml").write_text(report)
    words = [sys.executable, CI / "skips.py", tmp_path / "report.xml", CI / "permitted-skips"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "cannot be told" in done.stderr


def test_every_line_of_the_real_list_names_tests_that_are_there() -> None:
    lines = [line for line in (CI / "permitted-skips").read_text().splitlines() if line and not line.startswith("#")]
    assert lines
    for line in lines:
        assert (CI.parent / line.partition(" | ")[0].partition("::")[0]).is_file(), line

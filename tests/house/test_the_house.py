"""The house tests itself: every rule that can be checked, and for each rule a sample that must be caught."""

import subprocess
import sys

import pytest
from housekeeping import (
    SOURCE,
    forbidden_imports,
    foreign_words,
    imports_of,
    lost_cancellations,
    module_state,
    modules,
    stray_prints,
    texts,
    too_long,
    unknown_rooms,
    wall_clocks,
    without_docstring,
)


def nothing(wrong: list[str]) -> None:
    assert not wrong, "\n" + "\n".join(wrong)


def test_rooms_import_only_what_the_layer_table_allows() -> None:
    nothing(forbidden_imports(modules()))


def test_every_module_is_in_a_room_of_the_layer_table() -> None:
    nothing(unknown_rooms(modules()))


def test_only_the_stamp_of_a_record_reads_the_wall_clock() -> None:
    nothing(wall_clocks(modules()))


def test_only_the_report_and_the_command_line_print() -> None:
    nothing(stray_prints(modules()))


def test_no_function_changes_the_state_of_its_module() -> None:
    nothing(module_state(modules()))


def test_no_cancellation_is_lost() -> None:
    nothing(lost_cancellations(modules()))
    assert len(lost_cancellations({"lab/agent.py": "async def f(x):\n    return await asyncio.wait_for(x, 1)"})) == 1


def test_files_and_functions_are_short() -> None:
    nothing(too_long(modules()))


def test_every_module_opens_with_a_sentence() -> None:
    nothing(without_docstring(modules()))


def test_nothing_names_a_machine_of_ours() -> None:
    nothing(foreign_words(texts()))


def test_importing_holdfast_imports_nothing_else_of_it() -> None:
    code = "import sys, holdfast; print([name for name in sys.modules if name.startswith('holdfast.')])"
    said = subprocess.check_output([sys.executable, "-c", code], text=True, env={"PYTHONPATH": str(SOURCE)})
    assert said.strip() == "[]"


# Each rule is able to fail.


@pytest.mark.parametrize(("file", "text"), [
    ("report/page.py", "from holdfast.lab.verbs import Lab"),
    ("report/page.py", "def f():\n    import holdfast.drills.conduct"),
    ("report/page.py", "from holdfast import topology"),
    ("report/page.py", "from ..engines import engine"),
    ("report/page.py", "from .. import lab"),
    ("report/page.py", "import importlib\nimportlib.import_module('holdfast.lab')"),
    ("report/parts/row.py", "from ...lab import linux"),
    ("report/__init__.py", "from ..lab import linux"),
    ("faults/kill.py", "from holdfast.lab.namespaces import lab"),
    ("faults/kill.py", "from holdfast.lab import linux"),
    ("lab/linux.py", "if True:\n    from holdfast.topology.model import Tier"),
    ("lab/linux.py", "from holdfast.record.store import save"),
    ("topology/load.py", "from holdfast.engines import catalogue"),
    ("record/event.py", "from holdfast.record.store import save"),
    ("blueprint.py", "import holdfast.topology.model as model"),
    ("plan.py", "from holdfast import cli"),
    ("runtime/breaker.py", "from holdfast.errors import Problem"),
    ("__init__.py", "from holdfast.errors import Problem"),
])
def test_a_forbidden_import_is_caught_however_it_is_written(file: str, text: str) -> None:
    assert len(forbidden_imports({file: text})) == 1


@pytest.mark.parametrize(("file", "text"), [
    ("cli.py", "from holdfast.lab.namespaces import lab"),
    ("cli/up.py", "from holdfast.lab.namespaces import lab"),
    ("engines/envoy.py", "from holdfast.engines.engine import Engine\nfrom holdfast.errors import Problem"),
    ("faults/kill.py", "from holdfast.lab.verbs import Lab\nfrom holdfast.lab import verbs"),
    ("lab/namespaces/lab.py", "from ..verbs import Lab\nfrom . import host"),
    ("record/store.py", "from .event import Event"),
    ("report/page.py", "import json\nfrom holdfast.record.measure import Outage"),
])
def test_what_the_table_allows_is_let_pass(file: str, text: str) -> None:
    assert forbidden_imports({file: text}) == []


def test_a_relative_import_is_resolved_from_where_it_stands() -> None:
    assert [name for _, name in imports_of("lab/namespaces/lab.py", "from ..verbs import Lab")] == ["holdfast.lab.verbs.Lab"]
    assert [name for _, name in imports_of("lab/__init__.py", "from .verbs import Lab")] == ["holdfast.lab.verbs.Lab"]


def test_a_room_that_nobody_declared_is_caught() -> None:
    assert unknown_rooms({"manager/main.py": "", "lab/linux.py": "", "__init__.py": ""}) == ["manager/main.py"]


@pytest.mark.parametrize("text", [
    "import time\ntime.time()", "from time import time", "import time\nclock = time.time", "import time\ntime.time_ns()",
    "from datetime import datetime\ndatetime.now()", "import datetime\ndatetime.datetime.utcnow()",
    "import datetime\ndatetime.date.today()",
])
def test_a_wall_clock_is_caught_outside_of_the_function_that_stamps(text: str) -> None:
    assert len(wall_clocks({"record/store.py": text})) == 1
    inside = "def stamp():\n" + "\n".join(f"    {line}" for line in text.splitlines())
    assert wall_clocks({"record/store.py": inside}, frozenset({"record/store.py:stamp"})) == []
    assert len(wall_clocks({"record/other.py": inside}, frozenset({"record/store.py:stamp"}))) == 1


def test_a_monotonic_clock_is_welcome() -> None:
    assert wall_clocks({"lab/linux.py": "import time\ntime.monotonic()"}) == []


def test_a_stray_print_is_caught() -> None:
    assert len(stray_prints({"lab/linux.py": "print(1)", "report/page.py": "print(1)", "cli.py": "print(1)"})) == 1


def test_a_global_statement_is_caught() -> None:
    assert len(module_state({"lab/linux.py": "n = 0\ndef f():\n    global n\n    n = 1"})) == 1


def test_long_files_and_functions_are_caught_and_the_ratchet_does_not_let_them_grow() -> None:
    file, function = "x = 1\n" * 301, "def f():\n" + "    x = 1\n" * 60
    assert len(too_long({"lab/linux.py": file})) == 1
    assert len(too_long({"lab/linux.py": function})) == 1
    assert too_long({"lab/linux.py": file}, {"lab/linux.py": 301}) == []
    assert len(too_long({"lab/linux.py": file + "x = 1\n"}, {"lab/linux.py": 301})) == 1


def test_a_missing_docstring_is_caught() -> None:
    files = {"lab/linux.py": "", "lab/__init__.py": "", "lab/b.py": '"""Yes."""', "cli/__init__.py": "x = 1"}
    assert without_docstring(files) == ["lab/linux.py", "cli/__init__.py"]


@pytest.mark.parametrize("text", ["see /home" + "/anna/x", "cd /wor" + "k/main", "/Use" + "rs/anna", "as the bri" + "ef says"])
def test_a_path_of_a_developers_machine_is_caught(text: str) -> None:
    assert len(foreign_words({"README.md": f"fine\n{text}\n"})) == 1


def test_ordinary_paths_are_let_pass() -> None:
    work = "/wor" + "k"
    assert foreign_words({"README.md": f"/home is 0700; /var/lib{work}/x; a briefing; .{work}/x; /tmp/classic"}) == []

"""What holds for all of health: it is light, needs the standard library only, and says what it exports."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.runtime import health

ROOM = Path(health.__file__).parent
MODULES = sorted(path.stem for path in ROOM.glob("*.py") if path.stem != "__init__")


def said(code: str) -> str:
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return ran.stdout.strip()


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_the_standard_library_only(module: str) -> None:
    for node in ast.walk(ast.parse((ROOM / f"{module}.py").read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            assert name.split(".")[0] in {*sys.stdlib_module_names, "holdfast"}, name


def test_importing_and_making_it_needs_no_asyncio_and_starts_no_thread() -> None:
    # The server alone is an asyncio program.
    modules = ", ".join(f"holdfast.runtime.health.{module}" for module in MODULES if module != "server")
    code = f"import sys, threading, {modules}\n" + (
        "from holdfast.runtime.health import Check, Health\n"
        "health = Health()\n"
        "health.add(Check('it', lambda: None))\n"
        "print('asyncio' in sys.modules, threading.active_count())")
    assert said(code) == "False 1"


def test_a_program_of_plain_checks_never_loads_asyncio() -> None:
    code = (
        "import sys\n"
        "from holdfast.runtime.health import Check, Health\n"
        "health = Health()\n"
        "health.add(Check('it', lambda: None))\n"
        "print(health.ask().status, 'asyncio' in sys.modules)")
    assert said(code) == "pass False"


def test_a_check_that_hangs_does_not_keep_the_program_from_ending() -> None:
    code = (
        "import threading\n"
        "from holdfast.runtime.health import Check, Health\n"
        "health = Health()\n"
        "health.add(Check('it', threading.Event().wait, timeout_s=0.05))\n"
        "print(health.ask().status)")
    assert said(code) == "fail"


def test_every_name_of_the_package_leads_somewhere() -> None:
    text = (ROOM / "__init__.py").read_text()
    for name, module in health._EXPORTS.items():
        assert getattr(health, name).__module__ == f"holdfast.runtime.health.{module}"
        assert f"from holdfast.runtime.health.{module} import {name} as {name}\n" in text, "type checkers know it too"
    assert set(health._EXPORTS) <= set(dir(health))
    with pytest.raises(AttributeError, match="no attribute 'Helth'"):
        health.Helth  # noqa: B018

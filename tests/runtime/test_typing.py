"""The runtime is typed strictly, and its decorators keep the types of what they decorate."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "src"
# Third parties without types of their own, of which mypy needs stubs to judge the adapters.
STUBS = ("grpc-stubs", "requests-stubs")


def complaints(tmp_path: Path, *words: str) -> str:
    pytest.importorskip("mypy", reason="mypy is not installed")
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", str(tmp_path), *words]
    environment = {**os.environ, "MYPYPATH": str(SOURCE)}
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, cwd=HERE.parents[1])
    return ran.stdout + ran.stderr


def test_decorated_functions_keep_their_types(tmp_path: Path) -> None:
    assert complaints(tmp_path, str(HERE / "typed_use.py")) == ""


def test_the_runtime_passes_the_strict_check(tmp_path: Path) -> None:
    clients = (
        "aiohttp", "grpc", "httpx", "kubernetes", "limits", "opentelemetry", "prometheus_client", "psycopg", "redis", "requests",
    )
    places = [Path(place) for place in sys.path if place]
    stubs = all(any((place / name).is_dir() for place in places) for name in STUBS)
    whole = stubs and all(importlib.util.find_spec(name) for name in clients)
    # Without the clients and their stubs every name of theirs would be a complaint.
    assert complaints(tmp_path, str(SOURCE / "holdfast" / "runtime"), *(() if whole else ("--exclude", "/extras/"))) == ""

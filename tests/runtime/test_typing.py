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
STUBS = ("grpc-stubs", "grpc_health-stubs", "requests-stubs")
CLIENTS = (
    "aiohttp", "grpc", "grpc_health", "httpx", "kubernetes", "limits", "opentelemetry", "prometheus_client", "psycopg", "redis",
    "requests", "sqlalchemy",
)


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Of one run over everything: most of its time goes into reading the types of the standard library."""
    pytest.importorskip("mypy", reason="mypy is not installed")
    places = [Path(place) for place in sys.path if place]
    stubs = all(any((place / name).is_dir() for place in places) for name in STUBS)
    whole = stubs and all(importlib.util.find_spec(name) for name in CLIENTS)
    # Without the clients and their stubs every name of theirs would be a complaint.
    words = [str(HERE / "typed_use.py"), str(SOURCE / "holdfast" / "runtime"), *(() if whole else ("--exclude", "/extras/"))]
    cache = str(tmp_path_factory.mktemp("mypy"))
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", cache, *words]
    environment = {**os.environ, "MYPYPATH": str(SOURCE)}
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, cwd=HERE.parents[1])
    return (ran.stdout + ran.stderr).splitlines()


def test_decorated_functions_keep_their_types(complaints: list[str]) -> None:
    assert [line for line in complaints if "typed_use" in line] == []


def test_the_runtime_passes_the_strict_check(complaints: list[str]) -> None:
    assert [line for line in complaints if "typed_use" not in line] == []

"""The page about the breaker shows only what runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "runtime" / "breaker.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_of_the_page_runs(example: str) -> None:
    environment = {"PYTHONPATH": ":".join(sys.path)}
    ran = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, timeout=30, env=environment)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) >= 3

"""The examples of the page that need a store run against real ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "runtime" / "election.md"
BLOCKS = re.findall(r"^```py\n(.*?)^```", PAGE.read_text(), re.M | re.S)


@pytest.mark.real
@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_the_example_runs_against_real_stores(number: int, etcd: str, postgres: str) -> None:
    exec(compile(BLOCKS[number], f"{PAGE.name}, example {number}", "exec"), {"ETCD": etcd, "DSN": postgres})


def test_both_fences_are_shown() -> None:
    assert any("token <= %" in block for block in BLOCKS)
    assert any("held(" in block for block in BLOCKS)

"""docs/balancers.md says what the engines say of themselves, and names the command for every figure."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tools.balancers import NAMES, abilities, topology  # noqa: E402

PAGE = (ROOT / "docs" / "balancers.md").read_text()


def test_what_each_engine_can_do_is_on_the_page_word_for_word() -> None:
    assert abilities() in PAGE, "run: python -m tools.balancers --abilities"


def test_the_commands_that_reproduce_the_figures_are_there() -> None:
    assert "python -m tools.balancers --repeat" in PAGE
    assert "python -m tools.bench_balancers" in PAGE


def test_each_example_is_the_same_for_each_engine_but_for_its_name_and_its_queues() -> None:
    for name in ("topology", "session", "two-addresses"):
        texts = {topology(engine, name).replace(f"engine: {engine} ", "engine: X ") for engine in NAMES}
        assert len(texts) == 1, name
    assert "uses: {web: {timeout: 2s, max_pending: 6}}" in topology("haproxy", "crowd")
    assert "uses: {web: {timeout: 2s}}" in topology("nginx", "crowd")

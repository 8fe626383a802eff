"""docs/topology.md says what the models say."""

import re
import sys
from pathlib import Path

import yaml

from holdfast.engines.catalogue import ENGINES
from holdfast.faults.catalogue import FAULTS

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tools.reference import PLACE, reference  # noqa: E402


def test_the_reference_of_the_file_is_current() -> None:
    assert PLACE.read_text("utf-8") == reference(), "run: make reference"


def test_it_names_every_engine_and_fault_and_says_something_of_every_key() -> None:
    text = reference()
    assert all(f"### engine: {name}\n" in text for name in ENGINES)
    assert all(f"| `{name}` |" in text for name in FAULTS)
    assert not re.findall(r"^\| `.*\| *\|$", text.partition("### faults")[0], re.MULTILINE)


def test_what_it_shows_of_a_tier_is_yaml() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", reference(), re.DOTALL)
    assert len(blocks) > 4
    for block in blocks:
        yaml.safe_load(re.sub(r"^(\w+):", lambda found: f"{found[1]}{found.start()}:", block, flags=re.MULTILINE))

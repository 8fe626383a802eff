"""What docs/ci.md tells users to paste is YAML, and its commands are ones that holdfast takes."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from holdfast.cli.arguments import parser

TEXT = (Path(__file__).parents[2] / "docs" / "ci.md").read_text()
PASTED = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)


def strings(part: Any) -> list[str]:
    if isinstance(part, dict):
        return [text for value in part.values() for text in strings(value)]
    if isinstance(part, list):
        return [text for value in part for text in strings(value)]
    return [part] if isinstance(part, str) else []


def commands() -> list[str]:
    in_yaml = [text for block in PASTED for text in strings(yaml.safe_load(block))]
    in_shell = re.findall(r"^\$ (holdfast .*?)(?:\s+#.*)?$", TEXT, re.MULTILINE)
    found = [re.sub(r'.*"\$\(which holdfast\)"', "holdfast", text.strip()) for text in (*in_yaml, *in_shell)]
    return [text for text in found if text.startswith("holdfast ")]


def test_there_is_a_workflow_for_both() -> None:
    github, gitlab = (yaml.safe_load(block) for block in PASTED)
    assert github["jobs"]["drill"]["runs-on"] == "ubuntu-latest"
    assert gitlab["failover"]["artifacts"]["reports"] == {"junit": "junit.xml"}
    assert len(commands()) >= 6


@pytest.mark.parametrize("command", commands())
def test_every_command_is_one_that_holdfast_takes(command: str) -> None:
    assert parser().parse_args(command.split()[1:]).verb


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", TEXT):
        assert (Path(__file__).parents[2] / "docs" / target).exists(), target

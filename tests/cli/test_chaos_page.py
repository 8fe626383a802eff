"""docs/chaostoolkit.md and the experiment that it runs name activities that are there, with arguments that they take."""

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

from holdfast.chaostoolkit import actions, probes

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "chaostoolkit.md").read_text()
EXPERIMENT = json.loads((ROOT / "examples" / "shop" / "experiment.json").read_text())
MODULES = {"holdfast.chaostoolkit.actions": actions, "holdfast.chaostoolkit.probes": probes}


def activities(part: Any) -> list[dict[str, Any]]:
    if isinstance(part, list):
        return [found for each in part for found in activities(each)]
    if not isinstance(part, dict):
        return []
    return [part] if "provider" in part else [found for each in part.values() for found in activities(each)]


@pytest.mark.parametrize("activity", activities(EXPERIMENT), ids=lambda each: each["name"])
def test_every_activity_of_the_example_can_be_called(activity: dict[str, Any]) -> None:
    provider = activity["provider"]
    function = getattr(MODULES[provider["module"]], provider["func"])
    inspect.signature(function).bind(**provider.get("arguments", {}), configuration={})
    assert (activity["type"] == "action") == (provider["module"] == "holdfast.chaostoolkit.actions")


def test_chaos_toolkit_itself_finds_the_example_valid() -> None:
    from chaoslib.experiment import ensure_experiment_is_valid

    ensure_experiment_is_valid(EXPERIMENT)


def test_the_page_has_a_row_for_every_activity() -> None:
    for module in MODULES.values():
        for name in module.__all__:
            assert re.search(rf"^\| (action|probe) \| .*`{name}` \|", PAGE, re.MULTILINE), name


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target


def test_without_a_lab_an_activity_fails_with_the_remedy(tmp_path: Path) -> None:
    from chaoslib.exceptions import ActivityFailed

    runs = {"holdfast_runs": str(tmp_path / "none")}
    for ask in (lambda: actions.mend(runs), lambda: probes.redundant(runs), lambda: actions.strike("kill", configuration=runs)):
        with pytest.raises(ActivityFailed, match="start one with `holdfast up`"):
            ask()
    with pytest.raises(ActivityFailed, match="soon"):
        probes.steady("soon", runs)

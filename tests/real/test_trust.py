"""That a verdict can be trusted, in short: `make soak` does the same at length."""

from pathlib import Path

from conftest import needs, needs_namespaces

from holdfast.errors import NOT_STRUCK
from tools.soak import disabled, seeds
from tools.soak.running import result, web

TWO = (
    "{fault: kill, tier: web, target: one, for: 2s}",
    "{fault: power_cut, tier: web, target: all, for: 3s, objectives: {read_outage: 1s}}",  # more than it allows
)


def test_a_fault_that_silently_does_nothing_is_never_green(tmp_path: Path) -> None:
    needs("haproxy")
    needs_namespaces()
    topology = web(tmp_path / "topology", *map(disabled.drill_of, ("freeze", "reload")))
    source = disabled.disabled_source(tmp_path / "source")

    code, told, _ = result(tmp_path, "drill", topology, "--seed", 1, source=source)

    assert [drill["verdict"] for drill in told["drills"]] == ["void"] * 2
    assert code == NOT_STRUCK


def test_the_same_seed_gives_the_same_verdicts_good_or_bad(tmp_path: Path) -> None:
    needs("haproxy")
    needs_namespaces()

    outcome = seeds.twice(tmp_path, web(tmp_path / "topology", *TWO), "7")

    assert outcome.passed, outcome.said
    assert outcome.figures["verdicts"] == "met, violated"
    assert outcome.figures["struck the same"] == "2 of 2"

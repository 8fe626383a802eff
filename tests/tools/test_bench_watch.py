"""The comparison with blackbox_exporter: what is not installed is skipped by name, and what is not kept is not sustained."""

import argparse

import pytest

from tools import bench_watch


def test_an_exporter_that_is_not_installed_is_skipped_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    (said,) = bench_watch.compared(argparse.Namespace(seconds=1.0, rounds=1), 1, 2)
    assert said.startswith("skipped: the comparison with blackbox_exporter")


@pytest.mark.parametrize(("per_s", "answered", "sustained"), [
    (500, 0.9, True), (495, 0.8911, True), (494, 0.9, False), (500, 0.89, False), (500, 0.01, False),
])
def test_a_rate_is_sustained_when_nearly_all_is_asked_and_answered(per_s: float, answered: float, sustained: bool) -> None:
    found = bench_watch.Round(per_s=per_s, late_p50_s=0, late_p99_s=0, told_p99_s=0, core=0.5, answered=answered)
    assert found.sustains(500) is sustained

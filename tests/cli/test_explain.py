"""`holdfast explain` as a person types it: like the other verbs, the topology first, or none where one stands."""

import json
from pathlib import Path

import pytest

from holdfast.cli import main

CLASSIC = str(Path(__file__).parents[2] / "examples" / "classic")


@pytest.mark.parametrize("words", [[CLASSIC, "switchover"], ["--topology", CLASSIC, "switchover"]])
def test_a_topology_and_a_fault_give_its_chain(words, capsys):
    assert main(["explain", *words]) == 0
    out = capsys.readouterr().out
    assert "as orders sees it" in out
    assert "the old primary shuts down" in out


def test_a_fault_alone_is_of_the_topology_in_this_folder(monkeypatch, capsys):
    monkeypatch.chdir(CLASSIC)
    assert main(["explain", "switchover"]) == 0
    assert "the old primary shuts down" in capsys.readouterr().out


def test_a_topology_alone_gives_the_table_and_json_the_same(capsys):
    assert main(["explain", CLASSIC]) == 0
    assert "setting that costs most" in capsys.readouterr().out
    assert main(["explain", CLASSIC, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {"drill", "probe", "low_s", "high_s", "unbounded", "chain"} <= told["promises"][0].keys()


@pytest.mark.parametrize(("words", "told"), [
    ([CLASSIC, "quake"], "'quake' is no fault"), ([CLASSIC, "freeze", "web"], "more than one topology and one fault"),
    (["no/where"], "no/where"),
])
def test_a_mistake_is_told(words, told, capsys):
    assert main(["explain", *words]) == 2
    err = capsys.readouterr().err
    assert told in err
    assert "--only" not in err

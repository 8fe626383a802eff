"""What may stand under `reliability:`: the loader and the JSON Schema take and refuse the same."""

from pathlib import Path

import jsonschema
import pytest
import yaml

from holdfast.cli.service import kinds, sensible
from holdfast.errors import Refused
from holdfast.quantities import shares, spans
from holdfast.topology.schema import schema

SCHEMA = schema(kinds())

SHOP = """\
service: shop
reliability: {0}
tiers:
  web: {{engine: command, run: python3 app.py, capacity: 100, demand: 50.5, reliability: {1}}}
probes:
  pages: {{http: "http://web/"}}
"""

GOOD = [
    ("{beta: 10%, repair_crews: 2, hosts: {mtbf: [1y, 4y], mttr: 4h}}", "{mtbf: 90d, coverage: [90%, 99%]}"),
    ("{region: {sla: 99.99%}, zones: {availability: [99.9%, 99.99%], mttr: 2h}}", "{mttr: 30s}"),
    ("{shared: {dns: {sla: 99.9%}, cert: {mtbf: 5y, mttr: 2h, tiers: [web]}}, engines: {command: {mtbf: 1y}}}", "{}"),
    ("null", "null"),
]
BAD = [
    ("{beta: 200%}", "{}"), ("{hosts: {mtbf: 4}}", "{}"), ("{hosts: {mtbf: [1y, 2y, 3y]}}", "{}"), ("{repair_crews: 0}", "{}"),
    ("{crews: 2}", "{}"), ("{}", "{mtff: 1y}"), ("[]", "{}"),
]


def read(tmp_path: Path, said: tuple[str, str]):
    (tmp_path / "app.py").touch()
    text = SHOP.format(*said)
    (tmp_path / "topology.yaml").write_text(text)
    return sensible(str(tmp_path)), yaml.safe_load(text)


@pytest.mark.parametrize("said", GOOD)
def test_what_is_right_is_taken_by_both(tmp_path, said):
    topology, raw = read(tmp_path, said)
    jsonschema.validate(raw, SCHEMA)
    assert topology.tiers["web"].demand == 50.5


@pytest.mark.parametrize("said", BAD)
def test_what_is_wrong_is_refused_by_the_loader_with_line_and_remedy(tmp_path, said):
    with pytest.raises(Refused) as refused:
        read(tmp_path, said)
    assert all(problem.remedy and ":2:" in problem.where or ":4:" in problem.where for problem in refused.value.problems)


@pytest.mark.parametrize("said", [each for each in BAD if each != ("{beta: 200%}", "{}")])
def test_what_is_wrong_is_marked_in_an_editor(said):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(SHOP.format(*said)), SCHEMA)


def test_a_range_has_two_ends_and_one_value_is_both():
    year_s = 365.25 * 86400
    assert spans("2y") == (2 * year_s, 2 * year_s)
    assert spans(["90d", "1y"]) == (90 * 86400, year_s)
    assert shares("99.9%") == (0.999, 0.999)
    with pytest.raises(ValueError, match="write the smaller one first"):
        spans(["1y", "90d"])
    with pytest.raises(ValueError, match=r"write it with a unit \(us, ms, s, m, min, h, d, y\)"):
        spans("90")

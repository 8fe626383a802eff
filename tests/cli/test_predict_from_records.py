"""`holdfast predict --records`: failover and repair times out of a real run of examples/classic, five of its drills."""

import gzip
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.cli import main
from holdfast.cli.measured import measured
from holdfast.cli.service import sensible
from holdfast.errors import BAD_INPUT, MET, Refused
from holdfast.predict.yearly import Prediction
from holdfast.record.event import Asked
from holdfast.record.store import Record, read

CLASSIC = str(Path(__file__).parents[2] / "examples" / "classic")
RECORDED = Path(__file__).parent / "recorded" / "classic.sqlite.gz"
DB = "tiers.db.reliability.failover"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of the recorded run."""
    folder = tmp_path / "runs" / "classic-20261126-064005"
    folder.mkdir(parents=True)
    (folder / "record.sqlite").write_bytes(gzip.decompress(RECORDED.read_bytes()))
    return folder


def record(run: Path) -> Record:
    return read(run / "record.sqlite")


def test_failover_and_repair_times_are_those_of_the_drills(run):
    found = measured([record(run)], sensible(CLASSIC))
    assert sorted(found) == ["reliability.engines.command.mttr", "reliability.engines.patroni.mttr", DB,
                             "tiers.web.reliability.failover"]  # fmt: skip
    low_s, high_s = found[DB].low * 3600, found[DB].high * 3600
    assert (low_s, high_s) == pytest.approx((1.563, 22.343), abs=0.001), "a killed PostgreSQL, and a host without power"
    assert "n = 2, 1.56 s to 22.3 s (kill 1, power_cut 1)" in found[DB].source


def test_the_page_has_what_was_measured_on_the_bars_of_what_was_promised(run, tmp_path, capsys):
    out = tmp_path / "page.html"
    assert main(["predict", CLASSIC, "--records", str(run), "--page", str(out)]) == MET
    text = out.read_text()
    rows = re.findall(r"<th scope=row>power_cut db</th><td>orders</td>.*?</tr>", text)
    (row,) = [row for row in rows if '<path class="mark"' in row]
    assert len(rows) == 2
    assert "etcd is not on a struck host" in row, "the case that it turned out to be"
    assert "measured 22.3 s" in row
    assert "<td class=number>22.3 s" in row
    assert "19.1 s to 24.7 s by the settings of what was measured" in row
    other = re.search(r"<th scope=row>power_cut entry</th><td>pages</td>.*?</tr>", text)[0]
    assert 'class="mark"' not in other
    main(["predict", CLASSIC, "--page", str(out)])
    assert 'class="mark"' not in out.read_text()


def test_one_sample_alone_is_no_certainty(run):
    found = measured([record(run)], sensible(CLASSIC))["reliability.engines.patroni.mttr"]
    assert found.high == pytest.approx(4 * found.low)
    assert "n = 1" in found.source
    assert "half to double" in found.source


def test_the_prediction_rests_on_them(run):
    topology = sensible(CLASSIC)
    shown = measured([record(run)], topology)
    plain, drilled = Prediction(topology), Prediction(topology, shown)
    assert drilled.known[DB].tag == "measured"
    assert drilled.unavailability("orders") < plain.unavailability("orders"), "a kill is over sooner than a silent host"
    assert drilled.known[DB].middle == pytest.approx((1.563 * 22.343) ** 0.5 / 3600, rel=1e-3)


def test_a_failover_that_never_came_is_not_counted_as_one_and_is_told(run):
    whole = record(run)
    silenced = tuple(replace(one, answer="no") if one.drill == "power_cut db" and one.probe == "orders" else one
                     for one in whole.asked)  # fmt: skip
    assert any(isinstance(one, Asked) for one in silenced)
    found = measured([replace(whole, asked=silenced)], sensible(CLASSIC))[DB]
    assert found.high * 3600 == pytest.approx(2 * 1.563, abs=0.01)
    assert "1 more without end, not counted" in found.source


def test_a_run_of_another_service_is_refused(run):
    with pytest.raises(Refused) as refused:
        measured([record(run)], replace(sensible(CLASSIC), service="shop"))
    assert "of the service classic, not of shop" in str(refused.value.problems[0])


@pytest.mark.parametrize("named", ["folder", "record", "all runs"])
def test_runs_are_named_by_folder_by_record_or_all_at_once(run, named, capsys):
    words = {"folder": str(run), "record": str(run / "record.sqlite"), "all runs": str(run.parent)}[named]
    assert main(["predict", CLASSIC, "--records", words]) == MET
    told = capsys.readouterr().out
    assert "It rests on 24 figures: 0 declared, 4 measured, 20 default." in told
    assert re.search(rf"Measured: {re.escape(DB)}, 1.56 s to 22.3 s, by drills of classic-20261126-064005: n = 2", told)


def test_programs_read_them_too_and_every_kind_of_answer_uses_them(run, capsys):
    main(["predict", CLASSIC, "--records", str(run), "--json", "--next-nine", "--set", "tiers.web.replicas=4"])
    told = json.loads(capsys.readouterr().out)
    tags = {each["name"]: each["tag"] for each in told["figures"]}
    assert tags[DB] == "measured"


def test_a_timer_that_is_set_moves_what_was_measured_and_that_is_told(run, capsys):
    main(["predict", CLASSIC, "--records", str(run), "--set", "tiers.db.ttl=60s"])
    (line,) = [each for each in capsys.readouterr().out.splitlines() if each.startswith(f"Measured: {DB}")]
    assert "1.56 s to 22.3 s (kill 1, power_cut 1); moved by what the change does to the engines' delays" in line
    assert "1.56 s to 22.3 s, by" not in line


def test_a_run_that_is_not_there_is_told(capsys, tmp_path):
    assert main(["predict", CLASSIC, "--records", "nowhere", "--runs", str(tmp_path)]) == BAD_INPUT
    assert "there is no run nowhere" in capsys.readouterr().err

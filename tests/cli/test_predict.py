"""`holdfast predict`: what a person sees, what a program reads, and what is refused."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from holdfast.cli import main
from holdfast.errors import BAD_INPUT, MET
from holdfast.predict.gates import AtLeast, Event
from holdfast.predict.likeliest import likeliest
from holdfast.predict.tree import FaultTree

CLASSIC = str(Path(__file__).parents[2] / "examples" / "classic")


def test_the_answer_is_an_interval_with_three_drivers_and_says_what_it_rests_on(capsys):
    assert main(["predict", CLASSIC]) == MET

    told = capsys.readouterr().out
    assert "in a year of 365.25 days" in told
    assert re.search(r"^  service +[\d.]+ min to [\d.]+ (min|h) ", told, re.MULTILINE)
    assert re.search(r"The objective of 99.95% allows 263 min a year: kept by \d+% of the samples", told)
    drivers = told.split("what drives it most")[1].split("\n\n")[0].splitlines()[1:]
    assert len(drivers) == 3
    assert "beta factor of 5% to 20% (default)" in told
    assert "Not counted, because nothing says how often they fail: DNS" in told
    assert re.search(r"^power_cut db +pages .*\n +orders +21\.\d s to 2\d\.\d s", told, re.MULTILINE)


def test_outages_their_length_and_failing_over_have_ranges_too(tmp_path, capsys):
    main(["predict", CLASSIC, "--page", str(tmp_path / "page.html")])
    told = capsys.readouterr().out
    assert re.search(r"^  service  [\d.]+ to [\d.]+, middle [\d.]+ +[\d.]+ min to [\d.]+ min, middle [\d.]+", told, re.M)
    summary = re.search(r'<p class="summary">(.*?)</p>', (tmp_path / "page.html").read_text())[1]
    assert re.fullmatch(r"Down for .* a year, in [\d.]+ to [\d.]+ outages of [\d.]+ min to [\d.]+ min on average\.", summary)
    main(["predict", CLASSIC, "--json"])
    for path in json.loads(capsys.readouterr().out)["paths"]:
        for name, ends in path["spread"].items():
            assert ends["low"] < path[name] < ends["high"]


def test_figures_are_listed_with_their_sources(capsys):
    main(["predict", CLASSIC, "--figures", "--set", "reliability.hosts.mtbf=[2y, 4y]"])
    told = capsys.readouterr().out
    assert re.search(r"reliability\.hosts\.mtbf +2 y to 4 y +declared +the topology", told)
    assert re.search(r"reliability\.zones\.mttr +1 h to 6 h +default +J\. Dean", told)


def test_an_agreement_is_never_taken_for_an_availability_without_a_word(capsys):
    main(["predict", CLASSIC, "--set", "reliability.shared.dns.sla=99.99%"])
    told = capsys.readouterr().out
    assert "An SLA is the threshold below which a provider pays credits" in told
    assert "! shared dns" in told
    assert "Not counted" not in told


def test_a_change_is_shown_beside_what_was_without_it(capsys):
    main(["predict", CLASSIC, "--set", "tiers.web.replicas=1"])
    told = capsys.readouterr().out
    assert "as if tiers.web.replicas=1" in told
    assert re.search(r"Without the change it would be [\d.]+ min: [\d.]+ (min|h) more now", told)
    assert "! host web1" in told


def test_next_nine_lists_changes_best_first(capsys):
    main(["predict", CLASSIC, "--next-nine"])
    rows = capsys.readouterr().out.split("gain a year")[1].split("\n\n")[0].splitlines()[1:]
    assert len(rows) > 8
    assert "a person acts in half the time" in rows[0]
    assert any("--set 'tiers.web.replicas=4'" in row for row in rows)


def test_years_by_chance_show_how_unlike_one_is_to_another(capsys):
    assert main(["predict", CLASSIC, "--years", "2000"]) == MET
    told = capsys.readouterr().out
    assert re.search(r"Of 2,000 years played by chance, all figures at their middle, half have less than [\d.]+ min", told)
    assert re.search(r"\d+% miss the objective", told)
    assert main(["predict", CLASSIC, "--years", "7"]) == BAD_INPUT
    assert "write one from 100 to 1000000" in capsys.readouterr().err


def test_years_say_what_they_leave_out_and_where_they_are_mere_chance(capsys):
    main(["predict", CLASSIC, "--years", "200"])
    told = capsys.readouterr().out
    assert re.search(r"Left out of them: tiers of equals that fail over, where one in so many .* of `middle`", told)
    assert "six nines" not in told
    nines = ["region={mtbf: 1000y, mttr: 1m}", "beta=0.0001%", "coverage=99.9999%", "failover_test=1h",
             "zones={mtbf: 30y, mttr: 1h}",
             "hosts={mtbf: 10y, mttr: 1h}",
             "engines={haproxy: {mtbf: 30y}, patroni: {mtbf: 30y}, keepalived: {mtbf: 30y}}"]
    changes = [word for each in nines for word in ("--set", f"reliability.{each}")]
    main(["predict", CLASSIC, "--years", "200", "--set", "tiers.db.reliability.failover=10s", *changes])
    told = capsys.readouterr().out
    assert re.search(r"At six nines and more these are chance rather than knowledge: an outage comes once in [\d.]+ years", told)
    assert re.search(r"With failures made likelier and weighed back it is [\d.]+ s a year \(standard error [\d.]+ m?s", told)


def test_json_holds_the_same_for_programs(capsys):
    assert main(["predict", CLASSIC, "--json", "--next-nine"]) == MET
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "holdfast.predict/1"
    service = found["paths"][0]
    assert service["path"] == "service"
    assert service["down_min"]["low"] < service["down_min"]["middle"] < service["down_min"]["high"]
    assert len(service["drivers"]) == 3
    assert {each["tag"] for each in found["figures"]} == {"default"}
    assert found["cut_sets_by_order"]["1"] == len(found["single_points"])
    gains = [each["gain_min"] for each in found["gains"]]
    assert gains == sorted(gains, reverse=True)


def test_what_takes_it_down_together_is_listed_likeliest_first_and_the_rest_counted(capsys, tmp_path):
    main(["predict", CLASSIC, "--cut-sets", "2"])
    told = capsys.readouterr().out
    assert "minimal cut sets: 8 of order 1, 48 of order 2\n" in told
    rows = told.split("what takes it down together")[1].split("\n\n")[0].splitlines()
    assert [row for row in rows if "zone a + zone b" in row]
    assert rows[-1] == "  and 40 more up to order 2; `--json` has the likeliest 1,000 of all"
    page = tmp_path / "page.html"
    main(["predict", CLASSIC, "--json", "--page", str(page)])
    found = json.loads(capsys.readouterr().out)
    assert len(found["cut_sets"]) == sum(found["cut_sets_by_order"].values()) == 92
    often = [each["probability"] for each in found["cut_sets"]]
    assert often == sorted(often, reverse=True)
    assert [each["events"] for each in found["cut_sets"] if each["events"] == ["zone a", "zone b"]]
    assert found["cut_sets_left_out"] == 0
    assert "<td>zone a + zone b</td>" in page.read_text()
    assert "And 54 more up to order 3." in page.read_text()
    assert main(["predict", CLASSIC, "--cut-sets", "0"]) == BAD_INPUT


def test_more_cut_sets_than_can_be_walked_through_are_counted_and_left_out(monkeypatch):
    tree = FaultTree(AtLeast(2, *(Event(f"disk{n}", 0.01 * (n + 1)) for n in range(4))))
    whole = likeliest(tree, tree.numbers(), 2)
    assert whole.likeliest[0][0] == ("disk2", "disk3")
    assert whole.likeliest[0][1] == pytest.approx(0.03 * 0.04)
    monkeypatch.setattr("holdfast.predict.likeliest.WALKED", 5)
    few = likeliest(tree, tree.numbers(), 2)
    assert (few.counts, few.likeliest, few.left_out) == ({2: 6}, (), 6)


class Reader(HTMLParser):
    """Tags that are open, and everything that is loaded from elsewhere."""

    def __init__(self):
        super().__init__()
        self.open, self.loaded, self.classes = [], [], []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.loaded += [found[key] for key in ("src", "href") if key in found]
        self.classes.append((tag, found.get("class", "")))
        if tag not in ("meta", "rect", "line", "i", "li", "path", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in ("rect", "line", "i", "li", "path"):
            assert self.open.pop() == tag


def test_the_page_needs_nothing_else_and_shows_what_stands_alone_in_red(tmp_path, capsys):
    out = tmp_path / "expect.html"
    assert main(["predict", CLASSIC, "--page", str(out), "--set", "tiers.web.replicas=1"]) == MET
    assert "page: " in capsys.readouterr().out
    reader = Reader()
    reader.feed(out.read_text())
    assert reader.open == []
    assert reader.loaded == []
    red = [tag for tag in reader.classes if tag == ("g", "box alone")]
    assert len(red) == 1
    assert ("rect", "region alone") in reader.classes
    assert len([tag for tag in reader.classes if tag[1].startswith("swing ")]) == 12


def test_names_on_the_page_are_text_and_nothing_more(tmp_path):
    (tmp_path / "app.py").touch()
    text = """\
service: shop
zones: [a]
reliability: {shared: {"<b>dns</b>": {sla: 99.9%}}}
tiers:
  web: {engine: command, run: python3 app.py}
probes:
  pages: {http: "http://web/"}
"""
    (tmp_path / "topology.yaml").write_text(text)
    out = tmp_path / "expect.html"
    assert main(["predict", str(tmp_path), "--page", str(out)]) == MET
    assert "<b>dns" not in out.read_text()
    assert "&lt;b&gt;dns" in out.read_text()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--set", "tiers.dbb.replicas=2"], "there is no tier 'dbb'; did you mean 'db'?"),
        (["--page", "/nowhere/at/all.html"], "cannot write the page"),
        (["--sett", "a=b"], "did you mean '--set'?"),
    ],
)
def test_bad_input_is_told_with_a_remedy(words, says, capsys):
    code = main(["predict", CLASSIC, *words])
    told = capsys.readouterr()
    assert code == BAD_INPUT
    assert says in told.out + told.err
    assert "remedy: " in told.out + told.err

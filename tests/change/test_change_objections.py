"""What cannot be changed while a service runs is told before anything starts."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest
from versions import CLASSIC, EXAMPLES, with_settings

from holdfast.change.objections import change_objections, scale_objections
from holdfast.change.version import scaled
from holdfast.cli.service import sensible
from holdfast.errors import Refused
from holdfast.topology.model import Topology

WHERE = "topology.yaml:50:3"


def with_tier(topology: Topology, tier: str, **fields: object) -> Topology:
    return replace(topology, tiers={**topology.tiers, tier: topology.tiers[tier].model_copy(update=fields)})


def said(before: Topology, after: Topology) -> list[str]:
    return [problem.what for problem in change_objections(before, after, WHERE)]


def test_settings_and_sizes_may_change():
    assert said(CLASSIC, with_settings(CLASSIC, "entry", check_interval=1.0)) == []
    assert said(CLASSIC, scaled(CLASSIC, "web", 5)) == []
    assert said(CLASSIC, scaled(CLASSIC, "db", 4)) == []


@pytest.mark.parametrize(("after", "word"), [
    (replace(CLASSIC, network=IPv4Network("10.0.2.0/24")), "the network would change"),
    (replace(CLASSIC, service="other"), "the service's name would change"),
    (with_tier(CLASSIC, "web", engine="haproxy"), "the engine of web would change"),
    (with_tier(CLASSIC, "entry", vip=IPv4Address("10.0.1.101")), "the virtual IP of entry would change"),
    (with_tier(CLASSIC, "etcd", replicas=1), "the consensus etcd would have 1 members instead of 3"),
    (with_settings(CLASSIC, "db", user="other"), "user of db would change"),
    (with_settings(CLASSIC, "web", port=8081), "web would listen on another port"),
])  # fmt: skip
def test_what_clients_or_data_depend_on_may_not(after: Topology, word: str):
    assert any(word in what for what in said(CLASSIC, after))


def test_a_new_tier_in_front_would_move_the_others():
    tiers = {"cache": CLASSIC.tiers["web"], **CLASSIC.tiers}
    assert any("would move from" in what for what in said(CLASSIC, replace(CLASSIC, tiers=tiers)))


def test_a_program_more_on_a_host_that_runs_is_another_operation():
    tiers = {**CLASSIC.tiers, "helper": CLASSIC.tiers["web"].model_copy(update={"on": "db"})}
    assert any("would come to a host that runs already" in what for what in said(CLASSIC, replace(CLASSIC, tiers=tiers)))


@pytest.mark.parametrize(("tier", "to", "out", "word"), [
    ("web", 3, True, "is no scale out"), ("web", 3, False, "is no scale in"), ("etcd", 5, True, "consensus of fixed members"),
    ("db", 2, False, "is on the hosts of db that would go"),
])  # fmt: skip
def test_a_size_that_makes_no_sense_is_refused(tier: str, to: int, out: bool, word: str):
    (problem,) = scale_objections(CLASSIC, tier, to, out=out, where=WHERE)
    assert word in problem.what
    assert problem.where == WHERE


def test_a_database_never_shrinks_below_what_a_commit_waits_for(tmp_path):
    text = (EXAMPLES / "classic" / "topology.yaml").read_text().replace("../shop/app.py", str(EXAMPLES / "shop" / "app.py"))
    text = text.replace("    on: db", "").replace("    engine: patroni\n    replicas: 3", "    engine: patroni\n    replicas: 4")
    (tmp_path / "topology.yaml").write_text(text + "drills:\n  - {fault: scale_in, tier: db, to: 1}\n")
    with pytest.raises(Refused) as refused:
        sensible(str(tmp_path))
    told = [str(problem) for problem in refused.value.problems]
    assert any("1 synchronous standbys do not exist among 1 replicas" in each for each in told), told


def test_a_file_to_change_to_is_read_and_its_mistakes_are_told(tmp_path):
    text = (EXAMPLES / "classic" / "topology.yaml").read_text().replace("../shop/app.py", str(EXAMPLES / "shop" / "app.py"))
    (tmp_path / "next.yaml").write_text(text.replace("engine: haproxy", "engine: haproxi"))
    (tmp_path / "topology.yaml").write_text(text + "drills:\n  - {fault: config_change, to: next.yaml}\n")
    with pytest.raises(Refused) as refused:
        sensible(str(tmp_path))
    assert any("haproxi" in str(problem) and "next.yaml" in str(problem) for problem in refused.value.problems)


def test_a_file_that_changes_nothing_is_no_drill(tmp_path):
    text = (EXAMPLES / "classic" / "topology.yaml").read_text().replace("../shop/app.py", str(EXAMPLES / "shop" / "app.py"))
    (tmp_path / "next.yaml").write_text(text)
    (tmp_path / "topology.yaml").write_text(text + "drills:\n  - {fault: config_change, to: next.yaml}\n")
    with pytest.raises(Refused) as refused:
        sensible(str(tmp_path))
    assert any("nothing would change" in str(problem) for problem in refused.value.problems)

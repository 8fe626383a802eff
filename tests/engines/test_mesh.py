"""What `mesh:` means, end to end of the pure half: tiers, ports, who is let in, certificates, steps of a change, promises."""

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from helpers import PRODUCTION, meshed

from holdfast.blueprint import Blueprint
from holdfast.change.rollout import rollout
from holdfast.change.version import scaled, version
from holdfast.cli.service import sensible, values_of
from holdfast.engines import mesh
from holdfast.engines.catalogue import ENGINES
from holdfast.errors import Refused
from holdfast.plan import plan
from holdfast.predict.known import Book
from holdfast.predict.promise import promises
from holdfast.predict.service import service_of
from holdfast.predict.strike import Strike
from holdfast.topology.model import Topology
from holdfast.watch.targets import of_topology

EXAMPLE = Path(__file__).parents[2] / "examples" / "mesh"
TIERS = """service: shop
tiers:
  entry: {engine: haproxy, routes: {http: front}}
  front: {engine: command, replicas: 2, run: "true", uses: {pages: {}}, FRONT}
  pages: {engine: command, replicas: 2, run: "true", PAGES}
  alone: {engine: command, run: "true", ALONE}
probes: {all: {http: "http://entry/"}, direct: {http: "http://alone:8080/"}, alone: {http: "http://alone1:8080/"}}
"""


def loaded(
    folder: Path, front: str = "mesh: true", pages: str = "mesh: true", alone: str = "env: {A: b}", more: str = "",
    probe: str = "http://alone:8080/",
) -> Topology:
    text = TIERS.replace("FRONT", front).replace("PAGES", pages).replace("ALONE", alone).replace("http://alone:8080/", probe)
    (folder / "topology.yaml").write_text(text + more)
    return sensible(str(folder))


def refused(folder: Path, **said: str) -> str:
    with pytest.raises(Refused) as found:
        loaded(folder, **said)
    return "\n".join(map(str, found.value.problems))


def environment(blueprint: Blueprint, host: str) -> list[str]:
    (text,) = [file.text for path, file in blueprint.process(f"{host}/command").files.items() if path.endswith("environment")]
    return text.splitlines()


def test_a_tier_with_a_mesh_gets_a_tier_of_sidecars_on_its_hosts(tmp_path: Path):
    whole = loaded(tmp_path, front="mesh: {check_interval: 1s}")
    assert [name for name in whole.tiers if name.endswith("-mesh")] == ["front-mesh", "pages-mesh"]
    assert [each.name for each in whole.instances_of("front-mesh")] == ["front1/sidecar", "front2/sidecar"]
    assert whole.tiers["front-mesh"].settings.check_interval == 1.0
    assert "front-mesh" not in plan(whole, PRODUCTION).names


@pytest.mark.parametrize(("said", "told"), [
    ({"front": "mesh: {chek_interval: 1s}"}, "chek_interval"),
    ({"front": "mesh: {check_interval: 0s}"}, "check_interval must be at least 1ms"),
    ({"alone": "mesh: true"}, "the sidecars of alone would have nothing to do: it calls no program"),
    ({"more": "drills: [{fault: kill, tier: alone-mesh}]\n"}, "alone-mesh"),
    ({"more": "drills: [{fault: slow_answers, tier: pages}]\n"}, "calls come to pages through its sidecars"),
    ({"more": "drills: [{fault: certificate_change, tier: front-mesh, target: all}]\n"}, "front-mesh shows no certificate"),
])
def test_what_makes_no_sense_is_refused_with_its_place(tmp_path: Path, said: dict[str, str], told: str):
    assert told in refused(tmp_path, **said)
    assert "topology.yaml:" in refused(tmp_path, **said)


def test_a_mesh_is_for_programs_and_a_sidecar_is_no_tier_of_its_own(tmp_path: Path):
    path = tmp_path / "topology.yaml"
    path.write_text("service: x\ntiers:\n  web: {engine: command, run: 'true'}\n  entry: {engine: haproxy, routes: {http: web}, "
                    "mesh: true}\n  side: {engine: sidecar, on: web}\nprobes: {a: {http: 'http://entry/'}}\n")
    with pytest.raises(Refused) as found:
        sensible(str(path))
    told = "\n".join(map(str, found.value.problems))
    assert "entry is haproxy: sidecars stand beside programs of engine: command" in told
    assert "a sidecar is no tier of its own" in told


def test_the_program_calls_its_own_sidecar_which_tries_again_for_it(tmp_path: Path):
    said = environment(plan(loaded(tmp_path), PRODUCTION), "front1")
    assert "HOLDFAST_PAGES_URLS=http://127.0.0.1:15101" in said
    assert "HOLDFAST_PAGES_RETRIES=0" in said
    plain = environment(plan(loaded(tmp_path, front="env: {A: b}", pages="env: {A: b}"), PRODUCTION), "front1")
    assert "HOLDFAST_PAGES_URLS=http://10.0.1.31:8080,http://10.0.1.32:8080" in plain


@pytest.mark.parametrize(("said", "listens"), [
    ({}, "127.0.0.1"),
    ({"probe": "http://pages:8080/"}, "0.0.0.0"),
    ({"alone": "uses: {pages: {}}"}, "0.0.0.0"),
    ({"front": "env: {A: b}", "alone": "uses: {pages: {}}, mesh: true"}, "0.0.0.0"),
])
def test_a_program_listens_for_others_only_where_somebody_comes_without_a_sidecar(
    tmp_path: Path, said: dict[str, str], listens: str
):
    whole = loaded(tmp_path, **said)
    assert f"HOST={listens}" in environment(plan(whole, PRODUCTION), "pages1")
    assert ENGINES["command"].questions(whole.instances_of("pages")[0], whole).service.inside == (listens == "127.0.0.1")


def test_only_tiers_that_call_are_let_in_by_name():
    whole = meshed()
    assert mesh.callers("pages", whole) == ("front",)
    listeners = {each.host: ENGINES["sidecar"].files(each, whole, PRODUCTION)["/etc/sidecar/listeners.yaml"].text
                 for each in whole.instances_of("pages-mesh")}
    for text in listeners.values():
        assert text.count("san_type: URI") == 1
        assert "exact: spiffe://shop/front\n" in text
        assert "require_client_certificate: true" in text


def test_each_host_has_a_certificate_with_its_tiers_name_and_the_next_one_has_the_same():
    whole = meshed()
    found = values_of(whole, plan(whole, PRODUCTION))
    names = set()
    for secret in ("pages1-mesh", "pages1-mesh-next"):
        certificate = x509.load_pem_x509_certificates(found[secret].encode())[0]
        said = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert said.get_values_for_type(x509.UniformResourceIdentifier) == ["spiffe://shop/pages"]
        names.add(certificate.serial_number)
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(found[mesh.AUTHORITY].encode()))
    assert len(names) == 2


def test_certificates_of_the_users_own_come_with_their_authority_or_not_at_all(tmp_path: Path):
    (tmp_path / "a.pem").write_text("x")
    whole = replace(meshed(), folder=tmp_path, secrets={"pages1-mesh": {"file": "a.pem"}})
    with pytest.raises(Refused, match="would be signed by another authority than pages1-mesh"):
        values_of(whole, plan(whole, PRODUCTION))


def test_one_more_instance_is_known_to_callers_sidecars_before_anybody_is_told_that_it_serves():
    before = meshed()
    after = scaled(before, "pages", 4)
    steps = [str(step) for step in rollout(version(before, PRODUCTION), version(after, PRODUCTION))]
    wanted = ["start pages4/command", "start pages4/sidecar", "place the files of front1/sidecar",
              "wait until balancers send to pages4/command"]
    assert [steps.index(each) for each in wanted] == sorted(steps.index(each) for each in wanted), steps
    assert "stop front1/sidecar" not in steps, "its sidecars learn while they run"


def test_watching_asks_the_sidecars_of_a_program_that_nobody_else_reaches():
    whole = sensible(str(EXAMPLE))
    doors = {(target.member, target.port) for target in of_topology(whole, every_s=1, timeout_s=1)}
    assert ("pages1/sidecar", 15006) in doors
    assert not any(member == "pages1/command" for member, _ in doors)
    assert ("front1/command", 8080) in doors
    assert not any(member == "front1/sidecar" for member, _ in doors), "nobody comes in there"


def costs(whole: Topology, fault: str, tier: str) -> float | None:
    (promise,) = promises(Strike(fault=fault, tier=tier, target="one"), whole)
    return promise.high_s


def calling(**uses: object) -> Topology:
    whole = sensible(str(EXAMPLE))
    front = whole.tiers["front"]
    other = front.uses["pages"].model_copy(update=uses)
    return replace(whole, tiers={**whole.tiers, "front": front.model_copy(update={"uses": {"pages": other}})})


def test_a_hang_behind_sidecars_costs_what_it_takes_to_ask_a_second_instance():
    assert costs(calling(), "hang", "pages") == pytest.approx(0.3 + 0.02 + 0.2)
    assert costs(calling(), "kill", "pages") == pytest.approx(0.02 + 0.2)


@pytest.mark.parametrize("uses", [{"retries": 0}, {"timeout": 0.4}])
def test_nothing_is_promised_of_a_call_that_is_not_asked_again_in_time(uses: dict[str, object]):
    assert costs(calling(**uses), "hang", "pages") is None


def test_in_a_year_a_sidecar_is_one_more_program_in_series_with_its_own():
    whole = sensible(str(EXAMPLE))
    found = service_of(whole, Book(whole, {})).causes
    assert {"front1/sidecar", "pages3/sidecar", "all sidecar of pages-mesh at once"} <= set(found)
    bare = replace(whole, tiers={
        name: tier.model_copy(update={"mesh": False}) for name, tier in whole.tiers.items() if not whole.bearer(name)
    })
    assert not [name for name in service_of(bare, Book(bare, {})).causes if "sidecar" in name]


def test_nothing_is_promised_of_a_program_without_its_sidecar_but_of_its_host():
    assert costs(calling(), "kill", "front-mesh") is None
    assert costs(calling(), "certificate_change", "pages-mesh") is not None
    assert costs(calling(), "power_cut", "pages-mesh") == pytest.approx(0.52)

"""A config of the user's own reaches its host byte for byte, and what it makes meaningless is objected to."""

from pathlib import Path

import pytest
from helpers import PRODUCTION

from holdfast.blueprint import Site
from holdfast.cli.service import sensible
from holdfast.engines.catalogue import ENGINES
from holdfast.errors import Refused
from holdfast.plan import plan

WHOLE = """\
service: shop
zones: [a, b]
tiers:
  entry: {engine: haproxy, replicas: 2, vip: 10.0.1.100, routes: {postgres: db}}
  db: {engine: patroni, replicas: 3, synchronous: 1, consensus: etcd}
  etcd: {engine: etcd, replicas: 3, on: db}
probes:
  orders: {ledger: db, through: entry}
"""
ODD = "# none of ours \t\r\nlisten x  # n\u00e4mlich\n\n\n"


def with_own(folder: Path, tier: str, written: str, **files: str) -> Path:
    """The shop with `written` added to one tier, beside these files."""
    text = WHOLE.replace(f"  {tier}: {{", f"  {tier}: {{{written}, ")
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.encode())
    (folder / "topology.yaml").write_text(text)
    return folder


def refused(folder: Path) -> str:
    with pytest.raises(Refused) as caught:
        sensible(str(folder))
    return "\n".join(map(str, caught.value.problems))


@pytest.mark.parametrize(("tier", "engine"), [("entry", "haproxy"), ("db", "patroni"), ("etcd", "etcd")])
def test_one_file_goes_to_every_host_byte_for_byte(tmp_path: Path, tier: str, engine: str):
    topology = sensible(str(with_own(tmp_path, tier, "config: ./own.cfg", own_dot_cfg=ODD)))
    blueprint = plan(topology, PRODUCTION)
    path = ENGINES[engine].FILE
    texts = [process.files[path].text for process in blueprint.processes if process.name.endswith(engine)]
    assert texts == [ODD] * topology.tiers[tier].replicas
    assert all(len(process.files) >= 1 for process in blueprint.processes)


def test_envoy_has_one_too(tmp_path: Path):
    folder = with_own(tmp_path, "entry", "config: ./own.yaml", own_dot_yaml=ODD)
    text = (folder / "topology.yaml").read_text().replace("haproxy", "envoy")
    (folder / "topology.yaml").write_text(text)
    process = plan(sensible(str(folder)), PRODUCTION).process("entry1/envoy")
    assert process.files[ENGINES["envoy"].FILE].text == ODD


def test_a_folder_has_one_file_for_each_host(tmp_path: Path):
    folder = with_own(tmp_path, "entry", "config: ./own", own__entry1_dot_cfg="one", own__entry2_dot_conf="two", own__notes="x")
    blueprint = plan(sensible(str(folder)), PRODUCTION)
    assert [blueprint.process(f"entry{n}/haproxy").files[ENGINES["haproxy"].FILE].text for n in (1, 2)] == ["one", "two"]


def test_keepalived_has_its_own_beside_the_virtual_ip(tmp_path: Path):
    folder = with_own(tmp_path, "entry", "vip_config: ./ka.conf", ka_dot_conf="vrrp")
    process = plan(sensible(str(folder)), PRODUCTION).process("entry2/keepalived")
    assert process.files[ENGINES["keepalived"].FILE].text == "vrrp"
    assert ENGINES["keepalived"].CHECK in process.files, "the check script stays, for the config to call"


@pytest.mark.parametrize(("written", "files", "said"), [
    ("config: ./own.cfg", {}, "there is no file 'own.cfg'"),
    ("config: ./own", {"own__entry1_dot_cfg": ""}, "own has no file for entry2"),
    ("config: ./own", {"own__entry1_dot_cfg": "", "own__entry1_dot_conf": "", "own__entry2_dot_cfg": ""}, "entry1 has two files"),
    ("config: ./own", {"own__entry1_dot_cfg": "", "own__entry2_dot_cfg": "", "own__x_dot_cfg": ""}, "for no host"),
    ("vip_config: ./own", {}, "there is no file 'own'"),
    ("config: ./own.cfg, fall: 3", {"own_dot_cfg": ""}, "fall changes nothing beside a config of your own"),
])
def test_what_cannot_be_meant_is_refused(tmp_path: Path, written: str, files: dict[str, str], said: str):
    assert said in refused(with_own(tmp_path, "entry", written, **files))


def test_a_vip_config_without_a_virtual_ip_is_refused(tmp_path: Path):
    assert "vip_config has no virtual IP to hold" in refused(with_own(tmp_path, "db", "vip_config: ./ka", ka="x"))


def test_a_file_that_is_not_text_is_refused(tmp_path: Path):
    (tmp_path / "own.cfg").write_bytes(b"\xff\xfe")
    assert "is not UTF-8 text" in refused(with_own(tmp_path, "entry", "config: ./own.cfg"))


def test_settings_that_still_count_are_taken_beside_a_config(tmp_path: Path):
    folder = with_own(tmp_path, "db", "config: ./own.yml, database: shop", own_dot_yml="x")
    assert sensible(str(folder)).tiers["db"].settings.database == "shop"


def test_references_to_secrets_are_left_for_the_lab_and_nobody_else_may_read_them(tmp_path: Path):
    text = "password secret://stats\n"
    blueprint = plan(sensible(str(with_own(tmp_path, "entry", "config: ./own.cfg", own_dot_cfg=text))), PRODUCTION)
    file = blueprint.process("entry1/haproxy").files[ENGINES["haproxy"].FILE]
    assert (file.text, file.mode) == (text, 0o600)
    assert "stats" in blueprint.secrets


def test_nothing_is_promised_of_a_config_that_we_did_not_write(tmp_path: Path):
    whole = sensible(str(with_own(tmp_path, "entry", "config: ./own.cfg, vip_config: ./own.cfg", own_dot_cfg="x")))
    promised = {tier: bool(ENGINES[whole.tiers[tier].engine].delays(tier, whole)) for tier in whole.tiers}
    assert promised == {"entry": False, "entry-vip": False, "db": True, "etcd": True}


@pytest.mark.parametrize(("text", "asked"), [("frontend x\n  bind :80\n", False), ("bind 127.0.0.1:8404\n", True)])
def test_health_is_asked_where_the_config_offers_it(tmp_path: Path, text: str, asked: bool):
    whole = sensible(str(with_own(tmp_path, "entry", "config: ./own.cfg", own_dot_cfg=text)))
    questions = ENGINES["haproxy"].questions(whole.instances_of("entry")[0], whole)
    assert (questions.service is not None) == asked


def test_a_lab_without_the_hosts_addresses_refuses_it(tmp_path: Path):
    whole = sensible(str(with_own(tmp_path, "entry", "config: ./own.cfg", own_dot_cfg="x")))
    with pytest.raises(Refused, match="names the hosts' real addresses"):
        plan(whole, Site(lab="loopback", programs=PRODUCTION.programs, shares_network=True))


def test_a_program_of_the_users_has_no_config_to_replace(tmp_path: Path):
    folder = with_own(tmp_path, "entry", "replicas: 2")
    (folder / "topology.yaml").write_text(
        "service: a\ntiers:\n  web: {engine: command, run: python3 app.py, config: ./own.cfg}\nprobes: {p: {http: 'http://web/'}}\n"
    )
    (folder / "own.cfg").write_text("x")
    assert "command has no config that holdfast could replace" in refused(folder)


@pytest.mark.parametrize(("own", "told"), [
    (ODD, ("-g", "daemon off; user root;")),
    ("user www-data;\nevents {}\n", ("-g", "daemon off;")),
    ("  daemon off;\nuser www-data;\n# daemon on;\n", ()),
    ("http { user_agent x; }\n# user nobody;\n", ("-g", "daemon off; user root;")),
])
def test_nginx_is_told_nothing_that_its_own_config_says_already(tmp_path: Path, own: str, told: tuple[str, ...]):
    folder = with_own(tmp_path, "entry", "config: ./own.conf", own_dot_conf=own)
    text = (folder / "topology.yaml").read_text().replace("haproxy", "nginx").replace("postgres: db", "http: web")
    web = "tiers:\n  web: {engine: command, run: \"true\", uses: {db: }}\n"
    (folder / "topology.yaml").write_text(text.replace("tiers:\n", web).replace("through: entry", "every: 20ms"))
    process = plan(sensible(str(folder)), PRODUCTION).process("entry1/nginx")
    assert process.argv[5:] == told
    assert process.files[ENGINES["nginx"].FILE].text == own

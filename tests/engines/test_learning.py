"""How running programs are asked by which files they work, and whom balancers have sent something."""

import json
from dataclasses import replace

import pytest
from helpers import PRODUCTION, classic, shop

from holdfast.blueprint import File
from holdfast.engines import envoy, haproxy, patroni
from holdfast.engines.envoy import live
from holdfast.topology.model import Topology

CSV = b"""# pxname,svname,qcur,qmax,scur,smax,slim,stot,status
web,web1,0,0,0,1,,12,DOWN
web,web2,0,0,0,0,,0,UP
web,BACKEND,0,0,0,1,400,12,UP
db,db1,0,0,2,4,,7,UP 1/2
"""
CLUSTERS = b"""web::observability_name::web
web::10.0.1.21:8080::hostname::web1
web::10.0.1.21:8080::rq_total::9
web::10.0.1.21:8080::health_flags::/failed_active_hc
web::10.0.1.22:8080::hostname::web2
web::10.0.1.22:8080::rq_total::0
web::10.0.1.22:8080::health_flags::healthy
"""


def with_interval(topology: Topology, interval_s: float) -> Topology:
    entry = topology.tiers["entry"]
    changed = entry.model_copy(update={"settings": entry.settings.model_copy(update={"check_interval": interval_s})})
    return replace(topology, tiers={**topology.tiers, "entry": changed})


def test_haproxy_names_the_version_of_its_file_which_changes_with_the_file():
    texts = [
        haproxy.files(each.instances_of("entry")[0], each, PRODUCTION)[haproxy.FILE].text
        for each in (classic(), with_interval(classic(), 0.5))
    ]
    questions = [
        haproxy.actions(classic().instances_of("entry")[0], classic()).agrees({haproxy.FILE: File(text=text)}) for text in texts
    ]
    page = f"<td>{texts[0].split('show-desc ')[1].split()[0]}</td>".encode()
    assert [question.read(200, page) for question in questions] == ["yes", "no"]


def test_a_config_of_the_users_own_names_no_version():
    instance = classic().instances_of("entry")[0]
    assert haproxy.actions(instance, classic()).agrees({haproxy.FILE: File(text="global\n")}) is None


@pytest.mark.parametrize(("engine", "topology", "body", "found"), [
    (haproxy, classic(), CSV, "db/db1 web/web1"), (envoy, shop(), CLUSTERS, "web/web1"),
], ids=["haproxy", "envoy"])  # fmt: skip
def test_only_servers_that_were_sent_something_are_reached(engine, topology, body, found):
    question = engine.questions(topology.instances_of("entry")[0], topology).reached
    assert question.read(200, body) == found
    assert question.read(503, b"") == ""


@pytest.mark.parametrize(("engine", "topology", "body", "found"), [
    (haproxy, classic(), CSV, "db/db1 web/web2"), (envoy, shop(), CLUSTERS, "web/web2"),
], ids=["haproxy", "envoy"])  # fmt: skip
def test_only_servers_that_count_as_healthy_are_in_rotation(engine, topology, body, found):
    question = engine.questions(topology.instances_of("entry")[0], topology).rotation
    assert question.read(200, body) == found
    assert question.read(503, b"") == ""


def test_envoy_agrees_only_with_every_one_of_its_files():
    files = envoy.files(shop().instances_of("entry")[0], shop(), PRODUCTION)
    question = live.agrees(files, "entry1", 9901)
    said = [f'{name}: "{version}"' for name, version in live.versions(files).items()]
    assert len(said) == 4
    assert question.read(200, "\n".join([*said, 'runtime.version_text: ""']).encode()) == "yes"
    assert all(question.read(200, "\n".join(set(said) - {missing}).encode()) == "no" for missing in said)


def test_a_server_more_changes_envoys_endpoints_and_nothing_else():
    web = shop().tiers["web"].model_copy(update={"replicas": 4})
    more = replace(shop(), tiers={**shop().tiers, "web": web})
    before, after = (envoy.files(each.instances_of("entry")[0], each, PRODUCTION) for each in (shop(), more))
    assert [path for path in after if before[path] != after[path]] == ["/etc/envoy/endpoints/web.yaml"]


def test_members_of_a_database_agree_when_what_they_share_is_what_the_file_would_give_to_a_new_one():
    instance = shop().instances_of("db")[0]
    actions = patroni.actions(instance, shop())
    request = actions.configure("db1")
    question = actions.agrees(patroni.files(instance, shop(), PRODUCTION))
    assert (request.method, request.path, request.credential) == ("PUT", "/config", ("patroni", "db-restapi"))
    assert question.read(200, request.body) == "yes"
    assert question.read(200, json.dumps({**json.loads(request.body), "ttl": 99}).encode()) == "no"


def test_the_script_that_sets_the_password_holds_none_and_passes_none_as_an_argument():
    script = patroni.files(shop().instances_of("db")[0], shop(), PRODUCTION)["/etc/patroni/set_password.sh"]
    assert not script.holds_secret
    command = script.text.partition("exec ")[2].partition("<<")[0]
    assert "PASSWORD" not in command
    assert "log_statement = 'none'" in script.text

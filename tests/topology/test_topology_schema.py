"""The JSON Schema for editors takes what `load` takes and objects where `load` objects."""

import json

import pytest
import yaml
from jsonschema import Draft202012Validator
from small_kinds import KINDS, SHOP, changed

from holdfast.topology.schema import schema

SCHEMA = schema(KINDS)


def objections(text: str) -> list[str]:
    found = Draft202012Validator(SCHEMA).iter_errors(yaml.safe_load(text.replace("on:", "'on':")))
    return [".".join(map(str, error.absolute_path)) for error in found]


def test_it_is_a_schema_of_draft_2020_12():
    Draft202012Validator.check_schema(SCHEMA)


def test_it_is_plain_json_and_the_same_every_time():
    assert json.dumps(schema(KINDS)) == json.dumps(SCHEMA)


def test_it_takes_the_shop():
    assert objections(SHOP) == []


def test_every_reference_in_it_leads_somewhere():
    used = {part.split('"')[0] for part in json.dumps(SCHEMA).split('"#/$defs/')[1:]}
    assert used == set(SCHEMA["$defs"])


@pytest.mark.parametrize(("change", "path"), [
    (("service: shop", "sevice: shop"), ""),
    (("write_outage: 30s", "write_outage: 30"), "objectives.write_outage"),
    (("99.95%", "99.95"), "objectives.availability"),
    (("engine: haproxy", "engine: haprxy"), "tiers.entry.engine"),
    (("replicas: 2", "replcas: 2"), "tiers.entry"),
    (("replicas: 2", "synchronous: 1"), "tiers.entry"),
    (("postgres: db}", "postgers: db}"), "tiers.entry.routes"),
    (("run: python3 app.py, ", ""), "tiers.web"),
    (("ledger: db", "leger: db"), "probes.orders"),
    (("from: client, every: 20ms", "form: client, every: 20ms"), "probes.orders"),
    (("fault: freeze", "fault: freze"), "drills.0.fault"),
    (("for: 10s", "for: 10"), "drills.0.for"),
])
def test_it_objects_where_load_does(change, path):
    assert path in objections(changed(change))


def test_editors_can_show_what_a_key_means():
    entry = SCHEMA["$defs"]["engine-haproxy"]
    assert entry["properties"]["check_interval"]["description"] == "How often each server is asked."
    assert entry["properties"]["on"]["description"] == "Share the hosts of this tier."
    assert entry["properties"]["check_interval"]["default"] == "500ms"

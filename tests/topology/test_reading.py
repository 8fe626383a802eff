"""YAML becomes plain values with places, and whatever cannot be read is refused with a place and a remedy."""

import os
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from small_kinds import written

from holdfast.errors import Refused
from holdfast.topology.reading import LOADER, read, understood

LOADERS = list(dict.fromkeys([LOADER, yaml.SafeLoader]))


@pytest.fixture(params=LOADERS, ids=lambda loader: loader.__name__)
def loader(request):
    return request.param


def refused(text: str, loader: type = LOADER) -> list[str]:
    """`line:column what` of what is refused, or of what was noted while reading on."""
    try:
        found = understood(text, file="f", loader=loader).problems
    except Refused as error:
        found = tuple(error.problems)
    assert all(problem.remedy for problem in found)
    return [f"{problem.where.removeprefix('f:')} {problem.what}" for problem in found]


def unreadable(path: Path | str) -> tuple[str, str, str]:
    with pytest.raises(Refused) as caught:
        read(path)
    (problem,) = caught.value.problems
    assert problem.remedy
    return problem.what, problem.where, problem.remedy


def test_keys_and_values_have_places_counted_from_one(loader):
    reading = understood("a:\n  b: [x, {c: 1}]\n", file="f", loader=loader)
    assert reading.value == {"a": {"b": ["x", {"c": 1}]}}
    assert reading.at_key("a", "b") == "f:2:3"
    assert reading.at_value("a", "b") == "f:2:6"
    assert reading.at_key("a", "b", 1, "c") == "f:2:11"
    assert reading.at_value("a", "b", 1, "c") == "f:2:14"


def test_a_path_that_is_not_there_is_where_the_nearest_one_above_it_is():
    assert understood("a:\n  b: 1\n", file="f").at_key("a", "b", "c", 3) == "f:2:3"


@pytest.mark.parametrize(("text", "value"), [
    ("on", "on"), ("off", "off"), ("yes", "yes"), ("no", "no"), ("y", "y"), ("1:30", "1:30"), ("1_000", "1_000"),
    ("2024-01-01", "2024-01-01"), ("=", "="), ("012", 12), ("0o17", 15), ("0x1F", 31), ("-3", -3), ("+3", 3), ("1.5", 1.5),
    (".5", 0.5), ("1e3", 1000.0), ("true", True), ("False", False), ("null", None), ("~", None), ("", None), ("'1'", "1"),
    ('"true"', "true"), ("!!str 5", "5"), ("! 5", "5"), ("!!int 5", 5), ("!!null ''", None), (".inf", float("inf")),
])
def test_scalars_follow_the_core_schema_of_yaml_1_2(text, value, loader):
    found = understood(f"k: {text}\n", file="f", loader=loader).value["k"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("key", ["on", "1", "1.5", "true", "null", "~"])
def test_keys_are_always_text(key, loader):
    assert understood(f"{key}: db\n", file="f", loader=loader).value == {key: "db"}


def test_every_key_given_twice_is_told_at_once_and_the_first_one_counts(loader):
    text = "a: 1\nb: {c: 1, c: 2}\na: {d: 1, d: 2}\na: 3\n"
    reading = understood(text, file="f", loader=loader)
    assert reading.value == {"a": 1, "b": {"c": 1}}
    assert refused(text, loader) == [
        "2:11 the key 'c' is given twice, first in line 2",
        "3:1 the key 'a' is given twice, first in line 1",
        "3:11 the key 'd' is given twice, first in line 3",
        "4:1 the key 'a' is given twice, first in line 1",
    ]


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing yet\n", "---\n", "~\n", "\ufeff"])
def test_an_empty_file_is_refused_with_how_to_begin(tmp_path, text):
    what, where, remedy = unreadable(written(tmp_path, text))
    assert what == "this file is empty"
    assert where.endswith("topology.yaml:1:1")
    assert "service" in remedy


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path):
    assert read(written(tmp_path, "\ufeffservice: x\n")).value == {"service": "x"}


def test_a_missing_file_is_refused_with_the_one_that_was_meant(tmp_path):
    written(tmp_path, "a: 1")
    what, where, remedy = unreadable(tmp_path / "topologi.yaml")
    assert what.startswith("there is no such file; did you mean")
    assert where == str(tmp_path / "topologi.yaml")
    assert remedy == f"name {tmp_path / 'topology.yaml'}"


def test_a_missing_folder_is_refused(tmp_path):
    what, _, remedy = unreadable(tmp_path / "nowhere" / "topology.yaml")
    assert what == "there is no such file"
    assert "topology.yaml" in remedy


def test_a_folder_stands_for_its_topology(tmp_path):
    written(tmp_path, "a: 1")
    reading = read(tmp_path)
    assert reading.file == str(tmp_path / "topology.yaml")
    assert reading.folder == tmp_path


def test_a_folder_without_a_topology_is_refused_and_other_yaml_in_it_is_named(tmp_path):
    assert unreadable(tmp_path)[0] == "this folder has no topology.yaml"
    (tmp_path / "shop.yml").write_text("a: 1")
    assert unreadable(tmp_path)[2] == f"name the file, as in {tmp_path / 'shop.yml'}"


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert unreadable(tmp_path / "pipe")[0] == "this is not a file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(tmp_path):
    file = written(tmp_path, "a: 1")
    file.chmod(0)
    assert unreadable(file)[0] == "cannot be read: permission denied"


@pytest.mark.parametrize("path", ["x" * 5000, "a\0b"])
def test_a_path_that_no_file_can_have_is_refused(path):
    assert unreadable(path)[0].startswith("cannot be read: ")


def test_a_binary_file_is_refused_where_it_stops_to_be_text(tmp_path):
    what, where, _ = unreadable(written(tmp_path, b"a: 1\nb: \0\1\2"))
    assert what == "this is a binary file, not text"
    assert where.endswith(":2:4")


def test_what_is_not_utf_8_is_refused_where_it_begins(tmp_path):
    what, where, _ = unreadable(written(tmp_path, "a: 1\nb: é".encode("latin-1")))
    assert what == "this is not UTF-8 text"
    assert where.endswith(":2:4")


def test_a_control_character_is_refused_bare_and_escaped(tmp_path, loader):
    what, where, _ = unreadable(written(tmp_path, "a: 1\nb: \x1b[0m"))
    assert what == "the control character '\\x1b' stands here"
    assert where.endswith(":2:4")
    assert refused('a: "x\\0y"', loader) == ["1:4 the control character '\\x00' stands in this text"]


def test_a_huge_file_is_refused_without_reading_all_of_it(tmp_path):
    file = tmp_path / "topology.yaml"
    with file.open("wb") as stream:
        stream.truncate(1 << 40)
    assert unreadable(file)[0] == "this file is larger than 1 MiB"


@pytest.mark.parametrize("text", ["[" * 500_000, "{a: " * 200_000, "- " * 300_000, "a: " + "[" * 41 + "]" * 41])
def test_deep_nesting_is_refused(text, loader):
    (told,) = refused(text, loader)
    assert told.endswith("nested deeper than 40 levels")


def test_forty_levels_are_read(loader):
    assert not refused("a: " + "[" * 39 + "x" + "]" * 39, loader)


def test_aliases_are_followed(loader):
    assert understood("a: &x [1, 2]\nb: *x\n", file="f", loader=loader).value == {"a": [1, 2], "b": [1, 2]}


def test_an_alias_bomb_is_refused(loader):
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    (told,) = refused(bomb, loader)
    assert told == "6:25 this file has more than 100000 values, counting what aliases repeat"


def test_aliases_do_not_help_to_nest_deeper(loader):
    text = "a: &a " + "[" * 30 + "]" * 30 + "\nb: " + "[" * 20 + "*a" + "]" * 20
    assert refused(text, loader) == ["2:24 nested deeper than 40 levels"]


@pytest.mark.parametrize(("text", "told"), [
    ("a: &a [*a]", "1:8 the alias *a stands inside of itself"),
    ("a: *b", "1:4 the alias *b has no anchor before it"),
    ("a:\n\tb: 1", "2:1 a tab stands where YAML wants spaces"),
    ("a: 1\n---\nb: 1", "2:1 a second document begins here"),
    ("[a]: 1", "1:1 a key must be a plain word"),
    ("? {a: 1}\n: 1", "1:3 a key must be a plain word"),
    ("a: 1\n<<: {b: 1}", "2:1 merge keys (<<) are not read"),
    ("a: !mine 1", "1:4 the tag !mine does not fit here"),
    ("a: !!python/object/apply:os.system [echo]", "1:4 the tag !!python/object/apply:os.system does not fit here"),
    ("a: !!set {b}", "1:4 the tag !!set does not fit here"),
    ("a: !!int x", "1:4 the tag !!int does not fit here"),
    ("a: " + "9" * 5000, "1:4 this number is too long"),
    ("a: 0x" + "f" * 5000, "1:4 this number is too long"),
])
def test_what_yaml_allows_and_a_topology_does_not_is_refused_in_place(text, told, loader):
    assert refused(text, loader) == [told]


@pytest.mark.parametrize(("text", "place"), [
    ("a: [b\nc: d", "2:2"), ('a: "b', "1:6"), ("a: b: c", "1:5"), ("a: }", "1:4"), ("a: @b", "1:4"), ("a: 1\n b: 2", "2:3"),
])
def test_a_syntax_error_is_refused_in_place(text, place):
    (told,) = refused(text)
    assert told.startswith(f"{place} this is not YAML: ")


def test_what_was_wrong_before_a_syntax_error_is_told_with_it(loader):
    first, second = refused("a: 1\na: 2\nb: }", loader)
    assert first == "2:1 the key 'a' is given twice, first in line 1"
    assert second.startswith("3:4 this is not YAML")


@settings(deadline=None)
@given(text=st.text(alphabet="ab:-?[]{}&*!|>'\"#%@`,\\ \t\n0.~<=x\ud800\U0001f600", max_size=60))
@pytest.mark.parametrize("loader", LOADERS)
def test_any_text_is_read_or_refused(loader, text):
    refused(text, loader)


@settings(deadline=None)
@given(data=st.binary(max_size=200) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_read_or_refused(tmp_path_factory, data):
    try:
        found = read(written(tmp_path_factory.getbasetemp(), data)).problems
    except Refused as error:
        found = tuple(error.problems)
    assert all(problem.what and problem.where and problem.remedy for problem in found)

"""Config languages: what goes in as data comes out on its own line, and nothing else does."""

import pytest
import yaml as parser
from hypothesis import given
from hypothesis import strategies as some

from holdfast.documents import braces, sections, yaml
from holdfast.documents.line import line

TREES = some.dictionaries(
    some.text(min_size=1, max_size=8),
    some.recursive(
        some.none() | some.booleans() | some.integers(-1000, 1000) | some.text(max_size=30),
        lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


@given(TREES)
def test_a_yaml_document_reads_back_as_what_was_meant(document):
    assert parser.safe_load(yaml.dump(document)) == document


def test_a_reason_stands_above_its_key():
    text = yaml.dump({"a": {"b": 1}, "c": [{"d": 2}]}, {("a", "b"): "because", ("c", 0, "d"): "so"}, header=("Top.",))
    assert text == "# Top.\n\na:\n  # because\n  b: 1\nc:\n  # so\n  - d: 2\n"


def test_a_reason_for_nothing_is_our_mistake():
    with pytest.raises(AssertionError):
        yaml.dump({"a": 1}, {("b",): "why"})
    assert yaml.present({("b",): "why", ("a",): "yes"}, {"a": 1}) == {("a",): "yes"}


def test_a_multi_line_value_stays_on_its_line():
    assert yaml.dump({"a": "x\ny: z"}).count("\n") == 1


def test_a_section_word_is_quoted_when_it_must_be():
    text = sections.dump([line("frontend", "x", body=(line("http-request", "set-var", "it's # one"),), why="Because.")])
    assert text == "# Because.\nfrontend x\n    http-request set-var 'it'\\''s # one'\n"


@pytest.mark.parametrize("word", ["a\nb", "a\rb", "a\0b", "a\u2028b"])
def test_no_word_breaks_out_of_its_line(word: str):
    with pytest.raises(AssertionError):
        sections.dump([line("global", body=(line(word),))])
    with pytest.raises(AssertionError):
        braces.dump([line(word)])


def test_braces_nest_and_end_their_statements():
    tree = (line("http", body=(line("server", body=(line("listen", 80, why="Plain."),)),)),)
    assert braces.dump(tree, end=";") == "http {\n    server {\n        # Plain.\n        listen 80;\n    }\n}\n"
    assert braces.dump((line("state", "BACKUP"),)) == "state BACKUP\n"


@pytest.mark.parametrize("word", ['a"b', "a\\ b", "} evil"])
def test_a_brace_word_is_quoted_or_refused(word: str):
    if '"' in word or "\\" in word:
        with pytest.raises(AssertionError):
            braces.dump([line(word)])
    else:
        assert braces.dump([line(word)]) == f'"{word}"\n'

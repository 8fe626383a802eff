"""The drawing of a prediction: every single point of failure can be seen, however many there are."""

import re

from holdfast.report.predicted_drawing import topology


def seen(svg: str) -> str:
    """Words of the drawing and of its titles, as a person reads them."""
    return " ".join(re.findall(r">([^<]+)<", svg))


def test_every_shared_thing_is_named_however_many_and_however_long_their_names():
    shared = [f"shared provider number {n} of the payments" for n in range(5)] + ["shared " + "x" * 60]
    svg = topology([("web", "command", [("web1/command", "web1", "a")])], frozenset(shared))
    words = seen(svg)
    for name in shared[:5]:
        assert name in words.replace("  ", " ")
    assert "".join(words.split()).count("x" * 60) == 1
    tops = [int(y) for y in re.findall(r'class="alone" x="[\d.]+" y="(\d+)"', svg)]
    assert len(set(tops)) == len(tops), "no two lines lie on each other"
    assert max(tops) < int(re.search(r'class="lane name" x="16" y="(\d+)"', svg)[1])


def test_a_host_that_has_no_room_is_named_and_red_where_it_is_enough_alone():
    instances = [(f"web{n}/command", f"web{n}", "a") for n in range(1, 31)]
    alone = frozenset(["host web30"])
    svg = topology([("web", "command", instances), ("db", "patroni", [("db1/patroni", "db1", "b")])], alone)
    assert '<g class="box alone"><title>host web30</title>' in svg, "it comes before those that are not"
    everyone = frozenset(f"host web{n}" for n in range(1, 31))
    svg = topology([("web", "command", instances), ("db", "patroni", [("db1/patroni", "db1", "b")])], everyone)
    assert 'class="tick alone"' in svg
    for name in everyone:
        assert name in seen(svg)


def test_nothing_is_red_where_nothing_stands_alone():
    assert "alone" not in topology([("web", "command", [("web1/command", "web1", "a")])], frozenset())

"""Topologies as a user would write them, read by the very loader of the command line."""

from pathlib import Path

from holdfast.cli.service import sensible
from holdfast.topology.changing import parsed
from holdfast.topology.model import Topology

CLASSIC = Path(__file__).parents[2] / "examples" / "classic"

HEAD = """\
service: shop
zones: [a, b, c]
"""

WEB = """\
tiers:
  entry: {engine: haproxy, replicas: 2, routes: {http: web}}
  web: {engine: command, replicas: 3, run: python3 app.py, capacity: 100, demand: 180}
probes:
  pages: {http: "http://entry/"}
"""


def written(folder: Path, text: str, *changes: str) -> Topology:
    (folder / "topology.yaml").write_text(text)
    (folder / "app.py").touch()
    return sensible(str(folder), [parsed(change) for change in changes])


def classic(*changes: str) -> Topology:
    return sensible(str(CLASSIC), [parsed(change) for change in changes])

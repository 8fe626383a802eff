"""What stands at the top of a topology file, and under `secrets:`; the rest is in `model`."""

from ipaddress import IPv4Network
from typing import Any

from holdfast.topology.model import Declared, Objectives


class Secret(Declared):
    """Where a secret comes from: `{file: PATH}` or `{env: NAME}`."""

    file: str | None = None
    """The file that holds it."""
    env: str | None = None
    """The environment variable that holds it."""


class Head(Declared):
    """A service, the hosts and programs that it is made of, what may break, and what its clients may see."""

    service: str
    """What the service is called."""
    objectives: Objectives = Objectives()
    """What every drill is judged by."""
    network: IPv4Network = IPv4Network("10.0.1.0/24")
    """Where the hosts have their addresses."""
    zones: tuple[str, ...] = ("a",)
    """A tier's hosts are spread over these in turn."""
    # What stands under the rest is read entry by entry, so that one broken entry hides no other.
    clients: dict[str, Any] = {"client": None}
    """Hosts from which probes ask."""
    tiers: dict[str, Any]
    """Sets of equal instances, by name."""
    probes: dict[str, Any] = {}
    """How the service is asked while it breaks, by name."""
    drills: list[Any] = []
    """What to break; nothing here means the suite that fits the tiers."""
    reliability: Any = None
    """How often things fail and how long they stay so; what is not said is a default, printed as one."""
    secrets: dict[str, Any] = {}
    """Where secrets come from, by name; missing ones are made anew for each run."""

"""What is known of a strike that has just been made."""

from collections.abc import Mapping
from dataclasses import dataclass

from holdfast.drills.asking import Asker
from holdfast.drills.drill import Drill
from holdfast.drills.observe import Observer
from holdfast.engines.engine import Questions
from holdfast.faults.fault import Struck, Target
from holdfast.lab.verbs import Lab
from holdfast.topology.model import Instance


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """All that a verification may look at.  `instances` are those that were struck, or one for each struck host."""

    drill: Drill
    instances: tuple[Instance, ...]
    target: Target
    evidence: Struck
    questions: tuple[Questions, ...]
    reloaded: str
    printed: Mapping[str, int]
    """How often each of the processes had printed that before the strike: what it prints when it starts proves no reload."""
    lab: Lab
    asker: Asker
    observer: Observer
    ended: frozenset[str]
    """Processes that the service managers reported as ended since the strike."""

"""Every fault by name."""

from collections.abc import Mapping

from holdfast.faults.fault import Fault
from holdfast.faults.host import freeze, isolate, power_cut
from holdfast.faults.planned import switchover
from holdfast.faults.process import kill

FAULTS: Mapping[str, Fault] = {made.name: made for made in (kill, freeze, power_cut, isolate, switchover)}

"""Every fault by name."""

from collections.abc import Mapping

from holdfast.faults.disk import disk_full
from holdfast.faults.fault import Fault
from holdfast.faults.host import freeze, isolate, power_cut, reboot
from holdfast.faults.network import cut_from, delay, loss, one_way, partition, slow_link
from holdfast.faults.planned import certificate_change, reload, rolling_restart, switchover
from holdfast.faults.process import cpu_starve, crash_loop, hang, kill

FAULTS: Mapping[str, Fault] = {
    made.name: made
    for made in (
        kill, crash_loop, hang, cpu_starve, freeze, power_cut, reboot, isolate, disk_full,
        partition, one_way, loss, delay, slow_link, cut_from,
        switchover, reload, rolling_restart, certificate_change,
    )
}  # fmt: skip

"""Every fault by name."""

from collections.abc import Mapping

from holdfast.faults.changes import config_change, password_change, scale_in, scale_out
from holdfast.faults.clock import clock_skew
from holdfast.faults.disk import disk_full, disk_read_only, disk_slow
from holdfast.faults.fault import Fault
from holdfast.faults.gray import alive_but_wrong, dependency_down, slow_answers
from holdfast.faults.host import freeze, isolate, power_cut, reboot
from holdfast.faults.memory import oom
from holdfast.faults.network import cut_from, delay, loss, one_way, partition, slow_link
from holdfast.faults.overload import overload
from holdfast.faults.planned import certificate_change, reload, rolling_restart, switchover
from holdfast.faults.process import cpu_starve, crash_loop, hang, kill

FAULTS: Mapping[str, Fault] = {
    made.name: made
    for made in (
        kill, crash_loop, hang, cpu_starve, freeze, power_cut, reboot, isolate, disk_full,
        disk_read_only, disk_slow, oom, clock_skew, alive_but_wrong, slow_answers, dependency_down,
        partition, one_way, loss, delay, slow_link, cut_from, overload,
        switchover, reload, rolling_restart, certificate_change, scale_out, scale_in, config_change, password_change,
    )
}  # fmt: skip

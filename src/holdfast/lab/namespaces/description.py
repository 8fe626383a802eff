"""What a host is told of itself before it begins: the first line on its socket."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from holdfast.blueprint import Blueprint, Host
from holdfast.lab.files import claimed_directories


def description(
    blueprint: Blueprint, host: Host, *, disk: Path, base: Path, source: str, logs: Mapping[str, str]
) -> dict[str, object]:
    """`base`: the lab's own folder; `source`: from where the host imports us; `logs`: by process."""
    processes = blueprint.on(host.name)
    seen = {str(base), source, sys.prefix, sys.base_prefix}
    seen.add(os.path.dirname(host.disk_through))
    for process in processes:
        seen.update((process.cwd, os.path.dirname(process.argv[0]), *process.reads_only))
    return {
        "name": host.name,
        "disk": str(disk),
        "through": host.disk_through,
        "real": f"{base}/real",
        "python": os.path.dirname(sys.executable),
        "logs": dict(logs),
        "claimed": claimed_directories(processes),
        "users": sorted({process.user for process in processes} - {"root"}),
        "names": [(name, address) for name, addresses in blueprint.names.items() for address in addresses],
        "visible": sorted(seen - {"", "/"}),
    }

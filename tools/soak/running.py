"""Run the command as a user would, in a folder of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools.soak.proof import EXAMPLES, ROOT, NotMade

WEB = """\
service: web
objectives: {{read_outage: 10s}}
zones: [a, b, c]
tiers:
  entry: {{engine: haproxy, replicas: 2, routes: {{http: web}}}}
  web: {{engine: command, replicas: 3, run: python3 {page}, port: 8080, health: /ready}}
probes:
  pages: {{http: "http://entry/", every: 50ms}}
drills:
{drills}
"""


def web(folder: Path, *drills: str) -> Path:
    """The cheapest service with something to lose: two balancers, three pages, and these drills."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = "\n".join(f"  - {drill}" for drill in drills)
    path = folder / "topology.yaml"
    path.write_text(WEB.format(page=EXAMPLES / "unsafe" / "page.py", drills=lines))
    return path


def start(folder: Path, *words: object, source: Path = ROOT / "src") -> "subprocess.Popen[str]":
    """`source`: which holdfast; by default the one of this checkout."""
    folder.mkdir(parents=True, exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", "holdfast", *map(str, words)], cwd=folder, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "NO_COLOR": "1", "PYTHONPATH": str(source)},
    )  # fmt: skip


def finished(process: "subprocess.Popen[str]", limit_s: float) -> tuple[int, str, str]:
    """Exit code and what it printed.  Raises NotMade, with the run killed, when the limit is over."""
    try:
        out, err = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise NotMade(f"no end within {limit_s:g} s") from None
    return process.returncode, out, err


def result(folder: Path, *words: object, limit_s: float = 230, source: Path = ROOT / "src") -> tuple[int, Mapping[str, Any], str]:
    """Exit code, what `--json` told, and what stands on standard error.  Raises NotMade where it told nothing."""
    code, out, err = finished(start(folder, *words, "--json", source=source), limit_s)
    try:
        return code, json.loads(out), err
    except ValueError:
        raise NotMade(f"exit code {code}: {err[-800:]}") from None

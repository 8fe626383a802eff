"""What docs/ci.md tells users to paste, run: every shell step of both pipelines, with bash, in a repository such as theirs.

All but the installation; and where there is no sudo, root needs none.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from conftest import needs, needs_namespaces

from tools.soak.running import web

PAGE = Path(__file__).parents[2] / "docs" / "ci.md"
NO_SUDO = '#!/bin/sh\nwhile [ "${1#-}" != "$1" ]; do shift; done\nexec "$@"\n'


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A topology, and the baseline that somebody committed."""
    web(tmp_path, "{fault: kill, tier: web, target: one, for: 2s}")
    (tmp_path / "bin").mkdir()
    if not shutil.which("sudo"):
        (tmp_path / "bin" / "sudo").write_text(NO_SUDO)
        (tmp_path / "bin" / "sudo").chmod(0o755)
    shell(tmp_path, ["holdfast drill topology.yaml --write-baseline failover-baseline.json"])
    return tmp_path


def shell(folder: Path, steps: Sequence[str]) -> None:
    """Each step as the pipeline's runner would: a bash of its own that ends at the first mistake."""
    path = f"{folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "GITHUB_STEP_SUMMARY": str(folder / "summary.md"), "NO_COLOR": "1"}
    for step in steps:
        words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step]
        done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{step}\n{done.stdout[-1500:]}{done.stderr[-1500:]}"


@pytest.mark.soak
def test_the_steps_of_both_pipelines_do_what_they_say(repository: Path) -> None:
    needs("haproxy")
    needs_namespaces()
    github, gitlab = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL))
    steps = [step["run"] for step in github["jobs"]["drill"]["steps"] if "run" in step]
    assert steps[0] == gitlab["failover"]["script"][0] == 'pip install "$HOLDFAST"'

    shell(repository, steps[1:])

    kept = next(step["with"]["path"] for step in github["jobs"]["drill"]["steps"] if "upload" in step.get("uses", ""))
    assert all(list(repository.glob(pattern)) for pattern in kept.split())
    assert "kill" in (repository / "summary.md").read_text()
    (repository / "junit.xml").unlink()
    shell(repository, gitlab["failover"]["script"][1:])
    assert all((repository / path).exists() for path in gitlab["failover"]["artifacts"]["paths"])

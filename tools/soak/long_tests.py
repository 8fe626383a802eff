"""The tests marked `soak`, each a trial of its own, so that they too go on where they stopped."""

import subprocess
import sys
import time
from functools import cache
from pathlib import Path

from tools.soak.proof import ROOT, NotMade, Outcome, Proof


@cache
def _collected() -> tuple[str, ...]:
    words = [sys.executable, "-m", "pytest", "-m", "soak", "--collect-only", "-q", "-o", "addopts=--strict-markers"]
    found = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    names = tuple(line.removeprefix("tests/") for line in found.stdout.splitlines() if "::" in line)
    if not names:
        raise NotMade(f"no test is marked `soak`: {found.stdout[-500:]}{found.stderr[-500:]}")
    return names


def _attempt(trial: str, folder: Path) -> Outcome:
    words = [sys.executable, "-m", "pytest", "-m", "soak", "-q", "-o", "addopts=--strict-markers", f"--basetemp={folder / 'tmp'}"]
    began_s = time.monotonic()
    ran = subprocess.run([*words, f"tests/{trial}"], cwd=ROOT, capture_output=True, text=True)
    closing = ran.stdout.strip().splitlines()[-1] if ran.stdout.strip() else "no word"
    if "skipped" in closing and "passed" not in closing:
        raise NotMade(closing)
    return Outcome(passed=ran.returncode == 0, figures={"took s": round(time.monotonic() - began_s, 1)}, said=ran.stdout[-1500:])


LONG_TESTS = Proof(
    name="tests", title="The long tests", claim="Every test that is marked `soak`, run by itself.",
    trials=_collected, attempt=_attempt,
)  # fmt: skip

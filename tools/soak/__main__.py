"""Prove at length what `make test` proves in short: `make soak`, or `make soak ARGS="--only seeds --for 200s"`.

It goes on where it stopped, whether by --for, Ctrl-C or a kill, and writes a proof's page when all of its trials are made.
"""

import argparse
import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from holdfast.quantities import seconds
from tools.soak.disabled import DISABLED
from tools.soak.long_tests import LONG_TESTS
from tools.soak.opinion import OPINION
from tools.soak.page import day_of, machine, page
from tools.soak.promises import PROMISES
from tools.soak.proof import ROOT, Kept, NotMade, Outcome, Proof, fingerprint
from tools.soak.residue import RESIDUE
from tools.soak.seeds import SEEDS

PROOFS = {proof.name: proof for proof in (RESIDUE, DISABLED, SEEDS, OPINION, PROMISES, LONG_TESTS)}
KEPT = ROOT / ".soak"
RESULTS = ROOT / "docs" / "results"
ATTEMPTS = 3
"""How often a trial that could not be made is tried before the proof is given up for now."""


def prove(proof: Proof, kept: Kept, until_s: float, work: Path) -> bool:
    """Make what is missing until the time is over.  True when nothing is missing any more."""
    missing = kept.missing()
    with ThreadPoolExecutor(proof.at_once) as side_by_side:
        while missing:
            if time.monotonic() >= until_s:
                print(f"{proof.name}: {len(missing)} trials are left", flush=True)
                return False
            now, missing = missing[: proof.at_once], missing[proof.at_once :]
            outcomes = side_by_side.map(lambda trial: made(proof, trial, work), now)
            for trial, outcome in zip(now, _until_told(outcomes, proof), strict=True):
                if outcome is None:
                    return False
                kept.add(trial, outcome, datetime.now(UTC).date().isoformat())
                figures = ", ".join(f"{name} {value}" for name, value in outcome.figures.items())
                print(f"{proof.name}: {trial}: {'passed' if outcome.passed else 'FAILED'}: {figures}", flush=True)
    return True


def _until_told(outcomes: Iterator[Outcome | None], proof: Proof) -> Iterator[Outcome | None]:
    """Ctrl-C reaches the runs as well; what ended because of it is not tried again."""
    try:
        yield from outcomes
    except KeyboardInterrupt:
        proof.stop.set()
        raise


def made(proof: Proof, trial: str, work: Path) -> Outcome | None:
    """None where it could not be made, however often it was tried."""
    for _ in range(ATTEMPTS):
        if proof.stop.is_set():
            return None
        with TemporaryDirectory(dir=work, ignore_cleanup_errors=True) as folder:
            try:
                return proof.attempt(trial, Path(folder))
            except NotMade as reason:
                print(f"{proof.name}: {trial}: not made: {reason}", flush=True)
    return None


def main(words: Sequence[str] | None = None) -> int:
    """0: all proven; 1: a trial failed; 75: trials are left (run it again)."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=PROOFS, action="append")
    parser.add_argument("--for", dest="limit", type=seconds, default=float("inf"), help="begin no trial after this: 200s, 2h")
    parser.add_argument("--anew", action="store_true", help="forget what is kept")
    arguments = parser.parse_args(words)
    until_s = time.monotonic() + arguments.limit
    source = fingerprint()
    codes = {0}
    with TemporaryDirectory(prefix="holdfast-soak-") as work, contextlib.suppress(KeyboardInterrupt):
        for name in arguments.only or PROOFS:
            kept = Kept(KEPT, PROOFS[name], source)
            if arguments.anew:
                kept.forget()
            if not prove(PROOFS[name], kept, until_s, Path(work)):
                codes.add(75)
                continue
            rows = kept.rows()
            codes.add(0 if PROOFS[name].passed(rows) else 1)
            RESULTS.mkdir(parents=True, exist_ok=True)
            written = RESULTS / f"{day_of(rows)}-{name}.md"
            written.write_text(page(PROOFS[name], rows, facts=machine(), source=source))
            print(f"{name}: {written.relative_to(ROOT)}", flush=True)
        return 1 if 1 in codes else max(codes)
    return 130


if __name__ == "__main__":
    sys.exit(main())

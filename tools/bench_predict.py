"""How quickly predictions come, on this machine: `python -m tools.bench_predict`, or `make bench-predict`.

Every figure is processor time of this process, the median of the repeats, with the least and the greatest beside it.
 Nothing here passes or fails.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from holdfast.cli.predict import _objections
from holdfast.cli.service import sensible
from holdfast.predict.biasing import rare
from holdfast.predict.montecarlo import lives_of, play
from holdfast.predict.sampling import has_numba
from holdfast.predict.whatif import gains
from holdfast.predict.yearly import Prediction
from holdfast.topology.model import Topology

CLASSIC = Path(__file__).parents[1] / "examples" / "classic"

SERVICE = """\
service: bench
zones: [a, b, c]
network: 10.0.0.0/16
reliability: {{shared: {{dns: {{sla: 99.99%}}, certificate: {{mtbf: 5y, mttr: 2h}}}}}}
tiers:
  entry: {{engine: haproxy, replicas: 2, vip: 10.0.200.1, routes: {{http: web, postgres: db}}}}
  web: {{engine: command, replicas: {web}, run: python3 app.py, capacity: 100, demand: {demand}, uses: {{db: {{}}, {more_uses}}}}}
  db: {{engine: patroni, replicas: 3, synchronous: 1, consensus: etcd}}
  etcd: {{engine: etcd, replicas: 3, on: db}}
{more}
probes:
  pages: {{http: "http://entry/"}}
  orders: {{ledger: db, through: entry}}
"""


def service(folder: Path, web: int, more: int, replicas: int = 9) -> Topology:
    """`more` tiers beside the classic ones, each with `replicas` of which two thirds are needed."""
    names = [f"part-{chr(97 + index)}" for index in range(more)]
    need = 100 * (replicas * 2 // 3)
    tiers = "\n".join(
        f"  {name}: "
        f"{{engine: command, replicas: {replicas}, run: python3 app.py, capacity: 100, demand: {need}}}"
        for name in names
    )
    text = SERVICE.format(
        web=web, demand=100 * (web * 2 // 3), more=tiers, more_uses=", ".join(f"{name}: {{}}" for name in names),
    )
    (folder / "app.py").touch()
    (folder / "topology.yaml").write_text(text)
    return sensible(str(folder))


def everything(topology: Topology) -> tuple[Prediction, float]:
    """Unavailability, frequency and importances, from the topology on."""
    prediction = Prediction(topology)
    down = prediction.unavailability()
    tree = prediction.tree()
    tree.frequency()
    tree.importance()
    return prediction, down


def timed(call: Callable[[], object], repeat: int) -> list[float]:
    found = []
    for _ in range(repeat):
        began_s = time.process_time()
        call()
        found.append(time.process_time() - began_s)
    return found


def shown(name: str, goal: str, seconds: list[float], times: float = 1.0) -> None:
    cells = [f"{each / times * 1000:9.2f}" for each in (median(seconds), min(seconds), max(seconds))]
    print(f"{name:58} {goal:>8} {' '.join(cells)} ms", flush=True)


def rate(name: str, goal: str, seconds: list[float], count: int) -> None:
    cells = [f"{count / each:9.0f}" for each in (median(seconds), max(seconds), min(seconds))]
    print(f"{name:58} {goal:>8} {' '.join(cells)} /s", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench_predict")
    parser.add_argument("--repeat", type=int, default=7)
    repeat = parser.parse_args().repeat
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}, {repeat} repeats: "
          "median, least, greatest")
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as name:
        folder = Path(name)
        fifty, many = service(folder, web=9, more=1, replicas=6), service(folder, web=30, more=7, replicas=20)
        prediction, _ = everything(fifty)
        tree = prediction.tree()
        size = f"{len(tree.events)} components in 3 zones"
        shown(f"{size}: unavailability, frequency, importances, cold", "50 ms", timed(lambda: everything(fifty), repeat))
        values = prediction.middle()
        changed = {**values, "reliability.hosts.mttr": 9.0}
        shown("the same after a what-if of a figure", "1 ms",
              timed(lambda: [prediction.unavailability("service", changed) for _ in range(100)], repeat), 100)
        shown("10,000 samples of it", "50 ms", timed(prediction.sampled, repeat))
        size = f"{len(everything(many)[0].tree().events)} components"
        shown(f"{size}: the same as above, cold", "700 ms", timed(lambda: everything(many), repeat))
        classic = sensible(str(CLASSIC))
        shown("--next-nine on the classic topology", "1 s", timed(lambda: gains(classic, _objections), repeat))
        rates = {event: (cause.rate(values), values[cause.long]) for event, cause in prediction.service.causes.items()}
        lives = lives_of(tree, rates)
        years = 20_000
        size = f"years by chance, {len(lives)} components"
        rate(size, "25000", timed(lambda: play(tree, lives, years, seed=1, compile=False), repeat), years)
        if has_numba():
            began_s = time.perf_counter()
            play(tree, lives, 1, seed=1, compile=True)
            print(f"compiled once, in {time.perf_counter() - began_s:.1f} s")
            rate(f"{size}, compiled", "50000", timed(lambda: play(tree, lives, years, seed=1, compile=True), repeat), years)
        rate("cycles with biased failures", "", timed(lambda: rare(tree, lives, 5000, seed=1), repeat), 5000)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

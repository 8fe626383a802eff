"""`holdfast predict`: how long, how often and why, before anything runs."""

import argparse
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from holdfast.cli.measured import measured
from holdfast.cli.promised import foreseen, promised
from holdfast.cli.service import newest, sensible, shown_path
from holdfast.errors import MET, Problem, Refused
from holdfast.plan import examine
from holdfast.predict.known import Measured, with_promises
from holdfast.predict.likeliest import ORDER, likeliest
from holdfast.predict.safety import findings
from holdfast.predict.spread import spread
from holdfast.predict.whatif import gains, worse_than_one
from holdfast.predict.yearly import SAMPLES, Prediction, outlook
from holdfast.predict.years import year_by_chance
from holdfast.record.store import Record, read
from holdfast.report import bars, predicted, predicted_json
from holdfast.report.explained import table
from holdfast.report.letters import fitting
from holdfast.report.promised import seen
from holdfast.topology.changing import parsed
from holdfast.topology.check import check, unsound
from holdfast.topology.model import Topology

RECORD = "record.sqlite"


def predict(arguments: argparse.Namespace) -> int:
    changes = [parsed(text) for text in arguments.set]
    topology = sensible(arguments.topology, changes)
    records = recorded(arguments.records, arguments.runs)
    before = sensible(arguments.topology) if changes else None
    shown = with_promises(measured(records, topology), before or topology)
    found = said(topology, arguments.next_nine, arguments.set, before, measured=shown, order=arguments.cut_sets or ORDER)
    if arguments.years:
        found = replace(found, years=year_by_chance(Prediction(topology, shown), arguments.years))
    outages = promised(topology, foreseen(topology)) if topology.probes else []
    if arguments.page:
        from holdfast.report.predicted_page import page

        target = Path(arguments.page)
        try:
            target.write_text(page(found, drawn(topology), bars.foretold(outages, seen(records))), "utf-8")
        except OSError as error:
            raise Refused(Problem(f"cannot write the page: {error.strerror}", str(target), "choose another file")) from None
    if arguments.json:
        print(predicted_json.as_json(found, outages))
    else:
        print(predicted.text(found, every_figure=arguments.figures), end="")
        if outages and not arguments.next_nine:
            columns = shutil.get_terminal_size((110, 24)).columns
            print("\nWhat single faults may cost clients (`holdfast explain` tells of all, and writes chains out):\n")
            print(fitting(table(promised(topology, foreseen(topology, "pr")), width=columns), sys.stdout), end="")
        if arguments.page:
            print(f"page: {shown_path(Path(arguments.page))}")
    return MET


def said(
    topology: Topology,
    with_gains: bool = False,
    changed: Sequence[str] = (),
    before: Topology | None = None,
    samples: int = SAMPLES,
    *,
    measured: Mapping[str, Measured] = MappingProxyType({}),
    order: int = ORDER,
) -> predicted.Predicted:
    """Everything that is predicted of a topology; `before`: what it was without the changes; `measured`: by drills; `order`:
    up to which minimal cut sets are counted."""
    prediction = Prediction(topology, measured)
    tree = prediction.tree()
    shares = prediction.shares("service", prediction.middle())
    numbers = {event.name: share for event, share in zip(tree.events, shares, strict=True)}
    objective = topology.objectives.availability
    sampled = prediction.sampled("service", samples) if objective is not None else ()
    kept = sum(float(each) <= 1 - objective for each in sampled) / samples if objective is not None else None
    return predicted.Predicted(
        service=topology.service, file=topology.file,
        outlooks=tuple(outlook(prediction, path.name, samples) for path in prediction.service.paths),
        spreads=tuple(spread(prediction, path.name, samples) for path in prediction.service.paths),
        known=tuple(sorted(prediction.known.values(), key=lambda known: known.name)),
        single_points=tuple(sorted(name for cut in tree.cut_sets(1) for name in cut)),
        cut_sets=likeliest(tree, [numbers[event.name] for event in tree.events], order),
        importance=tuple(tree.importance(numbers).items()), findings=findings(topology),
        worse_than_one=tuple(worse_than_one(prediction)),
        gains=gains(topology, _objections, measured=measured) if with_gains else None,
        changed=tuple(changed), before=outlook(Prediction(before, measured), "service", samples) if before is not None else None,
        objective=objective, met_share=kept, sampled=samples, swings=tuple(prediction.swings()),
    )  # fmt: skip


def recorded(words: Sequence[str], runs: str) -> list[Record]:
    """Of every run that is named: by its folder, its record or its name below `runs`; a folder of runs stands for all of them."""
    paths: list[Path] = []
    for word in words:
        inside = sorted(Path(word).glob(f"*/{RECORD}"))
        single = Path(word) if Path(word).is_file() else None
        paths += inside or [single or newest(runs, word, RECORD) / RECORD]
    return [read(path) for path in dict.fromkeys(paths)]


def _objections(topology: Topology) -> tuple[Problem, ...]:
    return (*check(topology), *examine(topology, unsound(topology)))


def drawn(topology: Topology) -> list[tuple[str, str, list[tuple[str, str, str]]]]:
    """Tiers for the page: (name, engine, [(instance, host, zone)]), in the order of the file."""
    return [
        (name, tier.engine, [(each.name, each.host, each.zone) for each in topology.instances_of(name)])
        for name, tier in topology.tiers.items()
    ]

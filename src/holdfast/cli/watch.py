"""`holdfast watch`: the aggregated health of a service that runs, asked from here, until Ctrl-C."""

import argparse
import asyncio
import contextlib
import json
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from holdfast.cli.running import interruptible
from holdfast.cli.service import sensible
from holdfast.errors import INCONCLUSIVE, MET, VIOLATED, Problem, Refused
from holdfast.quantities import seconds, shown_seconds
from holdfast.report.letters import fitting
from holdfast.watch.aggregate import Rule, Verdict, rules_of
from holdfast.watch.answers import as_json
from holdfast.watch.room import lacking, widen
from holdfast.watch.target import Target
from holdfast.watch.targets import CERTIFICATE_EVERY_S, URLS, of_topology, of_urls, shown
from holdfast.watch.watch import Watch

DEFAULT_S = 1.0
CODES = {"pass": MET, "warn": MET, "fail": VIOLATED}


def watch(arguments: argparse.Namespace) -> int:
    service, targets, rules = _what(arguments)
    if not targets:
        raise Refused(Problem("there is nothing to watch", "watch", "name a topology, or addresses such as http://HOST/ready"))
    watching = Watch(
        service, targets, rules, wall_s=wall_s, rise=arguments.rise, fall=arguments.fall,
        told=(lambda _: None) if arguments.once else _changed, hosts=arguments.host,
    )  # fmt: skip
    return asyncio.run((_once if arguments.once else _keep)(watching, arguments))


def _changed(found: Verdict) -> None:
    with contextlib.suppress(BrokenPipeError):  # nobody reads the lines any more; the page and its siblings go on
        print(f"{found.service} {found.status}" + (f": {found.why}" if found.why else ""), flush=True)


def wall_s() -> float:
    """Certificates end by the calendar."""
    return time.time()


def _what(arguments: argparse.Namespace) -> tuple[str, tuple[Target, ...], Mapping[str, Rule]]:
    """Service, targets and rules; raises Refused with every mistake."""
    words = arguments.what or ["."]
    if all("://" in word for word in words):
        found = of_urls(words, every_s=DEFAULT_S, timeout_s=DEFAULT_S)
        problems = [each for each in found if isinstance(each, Problem)]
        if problems:
            raise Refused(problems)
        targets: tuple[Target, ...] = found  # type: ignore[assignment]
        service, rules = URLS, {URLS: Rule(need=len({target.member for target in targets}))}
    elif len(words) == 1:
        topology = sensible(words[0])
        service, rules = topology.service, dict(rules_of(topology))
        targets = of_topology(topology, every_s=DEFAULT_S, timeout_s=DEFAULT_S)
    else:
        told = " ".join(map(shown, words))
        raise Refused(Problem("one topology, or addresses, can be watched at a time", told, "start one for each"))
    targets = _timed(_timed(targets, "--timeout", arguments.timeout), "--every", arguments.every)
    return service, targets, _ruled(arguments, rules, targets)


def _timed(targets: tuple[Target, ...], option: str, words: Sequence[str]) -> tuple[Target, ...]:
    """With `TIME` for all, `NAME=TIME` for a tier, an instance or an address; the more particular name counts."""
    field, problems = {"--every": "every_s", "--timeout": "timeout_s"}[option], []
    said: dict[str, float] = {}
    names = dict.fromkeys([*(target.group for target in targets), *(target.member for target in targets)])
    for word in words:
        name, _, text = word.rpartition("=")
        if name and name not in names:
            remedy = f"write one of {', '.join(names)}"
            problems.append(Problem(f"nothing that is watched is called {name!r}", f"{option} {word}", remedy))
            continue
        try:
            said[name] = _duration(option, text)
        except Refused as refused:
            problems += refused.problems
    if problems:
        raise Refused(problems)

    def timed(target: Target) -> Target:
        own = next((said[name] for name in (target.member, target.group) if name in said), None)
        if own is None:
            own = said.get("", getattr(target, field))
            if target.kind == "tls" and option == "--every":
                own = max(own, CERTIFICATE_EVERY_S)
        return replace(target, **{field: own})

    return tuple(map(timed, targets))


def _duration(option: str, text: str) -> float:
    try:
        value_s = seconds(text)
    except ValueError as error:
        raise Refused(Problem(str(error), option, "write it like 1s")) from None
    if value_s < 0.05:
        raise Refused(Problem(f"{option} {text} would be more than 20 questions a second to each", option, "write 50ms or more"))
    return value_s


def _ruled(arguments: argparse.Namespace, rules: Mapping[str, Rule], targets: tuple[Target, ...]) -> Mapping[str, Rule]:
    """With what `--need` and `--weight` say.  Addresses are all needed where nothing else is said, whatever they weigh."""
    made, members = dict(rules), {target.member: target.group for target in targets}
    problems = []
    for option, words, known in (("--weight", arguments.weight, members), ("--need", arguments.need, made)):
        for word in words:
            name, _, text = word.rpartition("=")
            try:
                value = float(text)
            except ValueError:
                value = -1.0
            if name not in known or not 0 <= value < float("inf"):
                remedy = f"write NAME=NUMBER, with one of {', '.join(known)}"
                problems.append(Problem(f"{word!r} cannot be understood", option, remedy))
            elif option == "--need":
                made[name] = replace(made[name], need=value)
            else:
                group = members[name]
                made[group] = replace(made[group], weights={**made[group].weights, name: value})
    totals: dict[str, float] = {}
    for member, group in members.items():
        totals[group] = totals.get(group, 0.0) + made.get(group, Rule()).weights.get(member, 1.0)
    if URLS in made and not any(word.rpartition("=")[0] == URLS for word in arguments.need):
        made[URLS] = replace(made[URLS], need=totals.get(URLS, 0.0))
    for group, total in totals.items():
        if group in made and (made[group].need > total or not total):
            remedy = f"write --need {group}=NUMBER, {total:g} at most, or other weights" if total else "let one weigh something"
            where = f"{group} needs {made[group].need:g}, and weighs {total:g} with everything up"
            problems.append(Problem(f"{group} could never be healthy", where, remedy))
    if problems:
        raise Refused(problems)
    return made


async def _once(watching: Watch, arguments: argparse.Namespace) -> int:
    """Every target once."""
    every = [replace(target, every_s=max(target.every_s, target.timeout_s)) for target in watching.targets]
    soon = [replace(target, every_s=min(target.every_s, 2 * target.timeout_s)) for target in every]
    asking = asyncio.create_task(watching.ask(soon), name="holdfast watch")
    loop = asyncio.get_running_loop()
    until_s = loop.time() + 3 * max(target.timeout_s for target in soon) + 2.0
    while not watching.complete and loop.time() < until_s and not asking.done():  # noqa: ASYNC110 - asked a second at most
        await asyncio.sleep(0.02)
    asking.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asking
    found = watching.verdict(fresh=True)
    _show(found, arguments)
    return CODES[found.status] if watching.complete else INCONCLUSIVE


async def _keep(watching: Watch, arguments: argparse.Namespace) -> int:
    host, port = _listen(arguments.listen)
    try:
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        where, remedy = f"--listen {arguments.listen}", "choose another port, or 0 for a free one"
        raise Refused(Problem(f"cannot listen there: {error.strerror}", where, remedy)) from None
    at = listening.getsockname()
    shown_host = f"[{at[0]}]" if ":" in at[0] else at[0]
    told = f"watching with {len(watching.targets)} questions; http://{shown_host}:{at[1]}/  (Ctrl-C ends it)"
    print(told, file=sys.stderr, flush=True)
    widen()
    if short := lacking(len(watching.targets)):
        print(f"{short} of the questions would find no room if all hung at once: raise `ulimit -Hn`", file=sys.stderr, flush=True)
    with contextlib.suppress(asyncio.CancelledError):
        await interruptible(lambda: watching.serve(listening))
    return CODES[watching.verdict(fresh=True).status]


def _listen(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        raise Refused(Problem(f"{text!r} is not where one could listen", "--listen", "write it like 127.0.0.1:8500"))
    return host.strip("[]") or "127.0.0.1", int(port)


def _show(found: Verdict, arguments: argparse.Namespace) -> None:
    if arguments.json:
        print(json.dumps(as_json(found, asyncio.get_running_loop().time()), indent=1))
        return
    lines = [f"{found.service}  {found.status}" + (f": {found.why}" if found.why else "")]
    for group in found.groups:
        lines.append(f"  {group.name}  {group.status}  {group.up:g} of {group.total:g} up, {group.need:g} needed")
        for member in group.members:
            took = [each.last.took_s for each in member.questions if each.last and each.last.word == "yes"]
            detail = member.why or f"{member.role or 'up'}, {shown_seconds(max(took, default=0.0))}"
            lines.append(f"    {member.name}  {member.status}  {detail}")
    print(fitting("\n".join(lines) + "\n", sys.stdout), end="")

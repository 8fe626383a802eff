"""What may be written after `holdfast`.  Nothing heavy is imported before a verb is called: `--help` is quick."""

import argparse
import difflib
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import Any, NoReturn

from holdfast.errors import Problem, Refused

DESCRIPTION = "The test suite for failover: describe a service, run it for real, break it, see what clients saw."
SUITES = ("rehearsal", "pr", "standard", "full")
EPILOG = """\
A topology is a folder with a topology.yaml, or such a file; without one, the folder where you are.

exit codes: 0 met   1 an objective was violated   2 the input is wrong   3 the service was not steady
            4 a fault did not strike   5 mending or cleaning up failed   6 inconclusive   130 interrupted
A run in which drills were skipped ends with 0 and the verdict `incomplete`; --strict makes that 6."""


class Parser(argparse.ArgumentParser):
    """Mistakes are Problems like all others, with what was probably meant."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        raise Refused(Problem(message, where=self.prog, remedy=f"`{self.prog} --help` tells what may be written"))

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        known = [str(choice) for choice in action.choices or ()]
        if known and value not in known:
            reason = f"{value!r} is not known{_guess(str(value), known)}"
            raise argparse.ArgumentError(action, f"{reason} (choose from {', '.join(known)})")

    def options(self) -> list[str]:
        return [word for action in self._actions if action.help != argparse.SUPPRESS for word in action.option_strings]


def _guess(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


def parsed(words: Sequence[str]) -> argparse.Namespace:
    """Raises Refused where something cannot be understood, SystemExit after --help and --version."""
    made, verbs = _made()
    words = list(words)
    if words[:1] == ["help"]:
        words = [*words[1:2], "--help"]
    arguments, rest = made.parse_known_args(words or ["--help"])
    if not arguments.verb:
        made.error(f"{rest[0]} cannot be understood" if rest else "no verb was given")
    if rest:
        verb = verbs[arguments.verb]
        verb.error(f"{' '.join(rest)} cannot be understood{_guess(rest[0].partition('=')[0], verb.options())}")
    return arguments


def _verb(module: str, function: str) -> Callable[[argparse.Namespace], int]:
    def call(arguments: argparse.Namespace) -> int:
        result: int = getattr(import_module(f"holdfast.cli.{module}"), function)(arguments)
        return result

    return call


def parser() -> argparse.ArgumentParser:
    return _made()[0]


def _made() -> tuple[Parser, dict[str, Parser]]:
    """The parser, and that of each verb."""
    made = Parser(
        prog="holdfast", description=DESCRIPTION,
        epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    made.add_argument("-V", "--version", action="version", version=_version())
    adding = made.add_subparsers(dest="verb", metavar="VERB")
    verbs: dict[str, Parser] = {}

    def add(name: str, module: str, function: str, summary: str) -> Parser:
        verb = verbs[name] = adding.add_parser(name, help=summary, description=summary)
        verb.set_defaults(call=_verb(module, function))
        return verb

    _on_topologies(add)
    _on_runs(add)
    doctor = add("doctor", "doctor", "doctor", "which programs and kernel features are here, and which faults that allows")
    doctor.add_argument("--json", action="store_true", help="the findings as JSON on standard output")
    return made, verbs


Add = Callable[[str, str, str, str], Parser]


def _on_topologies(add: Add) -> None:
    check = add("check", "check", "check", "tell every mistake in a topology, with line and remedy")
    _topology(check)
    check.add_argument("--json", action="store_true", help="problems as JSON on standard output")
    check.add_argument("--schema", action="store_true", help="print the JSON Schema of topology files instead, for editors")

    summary = "how long, how often and why the service will be down in a year, and what would help"
    predict = add("predict", "predict", "predict", summary)
    _topology(predict)
    change = "as if the file said so, as in tiers.db.replicas=2; may be repeated"
    predict.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help=change)
    predict.add_argument("--next-nine", action="store_true", help="every single change with what it would gain, best first")
    predict.add_argument("--figures", action="store_true", help="list every figure that it rests on, with range and source")
    cuts = "count minimal cut sets up to this order, and list the likeliest; 3 if not given"
    predict.add_argument("--cut-sets", type=_order, metavar="ORDER", help=cuts)
    years = "play N years by chance as well: how unlike one year is to another (needs numpy)"
    predict.add_argument("--years", type=_years, metavar="N", help=years)
    runs = "take failover and repair times from the drills of this run, or of each run in this folder; may be repeated"
    predict.add_argument("--records", action="append", default=[], metavar="RUN", help=runs)
    _runs(predict)
    predict.add_argument("--json", action="store_true", help="the prediction as JSON on standard output")
    predict.add_argument("--page", metavar="OUT.html", help="write it as a page as well, with the topology drawn")

    render = add("render", "render", "render", "write the config files of every host, each accepted by its program's own checker")
    _topology(render)
    render.add_argument("-o", "--output", required=True, metavar="DIR", help="one tree per host, in production paths")
    render.add_argument("--no-check", action="store_true", help="do not run the programs' own checkers")
    _inside(render)

    up = add("up", "up", "up", "run the service in a lab until Ctrl-C")
    _topology(up)
    _lab(up)
    publish = "make the service reachable on 127.0.0.1: its first route on this port, the next on the next"
    up.add_argument("--publish", type=_port, metavar="PORT", help=publish)
    up.add_argument("--seed", type=int, metavar="N", help="draws whom `strike` strikes")
    page = "serve a live page of every instance's health on this port of 127.0.0.1"
    up.add_argument("--watch", type=_port, metavar="PORT", help=page)
    _inside(up)

    explain = add("explain", "explain", "explain", "what each fault will cost clients, step by step, before anything runs")
    explain.add_argument("words", metavar="[TOPOLOGY] [FAULT]", nargs="*",
                         help="a topology (default: this folder), and one fault or drill, whose chain is written out")
    explain.add_argument("--topology", metavar="TOPOLOGY", help="a topology, where its name could be that of a fault")
    explain.add_argument("--suite", choices=SUITES, help="of this suite (default: the topology's own drills, else `full`)")
    explain.add_argument("--json", action="store_true", help="the same as JSON on standard output")

    _drill(add("drill", "drill", "drill", "run the service, break it on purpose, and judge what clients saw"))


def _on_runs(add: Add) -> None:
    report = add("report", "drill", "report", "show a run again, and write its page anew")
    report.add_argument("run", nargs="?", help="a run's folder or record, or its name; the newest run if none is given")
    forms = "print the JSON Schema of --json, or of a baseline, instead"
    report.add_argument("--schema", nargs="?", const="report", choices=("report", "baseline"), help=forms)
    _outcome(report)
    _runs(report)

    diff = add("diff", "diff", "diff", "what changed from one topology to another, or from one run to another")
    diff.add_argument("old", metavar="OLD", help="a topology; or a run: its folder, record, name below --runs, or baseline")
    diff.add_argument("new", metavar="NEW", help="the same kind of thing")
    diff.add_argument("--json", action="store_true", help="the difference as JSON on standard output")
    diff.add_argument("--exit-code", action="store_true", help="exit with 1 if they differ; runs: by more than the tolerance")
    _runs(diff)

    status = add("status", "look", "status", "instances, roles and health of the lab that `up` or `drill` keeps")
    status.add_argument("--json", action="store_true", help="the same as JSON on standard output")
    _runs(status)
    strike = add("strike", "by_hand", "strike", "break the service that `up` keeps, under the rules of a drill")
    strike.add_argument("drill", metavar="DRILL", help="a fault, or as under `drills:`: '{fault: freeze, tier: web, for: 10s}'")
    patience = "how long to wait for the steady state before it (default: 60s)"
    strike.add_argument("--patience", type=_duration, metavar="TIME", default=60.0, help=patience)
    strike.add_argument("--json", action="store_true", help="what was struck and how it was proven, as JSON")
    _runs(strike)
    mend = add("mend", "by_hand", "mend", "end what `strike` began; waits until the service stands again")
    mend.add_argument("--json", action="store_true", help="the outcome as JSON")
    _runs(mend)
    watch = add("watch", "watch", "watch", "keep asking every instance of a running service, and serve one verdict of it")
    addresses = "[NAME=]http://..., https://... (its certificate), tcp://HOST:PORT, dns://NAME"
    watch.add_argument("what", metavar="WHAT", nargs="*", help=f"a topology (default: this folder), or addresses: {addresses}")
    watch.add_argument("--listen", metavar="HOST:PORT", default="127.0.0.1:8500", help="where its page is (default: %(default)s)")
    watch.add_argument("--host", metavar="NAME", action="append", default=[], help="a host name that browsers use for the page")
    watch.add_argument("--every", metavar="[NAME=]TIME", action="append", default=[],
                       help="how often each is asked, or a tier, an instance, an address of that name (default: 1s)")
    watch.add_argument("--timeout", metavar="[NAME=]TIME", action="append", default=[],
                       help="how long an answer may take (default: 1s)")
    watch.add_argument("--rise", type=_times, metavar="N", default=1, help="good answers in a row until it is up (default: 1)")
    watch.add_argument("--fall", type=_times, metavar="N", default=2, help="bad answers in a row until it is down (default: 2)")
    watch.add_argument("--need", action="append", default=[], metavar="TIER=N",
                       help="a tier is healthy with so many (`urls` for addresses)")
    watch.add_argument("--weight", action="append", default=[], metavar="NAME=W", help="of one instance, instead of 1")
    watch.add_argument("--once", action="store_true", help="ask once, show, and exit with 1 if the service fails")
    watch.add_argument("--json", action="store_true", help="with --once: the verdict as JSON on standard output")
    shell = add("shell", "look", "shell", "open a shell inside a host of the lab that `up` or `drill` keeps")
    shell.add_argument("host", metavar="HOST", help="`holdfast status` names them")
    command = shell.add_argument("command", metavar="...", nargs=argparse.REMAINDER, help="run this instead of a shell")
    command.required = False
    _runs(shell)


def _drill(drill: argparse.ArgumentParser) -> None:
    _topology(drill)
    _lab(drill)
    only = "only these drills, by fault or by name; may be repeated"
    drill.add_argument("--only", action="append", default=[], metavar="FAULT", help=only)
    suite = "a fixed suite, in rising severity, instead of the topology's own drills"
    drill.add_argument("--suite", choices=SUITES, help=suite)
    drill.add_argument("--seed", type=int, metavar="N", help="draws targets and moments; the same seed gives the same plan")
    drill.add_argument("--repeat", type=_times, metavar="N", default=1, help="all drills N times: smallest, middle and greatest")
    _outcome(drill)
    _inside(drill)


def _outcome(verb: argparse.ArgumentParser) -> None:
    """How a run is judged, and what is written of it."""
    verb.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    verb.add_argument("--junit", metavar="FILE", help="write the result as JUnit XML as well")
    verb.add_argument("--strict", action="store_true", help="a skipped drill makes the run inconclusive (exit 6)")
    verb.add_argument("--baseline", metavar="FILE", help="fail (exit 1) where an outage grew beyond the spread of both runs")
    verb.add_argument("--write-baseline", metavar="FILE", help="write the samples of this run, for --baseline of later ones")
    verb.add_argument("--history", metavar="FILE", help="write every operation as JSON lines, for checkers such as Elle")
    verb.add_argument("--github", action="store_true", help="annotations for GitHub Actions, and its job summary")


def _times(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not how often; write a number from 1 to 1000")
    return int(text)


def _duration(text: str) -> float:
    from holdfast.quantities import seconds

    try:
        return seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _years(text: str) -> int:
    if not text.isdigit() or not 100 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of years to play; write one from 100 to 1000000")
    return int(text)


def _order(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no order of cut sets, how many fail at once; write one from 1 to 100")
    return int(text)


def _port(text: str) -> int:
    """argparse names the argument and shows this message."""
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; write a number from 1 to 65535")
    return int(text)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"holdfast {version('holdfast')}"
    except PackageNotFoundError:
        return "holdfast (not installed)"


def _topology(verb: argparse.ArgumentParser) -> None:
    words = "a folder with a topology.yaml, or such a file (default: this folder)"
    verb.add_argument("topology", metavar="TOPOLOGY", nargs="?", default=".", help=words)


def _lab(verb: argparse.ArgumentParser) -> None:
    labs = ("auto", "namespaces", "loopback")
    verb.add_argument("--lab", choices=labs, default="auto", help="where to run it (default: the best there is)")
    _runs(verb)


def _runs(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--runs", metavar="DIR", default="holdfast-runs", help="where runs are kept (default: %(default)s)")


def _inside(verb: argparse.ArgumentParser) -> None:
    """Set by holdfast itself when it starts again inside a lab's namespaces."""
    verb.add_argument("--into", help=argparse.SUPPRESS)
    verb.add_argument("--listen", type=int, action="append", default=[], help=argparse.SUPPRESS)

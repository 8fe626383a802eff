"""Any program of the user's that speaks HTTP.  holdfast gives it HOST and PORT, and libpq's variables for its database.

    web: {engine: command, replicas: 3, run: python3 app.py, port: 8080, health: /ready,
          env: {MODE: production}, uses: {db: {timeout: 2s, retries: 1}}}

The program must listen on HOST:PORT and answer 200 at `health` while it can serve.  A database it uses is named by all its
addresses with PGTARGETSESSIONATTRS=read-write: libpq finds the primary itself, so one balancer less stands in the way.
Another program that it uses is named by HOLDFAST_TIER_URLS, one address for each instance.  With `mesh: true` that is one
address on its own host, where its sidecar calls for it; a program that only sidecars call gets a HOST that nobody else reaches.
"""

import math
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from holdfast.blueprint import SECRET, File, Process, Restart, Site
from holdfast.engines import mesh, patroni
from holdfast.engines.engine import Actions, Delay, Question, Questions, Served
from holdfast.engines.shared import notice, objection
from holdfast.errors import Problem
from holdfast.topology.model import Declared, Instance, Topology, Uses

PROGRAMS: tuple[str, ...] = ()
SERVES = ("http",)
ROUTES: tuple[str, ...] = ()
FILE = ""
BESIDE_CONFIG: tuple[str, ...] = ()

RESERVED = ("HOST", "PORT")
PLACES = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
"""PATH inside a lab's host, behind the directory of the Python that runs holdfast."""

_INTERPRETER = re.compile(r"(python[0-9.]*|node|ruby|perl|php|bash|sh)")
_NO_SCRIPT = ("-m", "-c", "-e", "-")


def _splits(value: str) -> str:
    try:
        words = shlex.split(value)
    except ValueError as error:
        raise ValueError(f"{value!r} is not a command line: {error}") from None
    if not words:
        raise ValueError("the command is empty; write it like python3 app.py")
    return value


def _starts_with_slash(value: str) -> str:
    if not re.fullmatch(r"/[!-~]*", value):
        raise ValueError(f"{value!r} is not a path; write it like /ready")
    return value


def _plain_variables(value: Mapping[str, str]) -> Mapping[str, str]:
    for name, text in value.items():
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ValueError(f"{name!r} is not the name of an environment variable")
        if name in RESERVED:
            raise ValueError(f"{name} is set by holdfast; use `port:` instead")
        # An EnvironmentFile gives these a meaning of their own.
        if re.search(r"[\x00-\x1f\"'\\]", text):
            raise ValueError(f"the value of {name} must be one line without quotes and backslashes")
    return value


class Settings(Declared):
    run: Annotated[str, AfterValidator(_splits)]
    """The command line; relative paths start at the topology's folder. It listens on $HOST:$PORT."""
    port: Annotated[int, Field(ge=1, le=65535)] = 8080
    """What it is told as PORT."""
    health: Annotated[str, AfterValidator(_starts_with_slash)] = "/"
    """A path that it answers with 200 while it can serve."""
    env: Annotated[Mapping[str, str], AfterValidator(_plain_variables)] = {}
    """More variables for it."""


def files(instance: Instance, topology: Topology, site: Site) -> Mapping[str, File]:
    declared = topology.tiers[instance.tier]
    settings: Settings = declared.settings
    listen = mesh.inside(instance, site) if mesh.closed(instance.tier, topology) else site.listen(instance.host, instance.address)
    variables = {
        "HOST": listen,
        "PORT": str(site.port(settings.port)),
        **settings.env,
    }
    for name, uses in declared.uses.items():
        through = mesh.towards(instance.tier, topology).get(name)
        sidecar = f"http://{mesh.inside(instance, site)}:{through}" if through else ""
        variables |= _variables_of(name, uses, topology, site, sidecar)
    comments = [f"# {line}" for line in notice(instance, topology, site)]
    text = "\n".join([*comments, *(f"{name}={value}" for name, value in variables.items())]) + "\n"
    file = File(text=text)
    return {_file(instance): File(text=text, mode=0o600) if file.holds_secret else file}


def _variables_of(name: str, uses: Uses, topology: Topology, site: Site, sidecar: str) -> dict[str, str]:
    """What the program is told of a tier that it uses.  `sidecar`: the address at which its sidecar calls that tier, or ""."""
    upper = re.sub(r"[^A-Z0-9]", "_", name.upper())
    if sidecar:  # which tries again and leaves alone: twice would be a retry of each retry
        said = {"URLS": sidecar, "TIMEOUT_S": f"{uses.timeout:g}", "RETRIES": "0"}
        return {f"HOLDFAST_{upper}_{key}": value for key, value in said.items()}
    addresses = [site.address(other.host, other.address) for other in topology.instances_of(name)]
    variables = {f"HOLDFAST_{upper}_{key}": value for key, value in _policy(uses).items()}
    other = topology.tiers[name]
    if other.engine == "command":
        port = site.port(other.settings.port)
        return {f"HOLDFAST_{upper}_URLS": ",".join(f"http://{address}:{port}" for address in addresses), **variables}
    if other.engine != "patroni":
        return variables
    return {
        "PGHOST": ",".join(addresses),
        "PGPORT": str(site.port(patroni.POSTGRES_PORT)),
        "PGTARGETSESSIONATTRS": "read-write",
        "PGUSER": other.settings.user,
        "PGPASSWORD": f"{SECRET}{name}-app",
        "PGDATABASE": other.settings.database,
        # libpq rounds one second up to two; per address, so a dead host costs this long.
        "PGCONNECT_TIMEOUT": str(max(2, math.ceil(uses.timeout))),
        **variables,
    }


def _policy(uses: Uses) -> dict[str, str]:
    """The numbers of `uses:`, as far as they are given; shares between 0 and 1."""
    said = {"TIMEOUT_S": uses.timeout, "RETRIES": uses.retries}
    said |= {"RETRY_BUDGET": uses.retry_budget, "MAX_PENDING": uses.max_pending}
    if uses.ejection:
        said |= {
            "EJECTION_FAILURES": uses.ejection.failures, "EJECTION_FOR_S": uses.ejection.duration,
            "EJECTION_MOST": uses.ejection.most,
        }
    return {key: f"{value:g}" for key, value in said.items() if value is not None}


def _file(instance: Instance) -> str:
    return f"/etc/{instance.tier}/environment"


def process(instance: Instance, topology: Topology, site: Site) -> Process:
    settings: Settings = topology.tiers[instance.tier].settings
    folder = topology.folder.resolve()
    return Process(
        name=instance.name,
        host=instance.host,
        argv=_argv(settings.run, folder),
        files=files(instance, topology, site),
        environment_file=_file(instance),
        cwd=str(folder),
        restart=Restart(delay_s=0.1),
        reads_only=tuple(dict.fromkeys((str(folder), *_folders_named(settings.run, folder)))),
    )


def _argv(run: str, folder: Path) -> tuple[str, ...]:
    """A program given by a relative path is beside the topology; a bare name is looked up in PATH."""
    first, *rest = shlex.split(run)
    return (str(folder / first) if "/" in first else first, *rest)


def _folders_named(run: str, folder: Path) -> list[str]:
    """Where the files of the command line are: `python3 ../shop/app.py` reads beside app.py as well."""
    return [str((folder / word).resolve().parent) for word in shlex.split(run) if "/" in word and (folder / word).exists()]


def delays(tier: str, topology: Topology) -> tuple[Delay, ...]:
    return (
        Delay(step="restart", name="the service manager starts it again", low_s=0.1, high_s=0.1, source="RestartSec"),
        Delay(step="start", name="the program starts", low_s=0.1, high_s=3.0, kind="work", source="depends on the program"),
    )


def questions(instance: Instance, topology: Topology) -> Questions:
    settings: Settings = topology.tiers[instance.tier].settings
    return Questions(
        service=Question(
            host=instance.host, port=settings.port, path=settings.health, read=lambda status, _: "yes" if status == 200 else "no",
            inside=mesh.closed(instance.tier, topology),
        )
    )


def actions(instance: Instance, topology: Topology) -> Actions:
    return Actions()


def ports(tier: str, topology: Topology) -> tuple[int, ...]:
    return (topology.tiers[tier].settings.port,)


def served(tier: str, topology: Topology) -> Mapping[str, Served]:
    settings: Settings = topology.tiers[tier].settings
    return {"http": Served(protocol="http", port=settings.port, check_port=settings.port, check_path=settings.health)}


def _script(program: str, words: list[str]) -> str:
    """The file that an interpreter is told to run, or "" where there is none to be seen."""
    if not _INTERPRETER.fullmatch(Path(program).name):
        return ""
    for word in words:
        if word in _NO_SCRIPT or not word.startswith("-"):
            return "" if word in _NO_SCRIPT else word
    return ""


def objections(tier: str, topology: Topology) -> tuple[Problem, ...]:
    declared = topology.tiers[tier]
    found: list[Problem] = []
    first, *rest = shlex.split(declared.settings.run)
    script = _script(first, rest)
    for path in (first if "/" in first else "", script):
        if path and not (topology.folder / path).exists():
            remedy = f"paths start in the topology's folder, {topology.folder}"
            found.append(objection(topology, tier, "run", f"{path} does not exist", remedy))
    places = ":".join([str(Path(sys.executable).parent), *PLACES])
    if "/" not in first and "PATH" not in declared.settings.env and not shutil.which(first, path=places):
        what = f"there is no program {first} on the PATH of a lab's host, {places}"
        found.append(objection(topology, tier, "run", what, "install it, or write its whole path"))
    databases = [name for name in declared.uses if name in topology.tiers and topology.tiers[name].engine == "patroni"]
    if len(databases) > 1:
        found.append(objection(
            topology, tier, "uses", f"{' and '.join(databases)} would both be PGHOST: libpq's variables name one database only",
            "use one of them here",
        ))
    return tuple(found)

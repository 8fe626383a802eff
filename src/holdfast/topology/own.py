"""The configs that a user brings along: which text goes to which host, byte for byte.

    entry: {engine: haproxy, replicas: 2, config: ./haproxy.cfg}      one file for all hosts
    entry: {engine: haproxy, replicas: 2, config: ./haproxy}          a folder: entry1.cfg, entry2.cfg
    entry: {engine: haproxy, replicas: 2, vip: 10.0.1.100, config: ./haproxy.cfg, vip_config: ./keepalived}

In a folder each host of the tier has one file, named after it, with one of the endings .cfg, .conf, .yml and .yaml; files with
other endings are not looked at.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from holdfast.errors import Problem
from holdfast.topology.model import Topology
from holdfast.topology.wording import nearest, shown

ENDINGS = (".cfg", ".conf", ".yml", ".yaml")
LARGEST_BYTES = 1 << 20


def own_configs(topology: Topology, at: Callable[..., str]) -> tuple[dict[str, dict[str, str]], list[Problem]]:
    """Tier to host to text, and what is wrong with the files; `at` says where the value of a path stands in the topology's file.

    The hosts of the topology must be countable.
    """
    texts: dict[str, dict[str, str]] = {}
    problems: list[Problem] = []
    for tier, declared in topology.tiers.items():
        if declared.config is None:
            continue
        bearer = tier.removesuffix("-vip")
        where = at("tiers", bearer, "vip_config") if tier != bearer and declared.on == bearer else at("tiers", tier, "config")
        hosts = [instance.host for instance in topology.instances_of(tier)]
        files, wrong = _files(topology.folder / declared.config, str(declared.config), hosts, where)
        read = {path: _text(path, where) for path in dict.fromkeys(files.values())}
        problems += [*wrong, *(found for found in read.values() if isinstance(found, Problem))]
        said = {host: read[path] for host, path in files.items()}
        texts[tier] = {host: text for host, text in said.items() if isinstance(text, str)}
    return texts, problems


def _files(path: Path, written: str, hosts: list[str], where: str) -> tuple[Mapping[str, Path], list[Problem]]:
    if path.is_file():
        return dict.fromkeys(hosts, path), []
    if not path.is_dir():
        return {}, [Problem(f"there is no file {shown(written)}", where, "correct the path; it starts at this file's folder")]
    found: dict[str, Path] = {}
    problems = []
    try:
        inside = sorted(each for each in path.iterdir() if each.suffix in ENDINGS and each.is_file())
    except OSError as error:
        return {}, [Problem(f"{written} cannot be read: {(error.strerror or '').lower()}", where, "correct its permissions")]
    for file in inside:
        named = f"{written}/{file.name}"
        if file.stem not in hosts:
            meant = nearest(file.stem, hosts)
            remedy = f"name it {meant}{file.suffix}" if meant else f"name it after one of {', '.join(hosts)}"
            problems.append(Problem(f"{named} is for no host of this tier", where, f"{remedy}, or remove it"))
        elif file.stem in found:
            what = f"{file.stem} has two files: {written}/{found[file.stem].name} and {named}"
            problems.append(Problem(what, where, "remove one of them"))
        else:
            found[file.stem] = file
    without = [host for host in hosts if host not in found]
    if without:
        what = f"{written} has no file for {', '.join(without)}"
        problems.append(Problem(what, where, f"write {without[0]} with one of the endings {', '.join(ENDINGS)}"))
    return found, problems


def _text(path: Path, where: str) -> str | Problem:
    try:
        with path.open("rb") as stream:
            data = stream.read(LARGEST_BYTES + 1)
        if len(data) > LARGEST_BYTES:
            return Problem(f"{path} is larger than 1 MiB", where, "name the right file")
        return data.decode()
    except UnicodeDecodeError:
        return Problem(f"{path} is not UTF-8 text", where, "save the file as UTF-8")
    except OSError as error:
        return Problem(f"{path} cannot be read: {(error.strerror or str(error)).lower()}", where, "correct its permissions")

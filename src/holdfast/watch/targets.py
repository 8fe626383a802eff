"""What to watch: from a topology, every instance at both levels; from the command line, addresses of any kind.

    http://10.0.1.21:8080/ready     https://shop.example/ (and its certificate)     tcp://10.0.1.31:5432     dns://shop.example
    shop=http://10.0.1.21:8080/ready                    a name of one's own
    http://watcher:PASSWORD@10.0.1.21:8080/ready        basic authentication: sent, and never shown
"""

import base64
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from urllib.parse import SplitResult, quote, unquote, urlsplit

from holdfast.engines import mesh
from holdfast.engines.catalogue import ENGINES
from holdfast.engines.engine import Question
from holdfast.errors import Problem
from holdfast.topology.model import Instance, Topology
from holdfast.watch.target import Target

URLS = "urls"
CERTIFICATE_EVERY_S = 60.0
_PORTS = {"http": 80, "https": 443}


Where = Callable[[str, int], tuple[str, int] | None]
"""Declared address and port to those of the place at hand; None for what is not there."""


def of_topology(topology: Topology, *, every_s: float, timeout_s: float, where: Where | None = None) -> tuple[Target, ...]:
    """Instances whose engine can be asked only from inside its host are asked at their doors instead.  A virtual address is a
    group of its own, that of the tier which holds it: without it nobody comes in, however many balancers are up.

    where: for a lab whose addresses are not those that were declared.
    """
    found = [target for instance in topology.instances for target in _of_instance(instance, topology)]
    for name, tier in topology.tiers.items():
        if tier.vip:
            found += [
                Target(name=f"{name} address port {port}", group=f"{name}-vip", member=f"{name} (virtual address)",
                       level="service", kind="tcp", host=str(tier.vip), port=port)
                for port in _doors(name, topology)
            ]  # fmt: skip
    made = []
    for target in found:
        place = where(target.host, target.port) if where else (target.host, target.port)
        if place is not None:
            made.append(replace(target, host=place[0], port=place[1], every_s=every_s, timeout_s=timeout_s))
    return tuple(made)


def _of_instance(instance: Instance, topology: Topology) -> Iterator[Target]:
    engine = ENGINES[instance.engine]
    if topology.bearer(instance.tier) and not _outer(instance.tier, topology):
        return  # nobody comes in: of what holds a virtual address, that address itself is watched
    questions = engine.questions(instance, topology)
    doors = _outer(instance.tier, topology)
    for port in doors:
        yield _target(instance, f"port {port}", level="process", kind="tcp", port=port)
    outside = [(word, question) for word, question in (("service", questions.service), ("role", questions.role))
               if question and not question.inside]
    for word, question in outside:
        yield _asking(instance, word, question)
    if not outside and "http" in topology.tiers[instance.tier].routes:
        yield _target(instance, "answers", level="service", kind="http", port=doors[0], read=_served)


def _outer(tier: str, topology: Topology) -> tuple[int, ...]:
    """The ports that can be reached from other hosts: a program that only sidecars call has none, they have one."""
    if mesh.closed(tier, topology):
        return ()
    ports = ENGINES[topology.tiers[tier].engine].ports(tier, topology)
    if topology.tiers[tier].engine == "sidecar":
        return tuple(port for port in ports if port == mesh.INBOUND_PORT)
    return _doors(tier, topology) or ports


def _doors(tier: str, topology: Topology) -> tuple[int, ...]:
    """The ports at which clients find a balancer."""
    if not topology.tiers[tier].routes:
        return ()
    entries = getattr(ENGINES[topology.tiers[tier].engine], "entries", None)
    return tuple(entry.port for entry in entries(tier, topology)) if entries else ()


def _target(instance: Instance, what: str, **more: object) -> Target:
    return Target(name=f"{instance.name} {what}", group=instance.tier, member=instance.name, host=instance.address, **more)  # type: ignore[arg-type]


def _asking(instance: Instance, word: str, question: Question) -> Target:
    return Target(
        name=f"{instance.name} {word}", group=instance.tier, member=instance.name, level="service", kind="http",
        host=instance.address, port=question.port, method=question.method, path=question.path, body=question.body,
        read=question.read, role=word == "role",
    )  # fmt: skip


def _served(status: int, _: bytes) -> str:
    """A balancer passes on what its servers say; from 500 on it says that it has none."""
    return "yes" if status < 500 else "no"


def _is_good(status: int, _: bytes) -> str:
    """A redirection is no answer of the service: whoever means its end asks there."""
    return "yes" if 200 <= status < 300 else "no"


def of_urls(words: Sequence[str], *, every_s: float, timeout_s: float) -> tuple[Target, ...] | tuple[Problem, ...]:
    """Either all of them, or every mistake in them."""
    found: list[Target] = []
    problems: list[Problem] = []
    for word in words:
        name, url = word.split("=", 1) if "=" in word.split("://", 1)[0] else ("", word)
        name = name or shown(url)
        try:
            made = list(_of_url(name, url, every_s=every_s, timeout_s=timeout_s))
        except ValueError as error:
            remedy = "write it like http://10.0.1.21:8080/ready, tcp://HOST:PORT or dns://NAME"
            problems.append(Problem(str(error), shown(word), remedy))
            continue
        if any(each.name == target.name for target in made for each in found):
            problems.append(Problem(f"{name} is named twice", shown(word), "give one of them another name: NAME=URL"))
        found += made
    return tuple(problems) if problems else tuple(found)


def shown(url: str) -> str:
    """Without user, password and query: they may be secrets, and a name stands on pages, in metrics and in logs."""
    return re.sub(r"\?.*", "?...", re.sub(r"//[^/?#]*@", "//", url), flags=re.DOTALL)


def _of_url(name: str, url: str, *, every_s: float, timeout_s: float) -> Iterator[Target]:
    """Raises ValueError, which does not tell the password either."""
    wrong = f"{shown(url)!r} is not an address that can be watched"
    try:
        parts = urlsplit(url)
        host, port = _ascii(parts.hostname or ""), _port(parts)
    except ValueError as error:
        raise ValueError(f"{wrong}: {shown(str(error))}") from None
    if not host or parts.scheme not in ("http", "https", "tcp", "dns"):
        raise ValueError(wrong)
    if parts.scheme == "tcp" and not port:
        raise ValueError(f"{shown(url)!r} has no port")
    common = Target(name=name, group=URLS, member=name, level="service", kind="tcp", host=host, port=port, every_s=every_s,
                    timeout_s=timeout_s)  # fmt: skip
    if parts.scheme == "tcp":
        yield replace(common, level="process")
        return
    if parts.scheme == "dns":
        yield replace(common, kind="dns")
        return
    path = quote(parts.path or "/", safe=_SAFE) + (f"?{quote(parts.query, safe=_SAFE)}" if parts.query else "")
    written = f"[{host}]" if ":" in host else host
    asked = replace(
        common, kind="http", path=path, read=_is_good, encrypted=parts.scheme == "https", authorization=_basic(parts),
        header_host=written if port == _PORTS[parts.scheme] else f"{written}:{port}",
    )  # fmt: skip
    yield asked
    if parts.scheme == "https":
        yield replace(common, name=f"{name} certificate", kind="tls", every_s=max(every_s, CERTIFICATE_EVERY_S))


_SAFE = "/?:@!$&'()*+,;=-._~%"
"""What a path and a query may hold as it stands (RFC 3986, 3.3 and 3.4), and the sign of what is quoted already."""


def _ascii(host: str) -> str:
    """As it is looked up: `b\u00fccher.example` is xn--bcher-kva.example.  Raises ValueError for what cannot be a name."""
    if any(each.isspace() or ord(each) < 0x20 for each in host):
        raise ValueError("a blank in the host")
    return host if host.isascii() else host.encode("idna").decode()


def _basic(parts: SplitResult) -> str:
    """RFC 7617."""
    if parts.username is None:
        return ""
    return "Basic " + base64.b64encode(f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()).decode()


def _port(parts: SplitResult) -> int:
    """Raises ValueError for one that is no number from 1 to 65535."""
    if parts.port == 0:
        raise ValueError("port 0")
    return parts.port or _PORTS.get(parts.scheme, 0)

"""Gray failures: whoever looks sees a healthy host, and who works with it does not.

Two of them need no help of the program that they strike: an Envoy on its host stands in front of its port.  The health path goes
through to the program; every other request is refused or held up by Envoy's own HTTP fault filter, as often as the share says.
Connections that clients and balancers had are reset once as it comes and once as it goes, and a request that comes through
carries `x-forwarded-proto` besides.  What the host asks itself never leaves it, and so is answered as ever.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from pydantic import Field

from holdfast.errors import Problem, Refused
from holdfast.faults.fault import Front, Settings, Struck, Target, fault, states
from holdfast.faults.network import cut_rules, shaped, sides
from holdfast.lab.verbs import Lab
from holdfast.quantities import Duration, Share, shown_seconds, written_share

_FIRST_PORT = 29900
"""Below the ports that kernels give to clients, and none that programs use to have."""
_MILLION = 1_000_000
_TYPE = "type.googleapis.com/envoy.extensions."


def port_in_front(taken: frozenset[int]) -> int:
    """Where the Envoy listens: the first one from 29900 on that no tier has."""
    return next(port for port in range(_FIRST_PORT, _FIRST_PORT + len(taken) + 1) if port not in taken)


def _percentage(share: float) -> dict[str, Any]:
    return {"numerator": round(share * _MILLION), "denominator": "MILLION"}


def _named(name: str, kind: str, **settings: Any) -> dict[str, Any]:
    return {"name": name, "typed_config": {"@type": f"{_TYPE}{kind}", **settings}}


def envoy(front: Front, listens: int, harm: Mapping[str, Any]) -> dict[str, Any]:
    """The whole configuration.  `harm`: settings of Envoy's fault filter, for all requests but those for the health path.

    Source of every name: Envoy documentation, API reference v3; "HTTP fault injection" for the filter.
    """
    kept_case = {
        "stateful_formatter": _named(
            "preserve_case", "http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig"
        )
    }  # fmt: skip
    through = {"cluster": "program", "timeout": "0s"}
    spared = {"envoy.filters.http.fault": {"@type": f"{_TYPE}filters.http.fault.v3.HTTPFault"}}
    manager = _named(
        "envoy.filters.network.http_connection_manager",
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="front", generate_request_id=False, skip_xff_append=True, server_header_transformation="PASS_THROUGH",
        stream_idle_timeout="0s", http_protocol_options={"accept_http_10": True, "header_key_format": kept_case},
        route_config={"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
            {"match": {"path": front.health}, "route": through, "typed_per_filter_config": spared},
            {"match": {"prefix": "/"}, "route": through},
        ]}]},
        http_filters=[
            _named("envoy.filters.http.fault", "filters.http.fault.v3.HTTPFault", **harm),
            _named("envoy.filters.http.router", "filters.http.router.v3.Router", suppress_envoy_headers=True),
        ],
    )  # fmt: skip
    protocol = {"@type": f"{_TYPE}upstreams.http.v3.HttpProtocolOptions"}
    protocol |= {"explicit_http_config": {"http_protocol_options": {"header_key_format": kept_case}}}
    endpoint = {"endpoint": {"address": _address("127.0.0.1", front.port)}}
    cluster = {
        "name": "program", "type": "STATIC", "connect_timeout": "5s",
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": protocol},
        "load_assignment": {"cluster_name": "program", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }  # fmt: skip
    listener = {"name": "front", "address": _address("0.0.0.0", listens), "filter_chains": [{"filters": [manager]}]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def _address(address: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": address, "port_value": port}}


@asynccontextmanager
async def _in_front(lab: Lab, target: Target, harm: Mapping[str, Any], said: str) -> AsyncIterator[Struck]:
    """Raises Refused where the struck tier speaks no HTTP."""
    if target.front is None:
        raise Refused(Problem(f"{target} speaks no http", where="drills", remedy="name a tier that does, with `tier:`"))
    listens = port_in_front(frozenset(port for ports in target.ports.values() for port in ports))
    config = json.dumps(envoy(target.front, listens, harm))
    argv = [target.program, "--config-yaml", config, "--disable-hot-restart", "--concurrency", "1", "--log-level", "error"]
    before = await states(lab, target)
    try:
        for host in target.hosts:
            await lab.divert(host, target.front.port, argv, listens)
        yield Struck(before=before, after=await states(lab, target), said=said)
    finally:
        for host in target.hosts:
            await lab.undivert(host)


class Wrong(Settings):
    status: int = Field(default=503, ge=400, le=599)
    """What is answered instead."""
    share: Share = Field(default=1.0, gt=0)
    """Of the requests."""


@fault(needs="front", program="envoy", settings=Wrong)
async def alive_but_wrong(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """Health says yes and requests fail: a broken deployment, a lost license, a full queue that no check looks at.

    {fault: alive_but_wrong, tier: web, target: one, status: 503, share: 100%}
    """
    wanted = target.settings
    harm = {"abort": {"http_status": wanted.status, "percentage": _percentage(wanted.share)}}
    said = f"{written_share(wanted.share)} of the requests are answered {wanted.status}, and health as ever"
    async with _in_front(lab, target, harm, said) as struck:
        yield struck


class Slow(Settings):
    delay: Duration = Field(default=2.0, ge=0.01)
    """Before the program even hears of the request."""
    share: Share = Field(default=1.0, gt=0)
    """Of the requests."""


@fault(needs="front", program="envoy", settings=Slow)
async def slow_answers(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """Health answers at once and requests take their time: worse than a dead host, for who waits also keeps others waiting.

    {fault: slow_answers, tier: web, target: one, delay: 2s, share: 100%}
    """
    wanted = target.settings
    harm = {"delay": {"fixed_delay": f"{wanted.delay:.6g}s", "percentage": _percentage(wanted.share)}}
    said = f"{written_share(wanted.share)} of the requests wait for {shown_seconds(wanted.delay)}, and health does not"
    async with _in_front(lab, target, harm, said) as struck:
        yield struck


class Dependency(Settings):
    dependency: str
    """The tier that is out of reach: one that the struck tier uses or routes to."""


def beyond(target: Target) -> tuple[str, ...]:
    """The hosts of the dependency that are not the struck ones.  Raises Refused where there is none."""
    wanted = target.settings.dependency
    if wanted not in target.tiers:
        remedy = f"write one of {', '.join(target.tiers)}"
        raise Refused(Problem(f"there is no tier {wanted}", where=f"dependency_down {target}", remedy=remedy))
    hosts = tuple(host for host in target.tiers[wanted] if host not in target.hosts)
    if not hosts:
        reason = f"{target} and all of {wanted} are the same hosts, with no cable between them"
        raise Refused(Problem(reason, where=f"dependency_down {target}", remedy="choose another tier"))
    return hosts


@fault(needs="shape", settings=Dependency)
async def dependency_down(lab: Lab, target: Target) -> AsyncIterator[Struck]:
    """What the program calls is gone, for it alone: the program lives, its health may say so, and nobody else is concerned.

    Only the dependency's own ports are out of reach, in silence; what else runs on its hosts is not.

    {fault: dependency_down, tier: web, target: all, dependency: db}
    """
    wanted = target.settings.dependency
    rules = cut_rules(sides(target.hosts, beyond(target)), target.ports[wanted])
    before = await states(lab, target)
    async with shaped(lab, rules, f"{target} hears nothing of {wanted}") as struck:
        yield Struck(before=before, after=await states(lab, target), said=struck.said)

"""How a balancer spreads requests: the field's own terms, the same keys for nginx, HAProxy and Envoy.

    entry:
      engine: haproxy
      routes: {http: web}
      balance:
        strategy: consistent_hash
        hash_on: header X-Tenant
        bounded_load: 125
        slow_start: 10s
        check: {path: /ready, host: shop.example, status: 200-299, fast_interval: 100ms}
        sessions: {by: cookie, cookie: SERVER}
        rate_limit: {requests: 100, per: 1s, burst: 50}
      uses: {web: {timeout: 5s, retries: 1, max_pending: 200, ejection: {failures: 5, for: 10s}}}

It holds for the tier behind `http`; a database is always balanced by role.  What an engine cannot do it refuses, and names
those that can.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from holdfast.quantities import Duration
from holdfast.topology.model import Declared

Strategy = Literal["round_robin", "least_connections", "random_two", "source", "consistent_hash", "maglev", "first"]
HASHING: tuple[Strategy, ...] = ("source", "consistent_hash", "maglev")
"""Strategies by which the same key meets the same server."""


def _matching(pattern: str, how: str) -> AfterValidator:
    def valid(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"{value!r} is not {how}")
        return value

    return AfterValidator(valid)


class Check(Declared):
    """How a server is asked whether it may serve, where its own readiness path is not what is meant."""

    path: Annotated[str, _matching(r"/[!-~]*", "a path; write it like /ready")] | None = None
    """What is asked for; the tier's own `health` if not given."""
    host: Annotated[str, _matching(r"[A-Za-z0-9.-]{1,253}", "a host name; write it like shop.example")] | None = None
    """The Host header of the question; the tier's name if not given."""
    status: Annotated[str, _matching(r"[1-5][0-9]{2}(-[1-5][0-9]{2})?", "a status; write it like 200 or 200-299")] = "200"
    """What counts as yes: one status, or a range."""
    fast_interval: Duration | None = None
    """How often while the answers are changing, or the server is out."""

    @property
    def statuses(self) -> tuple[int, int]:
        """The lowest and the highest that count as yes."""
        low, _, high = self.status.partition("-")
        return int(low), int(high or low)


class Sessions(Declared):
    """Requests of one visitor meet one server for as long as it lives; then another takes over."""

    by: Literal["cookie", "source"]
    """Whom a visitor is known by: a cookie that the balancer sets, or the address."""
    cookie: Annotated[str, _matching(r"[A-Za-z0-9_-]{1,64}", "the name of a cookie")] = "SERVER"
    """Its name."""
    ttl: Duration = 3600.0
    """How long a visitor who asks nothing is remembered."""


class RateLimit(Declared):
    """Who asks more often than this gets 429."""

    requests: Annotated[int, Field(ge=1, le=1_000_000)]
    """Of one client address ..."""
    per: Duration = 1.0
    """... in this time."""
    burst: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """How many more at once."""


class Balance(Declared):
    strategy: Strategy | None = None
    """Who gets the next request; if not given the one with the fewest."""
    hash_on: Annotated[str, _matching(r"uri|source|header [A-Za-z0-9-]{1,64}", "uri, source, or header NAME")] = "uri"
    """For `consistent_hash` and `maglev`: what makes requests meet the same server: `uri`, `source` or `header NAME`."""
    bounded_load: Annotated[int, Field(gt=100, le=10_000)] | None = None
    """For `consistent_hash`: percent of the mean load that no server exceeds; the rest moves on."""
    weights: Mapping[str, Annotated[int, Field(ge=1, le=255)]] = {}
    """Host to its share beside the others'; 1 if not named."""
    slow_start: Duration | None = None
    """A server that comes back gets its full share only after this long."""
    server_connections: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """At a time to one server, from each balancer; how many may wait is `max_pending` under `uses`."""
    queue_timeout: Duration | None = None
    """How long a request waits for a free connection before it is refused with 503."""
    backups: tuple[str, ...] = ()
    """Hosts that serve only when no other can; without any, all are active."""
    prefer_zone: bool = False
    """Servers in the balancer's own zone first; the others only when none of these can serve."""
    check: Check = Check()
    """How servers are asked whether they may serve."""
    sessions: Sessions | None = None
    """Requests of one visitor meet one server."""
    rate_limit: RateLimit | None = None
    """Of each client, answered with 429 beyond it."""
    websocket: bool = False
    """Let connections be upgraded, and stay open for an hour without a word."""
    retry_after: Duration | None = None
    """A GET without an answer is asked of another host after this long; the engine's own default if not given."""

    @property
    def hashes(self) -> bool:
        return self.strategy in HASHING


TUNNEL_S = 3600.0
"""How long an upgraded connection may be silent."""


def rate_of(limit: RateLimit) -> float:
    """Requests in a second."""
    return limit.requests / limit.per

"""Which question a path asks, and the answer to it: what all servers and frameworks share.

    /livez /readyz /startupz     as Kubernetes, with ?verbose and ?exclude=NAME; /readyz/NAME asks one check or group
    /health                      readiness as health+json, as text for who prefers text/plain
    /health/live /ready /startup the same for each kind
    /health/metrics              Prometheus

Rules: parsing and rendering are pure; asking is left to the caller, who knows whether he may wait or must await.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from holdfast.runtime import checks
from holdfast.runtime.health.answers import Answer, error, health_json, kubernetes, text
from holdfast.runtime.health.prometheus import metrics

if TYPE_CHECKING:
    from holdfast.runtime.health.health import Health
    from holdfast.runtime.health.results import Kind, Report

    Headers = Mapping[str, str]
    Operator = bool | Callable[[Headers], bool]

__all__ = ["Question", "Routes", "bearer"]

_KUBERNETES: dict[str, Kind] = {"livez": "liveness", "readyz": "readiness", "startupz": "startup"}
_HEALTH: dict[str, Kind] = {"": "readiness", "live": "liveness", "ready": "readiness", "startup": "startup"}
_ALL: tuple[Kind, ...] = ("liveness", "readiness", "startup")
_LONGEST_QUERY = 2000


def bearer(token: str) -> Callable[[Headers], bool]:
    """For `details=`: whoever sends `Authorization: Bearer TOKEN` is an operator.  ValueError for fewer than 8 characters."""
    if not isinstance(token, str) or len(token) < 8:
        raise ValueError("token must be a text of 8 or more characters")  # what it is does not belong in a message
    wanted = f"Bearer {token}".encode()
    return lambda headers: hmac.compare_digest(headers.get("authorization", "").encode("utf-8", "replace"), wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    style: str
    """kubernetes, health or metrics."""
    name: str = ""
    """livez, readyz or startupz, as the answer repeats it."""
    kind: Kind = "readiness"
    kinds: tuple[Kind, ...] = ()
    only: str = ""
    exclude: tuple[str, ...] = ()
    verbose: bool = False


class Routes:
    """prefix    before every path, like "/internal"
    details   whether an answer holds names, messages and values: True, False, or a function of the request's headers (names in
              lower case), such as `bearer(token)`
    paths     further paths, each for a kind or for the check or group that decides it:
              {"/ready": "readiness", "/ready/orders": "orders"}; answered as health+json
    metrics   False: no /health/metrics; it names checks and what they measured, so where `details` is a function, it decides here
              as well
    """

    def __init__(
        self, health: Health, *, prefix: str = "", details: Operator = False, paths: Mapping[str, str] | None = None,
        metrics: bool = True,
    ):
        if not isinstance(prefix, str) or (prefix and (not prefix.startswith("/") or prefix.endswith("/"))):
            raise ValueError(f"prefix is {prefix!r}; it must be empty or begin with / and not end with it")
        if not isinstance(details, bool) and not callable(details):
            raise ValueError(f"details is {details!r}; it must be True, False or a function of the headers")
        self.health, self._details = health, details
        self._found: dict[str, Question] = {}
        """Questions without a query, by whole path."""
        for name, kind in _KUBERNETES.items():
            self._found[f"{prefix}/{name}"] = Question(style="kubernetes", name=name, kind=kind)
        for name, kind in _HEALTH.items():
            self._found[f"{prefix}/health" + (f"/{name}" if name else "")] = Question(style="health", kind=kind)
        if metrics:
            self._found[f"{prefix}/health/metrics"] = Question(style="metrics", kinds=_ALL)
        for path, what in (paths or {}).items():
            if not isinstance(path, str) or not path.startswith("/"):
                raise ValueError(f"paths names {path!r}; it must begin with /")
            kind = what if what in _ALL else "readiness"
            self._found[path] = Question(style="health", kind=kind, only="" if what in _ALL else what)
        self._below = tuple((f"{path}/", asked) for path, asked in self._found.items() if asked.style == "kubernetes")
        self._public: dict[Question, tuple[Report, Answer]] = {}

    def question(self, path: str, query: str) -> Question | None:
        """None when the path is not one of health."""
        asked = self._found.get(path)
        if asked is None:
            for start, above in self._below:
                if path.startswith(start):
                    asked = Question(style="kubernetes", name=above.name, kind=above.kind, only=unquote(path[len(start):])[:200])
                    break
        if asked is None or not query or asked.style == "metrics":
            return asked
        words = parse_qsl(query[:_LONGEST_QUERY], keep_blank_values=True, max_num_fields=None)
        exclude = tuple(dict.fromkeys(value for key, value in words if key == "exclude"))
        verbose = any(key == "verbose" for key, _ in words)
        return Question(style=asked.style, name=asked.name, kind=asked.kind, only=asked.only, exclude=exclude, verbose=verbose)

    def refusal(self, asked: Question, method: str) -> Answer | None:
        """For a method other than GET and HEAD, and for a check that there is not; where the program itself named it, in `paths`,
        that is no 404 but an error, which asking raises."""
        if method not in ("GET", "HEAD"):
            return error(405, "method not allowed", ("Allow", "GET, HEAD"))
        if asked.only and asked.style == "kubernetes" and not any(
            asked.only in (check.name, check.group) for check in self.health.checks if asked.kind in check.kind
        ):
            return error(404, "no such check")
        return None

    def answer(self, asked: Question, reports: list[Report], headers: Callable[[], Headers]) -> Answer:
        """`reports` of the question's kind, or of its kinds."""
        if asked.style == "metrics":
            if callable(self._details) and not self._details(headers()):
                return error(403, "for operators only")
            return metrics(self.health, reports)
        report = reports[0]
        seen = headers() if callable(self._details) or asked.style == "health" else {}
        details = self._details(seen) if callable(self._details) else self._details
        plain = asked.style == "health" and _prefers_text(seen.get("accept", ""))
        if details or plain or asked.exclude or asked.verbose:
            return self._rendered(asked, report, bool(details), plain)
        known = self._public.get(asked)
        if known is None or known[0] is not report:
            known = self._public[asked] = (report, self._rendered(asked, report, False, False))
        return known[1]

    def _rendered(self, asked: Question, report: Report, details: bool, plain: bool) -> Answer:
        if asked.style == "kubernetes":
            return kubernetes(report, asked.name, asked.exclude, asked.verbose, details)
        return (text if plain else health_json)(report, self.health.now_s(), details)

    # --- asking, in both ways

    def ask(self, asked: Question) -> list[Report]:
        kinds = asked.kinds or (asked.kind,)
        return [self.health.ask(kind, exclude=asked.exclude, only=asked.only) for kind in kinds]

    async def aask(self, asked: Question, **more: Any) -> list[Report]:
        kinds = asked.kinds or (asked.kind,)
        return [await self.health.aask(kind, exclude=asked.exclude, only=asked.only, **more) for kind in kinds]


def _prefers_text(accept: str) -> bool:
    """Names text/plain and not JSON."""
    return "text/plain" in accept and "json" not in accept


def routes_of(health: Health, **settings: Any) -> Routes:
    checks.function("health.ask", getattr(health, "ask", None))
    return Routes(health, **settings)

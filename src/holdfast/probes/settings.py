"""What a user may write under `probes:`; the first key says which kind it is.

    pages:  {http: "http://entry/", from: client, every: 50ms}
    orders: {ledger: db, through: entry, from: client, every: 20ms}
"""

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from holdfast.quantities import Duration


def _http_or_https(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{value!r} is not an address that can be asked; write it like http://entry/")
    try:
        parts.port  # noqa: B018 - reading it is the check
    except ValueError:
        raise ValueError(f"{value!r} has no valid port; write it like http://entry:8080/") from None
    return value


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    client: str | None = Field(default=None, alias="from")
    """The host from which it asks; the first client if not given."""
    patience: Duration = 2.0
    """How long an answer may take before it counts as unknown."""


Status = Annotated[int, Field(ge=100, le=599)]


class Http(_Settings):
    http: Annotated[str, AfterValidator(_http_or_https)]
    """What to ask, with a tier or a host as its name; `https://` where the tier has `tls`."""
    every: Duration = 0.05
    """How often, answered or not."""
    expect: Status | Annotated[tuple[Status, ...], Field(min_length=1)] = 200
    """The status that counts as a good answer; `[200, 503]` where a refusal at once is one too."""
    session: bool = False
    """Ask as one visitor who keeps the cookies: another server (`X-Served-By`) than the last one is a lost session."""

    @property
    def expected(self) -> tuple[int, ...]:
        return (self.expect,) if isinstance(self.expect, int) else self.expect

    @property
    def tiers(self) -> tuple[str, ...]:
        return (urlsplit(self.http).hostname or "",)


class Ledger(_Settings):
    ledger: str
    """The database tier to which numbered writes go."""
    through: str | None = None
    """The tier by which they go; the database's own hosts if not given."""
    every: Duration = 0.02
    """How often, answered or not."""

    @property
    def tiers(self) -> tuple[str, ...]:
        return (self.ledger, self.through) if self.through else (self.ledger,)


PROBES: Mapping[str, type[Any]] = {"http": Http, "ledger": Ledger}

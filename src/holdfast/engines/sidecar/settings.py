"""What a user may say about the sidecars of a tier: `mesh: {check_interval: 500ms}`."""

from typing import Annotated

from pydantic import Field

from holdfast.engines import envoy
from holdfast.engines.intent import Balance
from holdfast.quantities import Duration
from holdfast.topology.model import Declared


class Settings(Declared):
    prefer_zone: bool = True
    """Instances in the caller's own zone first; the others when none of these can serve, and for what is asked again."""
    check_interval: Duration = 0.25
    """How often each instance of a tier that is called is asked whether it may serve."""
    check_timeout: Duration = 0.5
    """How long such a check may take."""
    fall: Annotated[int, Field(ge=1)] = 2
    """Checks without an answer before an instance is out.  An answer of 503 takes it out at once."""
    rise: Annotated[int, Field(ge=1)] = 1
    """Good checks in a row before it is in again."""
    connect_timeout: Duration = 0.25
    """For the connection to an instance."""
    hedge_after: Duration = 0.25
    """A GET without an answer is asked of a second instance as well after this long."""
    workers: Annotated[int, Field(ge=1, le=1024)] = 1
    """Threads that serve."""


def as_envoy(settings: Settings) -> envoy.Settings:
    """The same said of an Envoy that balances."""
    same = settings.model_dump(exclude={"prefer_zone"})
    return envoy.Settings().model_copy(update={**same, "balance": Balance(prefer_zone=settings.prefer_zone)})

"""What a user may say about Envoy.  Shipped values fail over fast; the config gives their reasons."""

from typing import Annotated

from pydantic import Field

from holdfast.engines.intent import Balance
from holdfast.engines.tls import Tls
from holdfast.quantities import Duration
from holdfast.topology.model import Declared


class Settings(Declared):
    check_interval: Duration = 0.25
    """How often each instance is asked whether it may serve."""
    check_timeout: Duration = 0.5
    """How long such a check may take."""
    fall: Annotated[int, Field(ge=1)] = 2
    """Checks without an answer before an instance is out.  An answer of 503 takes it out at once."""
    rise: Annotated[int, Field(ge=1)] = 1
    """Good checks in a row before it is in again."""
    connect_timeout: Duration = 0.25
    """For the connection to an instance."""
    hedge_after: Duration = 0.25
    """A GET without an answer is asked of a second host as well after this long."""
    request_timeout: Duration = 15.0
    """For a whole request."""
    max_connections: Annotated[int, Field(ge=10, le=1_000_000)] = 4000
    """To all instances of a tier together."""
    workers: Annotated[int, Field(ge=1, le=1024)] = 1
    """Threads that serve."""
    balance: Balance = Balance()
    """How requests are spread over the servers of `http`."""
    tls: Tls | None = None
    """Encrypt towards clients, on port 443."""

"""What a user may say about HAProxy.  Shipped values fail over fast; the config gives their reasons."""

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
    """Failed checks in a row before an instance is out."""
    rise: Annotated[int, Field(ge=1)] = 1
    """Good checks in a row before it is in again."""
    max_connections: Annotated[int, Field(ge=10, le=1_000_000)] = 4000
    """Of one balancer at a time."""
    connect_timeout: Duration = 0.25
    """For the connection to an instance."""
    retry_after: Duration = 0.8
    """A GET without an answer is asked of another host after this long; slower pages fail."""
    request_timeout: Duration = 15.0
    """For every other method, which is asked once."""
    session_timeout: Duration = 1800.0
    """A database session may be idle for this long."""
    balance: Balance = Balance()
    """How requests are spread over the servers of `http`."""
    tls: Tls | None = None
    """Encrypt towards clients, on port 443."""

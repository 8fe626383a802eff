"""What a user may say about nginx.  Shipped values fail over fast; the config gives their reasons."""

from typing import Annotated

from pydantic import Field

from holdfast.engines.intent import Balance
from holdfast.engines.tls import Tls
from holdfast.quantities import Duration
from holdfast.topology.model import Declared


class Settings(Declared):
    max_fails: Annotated[int, Field(ge=1)] = 3
    """Failed requests within `fail_timeout` before an instance is out: open-source nginx learns of failures in no other way."""
    fail_timeout: Duration = 2.0
    """How long an instance stays out; then one request tries it again."""
    connect_timeout: Duration = 0.25
    """For the connection to an instance."""
    retry_after: Duration = 0.8
    """A GET without an answer is asked of another host after this long; slower pages fail."""
    request_timeout: Duration = 15.0
    """For every other method, which is asked once."""
    max_connections: Annotated[int, Field(ge=10, le=1_000_000)] = 4000
    """Of one worker at a time."""
    workers: Annotated[int, Field(ge=0, le=1024)] = 0
    """Processes that serve; 0: one for each CPU."""
    drain: Duration = 30.0
    """After a reload or a stop, requests under way may take this long to end."""
    balance: Balance = Balance()
    """How requests are spread over the servers of `http`."""
    tls: Tls | None = None
    """Encrypt towards clients, on port 443."""

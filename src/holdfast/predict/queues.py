"""Waiting lines: how long requests wait for one of several equal servers, before a loss and after it.

Erlang's delay formula (A. K. Erlang, 1917; Kleinrock, Queueing Systems 1, 1975, section 3.5): arrivals at random (Poisson),
service times exponential, one line.  Real traffic comes in bursts, so real waits are longer, not shorter.
"""

from math import inf, isfinite


def erlang_b(servers: int, offered: float) -> float:
    """The probability that all servers are busy where nobody waits; offered: arrivals x mean service time, in erlangs.

    By the recursion B(n) = a B(n-1) / (n + a B(n-1)), which never overflows.  Raises ValueError outside of servers >= 0, a >= 0.
    """
    if servers < 0 or not isfinite(offered) or offered < 0:
        raise ValueError(f"servers and offered must be 0 or more, not {servers!r} and {offered!r}")
    busy = 1.0
    for number in range(1, servers + 1):
        busy = offered * busy / (number + offered * busy)
    return busy


def erlang_c(servers: int, offered: float) -> float:
    """The probability that a request has to wait; 1 where more is offered than the servers can do."""
    if offered >= servers:
        return 1.0
    busy = erlang_b(servers, offered)
    return busy / (1.0 - offered / servers * (1.0 - busy))


def mean_wait(servers: int, arrivals: float, per_server: float) -> float:
    """Mean time in line, in the unit of which `arrivals` and `per_server` count per: C / (servers x per_server - arrivals).

    Infinite where the servers cannot keep up.  Raises ValueError for negative numbers and a capacity of 0.
    """
    if per_server <= 0 or arrivals < 0:
        raise ValueError(f"arrivals must be 0 or more and per_server above 0, not {arrivals!r} and {per_server!r}")
    spare = servers * per_server - arrivals
    return inf if spare <= 0 else erlang_c(servers, arrivals / per_server) / spare

"""Waiting lines: how long requests wait for one of several equal servers, before a loss and after it.

Erlang's delay formula (A. K. Erlang, 1917; Kleinrock, Queueing Systems 1, 1975, section 3.5): arrivals at random (Poisson),
service times exponential, one line.  Real traffic comes in bursts, so real waits are longer, not shorter.
"""

from math import inf

from holdfast.predict.ranges import as_positive, as_whole


def erlang_b(servers: int, offered: float) -> float:
    """The probability that all servers are busy where nobody waits; offered: arrivals x mean service time, in erlangs.

    By the recursion B(n) = a B(n-1) / (n + a B(n-1)), which never overflows.  Raises ValueError outside of servers >= 0, a >= 0.
    """
    as_whole("servers", servers)
    as_positive("offered", offered, zero=True)
    busy = 1.0
    for number in range(1, servers + 1):
        busy = offered * busy / (number + offered * busy)
    return busy


def erlang_c(servers: int, offered: float) -> float:
    """The probability that a request has to wait; 1 where more is offered than the servers can do.

    C = B / (1 - a / n (1 - B)) (Kleinrock, section 3.5).  Raises ValueError as `erlang_b` does.
    """
    as_whole("servers", servers)
    as_positive("offered", offered, zero=True)
    if offered >= servers:
        return 1.0
    busy = erlang_b(servers, offered)
    return busy / (1.0 - offered / servers * (1.0 - busy))


def mean_wait(servers: int, arrivals: float, per_server: float) -> float:
    """Mean time in line, in the unit of which `arrivals` and `per_server` count per: C / (servers x per_server - arrivals).

    Infinite where the servers cannot keep up.  Raises ValueError for negative numbers and a capacity of 0.
    """
    as_whole("servers", servers)
    as_positive("arrivals", arrivals, zero=True)
    as_positive("per_server", per_server)
    spare = servers * per_server - arrivals
    return inf if spare <= 0 else erlang_c(servers, arrivals / per_server) / spare

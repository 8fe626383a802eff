"""The arithmetic of availability: series, parallel, k of n, repair, agreements, budgets.  Small exact functions of plain numbers.

Availabilities and probabilities are shares from 0 to 1; times may be of any unit as long as it is one.  All raise a
ValueError that names the argument, its value and the range.
"""

from collections.abc import Iterable, Iterator
from math import floor, fsum, inf, log10, prod

from holdfast.predict.ranges import as_positive, as_share, as_whole

YEAR_H = 365.25 * 24
"""The Julian year that all yearly figures mean: 365.25 days, 8766 hours."""

YEAR_S = YEAR_H * 3600


def series(availabilities: Iterable[float]) -> float:
    """All are needed and fail independently: the product (IEC 61078, Reliability block diagrams).  Of nothing it is 1."""
    return prod(as_share("an availability", each) for each in availabilities)


def parallel(availabilities: Iterable[float]) -> float:
    """One is enough, failures are independent and the change costs nothing: 1 - product of (1 - A) (IEC 61078).  Of nothing 0."""
    return 1.0 - prod(1.0 - as_share("an availability", each) for each in availabilities)


def k_of_n(needed: int, total: int, availability: float) -> float:
    """`needed` of `total` equal, independent units are up: the upper tail of the binomial distribution (IEC 61078).

    The smaller of the two tails is summed, so what is nearly impossible keeps its digits and nothing is ever negative.  Terms
    are counted in units of the likeliest one, each from the one beside it, so none overflows.
    """
    as_whole("total", total)
    if not 0 <= as_whole("needed", needed) <= total:
        raise ValueError(f"needed must lie between 0 and total = {total}, not {needed!r}")
    up = as_share("availability", availability)
    if needed == 0 or up in (0.0, 1.0):
        return 1.0 if needed == 0 or up == 1.0 else 0.0
    likeliest = min(total, floor((total + 1) * up))
    fewer, more = (list(_terms(*each, total)) for each in ((likeliest, (1.0 - up) / up), (total - likeliest, up / (1.0 - up))))
    every = fsum(fewer) + 1.0 + fsum(more)
    if needed > likeliest:
        return fsum(more[needed - likeliest - 1 :]) / every
    return 1.0 - fsum(fewer[likeliest - needed :]) / every


def _terms(number: int, odds: float, total: int) -> Iterator[float]:
    """Probabilities that one fewer than `number` of `total` is so, two fewer and so on, over that of `number`; odds: that one is
    not so against that it is."""
    term = 1.0
    for left in range(number, 0, -1):
        term *= left / (total - left + 1) * odds
        if term == 0.0:
            return
        yield term


def availability(mtbf: float, mttr: float) -> float:
    """Steady state of one repaired unit: MTBF / (MTBF + MTTR), where MTBF is the mean *up* time between failures.

    (Rausand and Hoyland, System Reliability Theory, 2nd edition, section 9.4, who call it MTTF; telecom and IT call it MTBF.)
    """
    return as_positive("mtbf", mtbf) / (mtbf + as_positive("mttr", mttr, zero=True))


def mtbf(availability_: float, mttr: float) -> float:
    """The mean up time that an availability and a repair time imply: MTTR A / (1 - A); infinite for 1.

    (`availability` solved for MTBF: Rausand and Hoyland, section 9.4.)
    """
    up, repair = as_share("availability", availability_), as_positive("mttr", mttr)
    return inf if up == 1.0 else repair * up / (1.0 - up)


def mttr(availability_: float, mtbf_: float) -> float:
    """The mean repair time that an availability and a mean up time allow: MTBF (1 - A) / A; infinite for 0.

    (`availability` solved for MTTR: Rausand and Hoyland, section 9.4.)
    """
    up, between = as_share("availability", availability_), as_positive("mtbf", mtbf_)
    return inf if up == 0.0 else between * (1.0 - up) / up


def downtime(availability_: float, period: float = YEAR_H) -> float:
    """Expected time down in a period, in its unit: (1 - A) x period; by default hours in a year of 365.25 days.

    (IEC 61703, mean accumulated down time in steady state.)
    """
    return (1.0 - as_share("availability", availability_)) * as_positive("period", period)


def nines(availability_: float) -> float:
    """-log10(1 - A): 0.999 has 3.  Infinite for 1.

    (Gray and Siewiorek, High-Availability Computer Systems, IEEE Computer 24(9), 1991: its whole part is their class.)
    """
    down = 1.0 - as_share("availability", availability_)
    return inf if down == 0.0 else -log10(down)


def composite_sla(*groups: float | Iterable[float]) -> float:
    """The product over services that are all needed; a group in brackets stands for copies of which one is enough.

    `composite_sla(0.9995, [0.999, 0.999], 0.9999)`.  (Microsoft, Azure Well-Architected Framework, composite SLAs.)  An SLA
    is the threshold below which money is paid back, not a measured availability: neither is the result.
    """
    return series(group if isinstance(group, int | float) else parallel(group) for group in groups)


def mirrored_pair(mtbf_: float, mttr_: float) -> float:
    """Mean time until a pair of mirrored units has both down at once: MTBF (3 + MTBF / MTTR) / 2.

    From the Markov chain with failures at rate l = 1 / MTBF each and one repair at rate m = 1 / MTTR: (3 l + m) / (2 l^2)
    (Patterson, Gibson and Katz, A Case for RAID, SIGMOD 1988, whose MTBF^2 / (2 MTTR) is its limit).  Independent failures.
    """
    up, down = as_positive("mtbf", mtbf_), as_positive("mttr", mttr_)
    return up * (3.0 + up / down) / 2.0


def common_cause(failure_rate: float, beta: float) -> tuple[float, float]:
    """(own rate, common rate) of each of several equal units: (1 - beta) l and beta l, the beta-factor model.

    (IEC 61508-6, annex D; Fleming, 1975.)  The common one takes all units at once.
    """
    rate, part = as_positive("failure_rate", failure_rate, zero=True), as_share("beta", beta)
    return (1.0 - part) * rate, part * rate


def error_budget(objective: float, period: float) -> float:
    """What may fail in a period: (1 - objective) x period; in its unit of time, or in requests if the period counts those.

    (Beyer and others, The Site Reliability Workbook, chapter 2.)
    """
    return (1.0 - as_share("objective", objective)) * as_positive("period", period)


def burn_rate(error_share: float, objective: float) -> float:
    """How many times faster than allowed the budget is being used: error share / (1 - objective); 1 uses all of it, just.

    (The Site Reliability Workbook, chapter 5.)  Infinite for errors against an objective of 1.
    """
    errors, allowed = as_share("error_share", error_share), 1.0 - as_share("objective", objective)
    return errors / allowed if allowed else (inf if errors else 0.0)


def exhausted_after(burn: float, period: float, left: float = 1.0) -> float:
    """How long a budget lasts at a burn rate: period x share left / burn; infinite for 0.  (The same chapter.)"""
    rate = as_positive("burn", burn, zero=True)
    budget = as_positive("period", period) * as_share("left", left)
    return inf if rate == 0.0 else budget / rate


def alert_threshold(budget_share: float, window: float, period: float) -> float:
    """The burn rate at which a window has used `budget_share` of the period's budget: share x period / window.

    2 % in 1 hour of 30 days is 14.4 (The Site Reliability Workbook, chapter 5, table 5-8).
    """
    return as_share("budget_share", budget_share) * as_positive("period", period) / as_positive("window", window)

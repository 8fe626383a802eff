"""The arithmetic of availability: series, parallel, k of n, repair, agreements, budgets.  Small exact functions of plain numbers.

Availabilities and probabilities are shares from 0 to 1; times may be of any unit as long as it is one.  All raise a
ValueError that names the argument, its value and the range.
"""

from collections.abc import Iterable
from math import comb, inf, isfinite, log10, prod

YEAR_H = 365.25 * 24
"""The Julian year that all yearly figures mean: 365.25 days, 8766 hours."""

YEAR_S = YEAR_H * 3600


def _share(name: str, value: float) -> float:
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{name} must lie between 0 and 1, not {value!r}")
    return value


def _positive(name: str, value: float, *, zero: bool = False) -> float:
    if not isfinite(value) or value < 0 or (value == 0 and not zero):
        raise ValueError(f"{name} must be a finite number {'of 0 or more' if zero else 'above 0'}, not {value!r}")
    return value


def series(availabilities: Iterable[float]) -> float:
    """All are needed and fail independently: the product (IEC 61078, Reliability block diagrams).  Of nothing it is 1."""
    return prod(_share("an availability", each) for each in availabilities)


def parallel(availabilities: Iterable[float]) -> float:
    """One is enough, failures are independent and the change costs nothing: 1 - product of (1 - A) (IEC 61078).  Of nothing 0."""
    return 1.0 - prod(1.0 - _share("an availability", each) for each in availabilities)


def k_of_n(needed: int, total: int, availability: float) -> float:
    """`needed` of `total` equal, independent units are up: the upper tail of the binomial distribution (IEC 61078).

    Summed over the side with the smaller terms, so that neither a high nor a low availability loses digits.
    """
    if not 0 <= needed <= total:
        raise ValueError(f"needed must lie between 0 and total = {total}, not {needed!r}")
    up = _share("availability", availability)
    down = 1.0 - up
    if up >= 0.5:
        return 1.0 - sum(comb(total, i) * up**i * down ** (total - i) for i in range(needed))
    return sum(comb(total, i) * up**i * down ** (total - i) for i in range(needed, total + 1))


def availability(mtbf: float, mttr: float) -> float:
    """Steady state of one repaired unit: MTBF / (MTBF + MTTR), where MTBF is the mean *up* time between failures.

    (Rausand and Hoyland, System Reliability Theory, 2nd edition, section 9.4, who call it MTTF; telecom and IT call it MTBF.)
    """
    return _positive("mtbf", mtbf) / (mtbf + _positive("mttr", mttr, zero=True))


def mtbf(availability_: float, mttr: float) -> float:
    """The mean up time that an availability and a repair time imply; infinite for 1."""
    up = _share("availability", availability_)
    return inf if up == 1.0 else _positive("mttr", mttr) * up / (1.0 - up)


def mttr(availability_: float, mtbf_: float) -> float:
    """The mean repair time that an availability and a mean up time allow; infinite for 0."""
    up = _share("availability", availability_)
    return inf if up == 0.0 else _positive("mtbf", mtbf_) * (1.0 - up) / up


def downtime(availability_: float, period: float = YEAR_H) -> float:
    """Expected time down in a period, in its unit; by default hours in a year of 365.25 days."""
    return (1.0 - _share("availability", availability_)) * _positive("period", period)


def nines(availability_: float) -> float:
    """-log10(1 - A): 0.999 has 3.  Infinite for 1."""
    down = 1.0 - _share("availability", availability_)
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
    up, down = _positive("mtbf", mtbf_), _positive("mttr", mttr_)
    return up * (3.0 + up / down) / 2.0


def common_cause(failure_rate: float, beta: float) -> tuple[float, float]:
    """(own rate, common rate) of each of several equal units: (1 - beta) l and beta l, the beta-factor model.

    (IEC 61508-6, annex D; Fleming, 1975.)  The common one takes all units at once.
    """
    rate, part = _positive("failure_rate", failure_rate, zero=True), _share("beta", beta)
    return (1.0 - part) * rate, part * rate


def error_budget(objective: float, period: float) -> float:
    """What may fail in a period: (1 - objective) x period; in its unit of time, or in requests if the period counts those.

    (Beyer and others, The Site Reliability Workbook, chapter 2.)
    """
    return (1.0 - _share("objective", objective)) * _positive("period", period)


def burn_rate(error_share: float, objective: float) -> float:
    """How many times faster than allowed the budget is being used: error share / (1 - objective); 1 uses all of it, just.

    (The Site Reliability Workbook, chapter 5.)  Infinite for errors against an objective of 1.
    """
    errors, allowed = _share("error_share", error_share), 1.0 - _share("objective", objective)
    return errors / allowed if allowed else (inf if errors else 0.0)


def exhausted_after(burn: float, period: float, left: float = 1.0) -> float:
    """How long a budget lasts at a burn rate: period x share left / burn; infinite for 0.  (The same chapter.)"""
    rate = _positive("burn", burn, zero=True)
    return inf if rate == 0.0 else _positive("period", period) * _share("left", left) / rate


def alert_threshold(budget_share: float, window: float, period: float) -> float:
    """The burn rate at which a window has used `budget_share` of the period's budget: share x period / window.

    2 % in 1 hour of 30 days is 14.4 (The Site Reliability Workbook, chapter 5, table 5-8).
    """
    return _share("budget_share", budget_share) * _positive("period", period) / _positive("window", window)

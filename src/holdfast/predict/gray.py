"""Instances that answer late, or answer wrong, while every check finds them well: nothing takes them out.

| strike | chain |
|---|---|
| one answers 502 to 504 | nothing: a balancer asks another one, for questions that may be asked twice |
| one answers 500 and above, and its balancer ejects who keeps failing | as many failures as that takes |
| one answers anything else, or several 502 to 504 | as long as the fault: what is asked elsewhere may be as wrong there |
| one answers late | its delay, or what a balancer waits before it asks another one, whichever is shorter |
| all answer late | the delay, where the balancer and the client wait that long; else as long as the fault |
"""

from holdfast.engines.engine import Delay
from holdfast.predict import steps
from holdfast.predict.part import LASTS, NO_TIMER, UNHARMED, Part
from holdfast.predict.path import Path
from holdfast.predict.strike import Hit, Strike

ASKED_AGAIN = frozenset({502, 503, 504})
"""HAProxy: `retry-on 502 503 504`; Envoy: `gateway-error`; as their configs are rendered here."""
HEALTHY = "nobody takes out an instance whose health is well"


def wrong(strike: Strike, hit: Hit, asker: str, ejected: tuple[Delay, ...] = ()) -> Part:
    """A part of the questions is answered wrong: `share` of them, at those that are struck."""
    status = getattr(strike.settings, "status", 500)
    if hit.everyone:
        every = getattr(strike.settings, "share", 1.0) >= 1.0
        return Part(chain=(steps.lasting(strike),), certain=every, reason=LASTS if every else HEALTHY)
    if asker and status in ASKED_AGAIN and hit.count == 1:
        return UNHARMED
    if ejected and status >= 500 and hit.count == 1 and getattr(strike.settings, "share", 1.0) >= 1.0:
        return Part(chain=ejected)
    return Part(chain=(steps.lasting(strike),), reason=HEALTHY)


def late(strike: Strike, hit: Hit, elsewhere: tuple[Delay, ...], path: Path, asker: str) -> Part:
    """Behind a balancer a lost packet is sent again by nobody in time: another one is asked, by a network that loses nothing."""
    if strike.fault == "slow_answers":
        return _slow_answers(strike, hit, elsewhere, path)
    if hit.everyone:
        return Part(unknown=True, reason=NO_TIMER)
    late_s = getattr(strike.settings, "delay", 0.0) + getattr(strike.settings, "jitter", 0.0)
    if asker and hit.count == 1 and sum(each.high_s for each in elsewhere) <= path.patience_s:
        crossed = Delay(
            step="client", name="two crossings of a network that delays, there and back", low_s=0.0, high_s=4 * late_s,
            setting="delay, jitter", source="the drill",
        )  # fmt: skip
        return Part(chain=(*elsewhere, *((crossed,) if late_s else ())))
    again = Delay(
        step="client", name="a lost packet is sent again", low_s=0.0, high_s=1.0 + 4 * late_s,
        source="RFC 6298, 2: the first retransmission of a connection's opening comes after 1 s",
    )
    return Part(chain=(*elsewhere, again))


def _slow_answers(strike: Strike, hit: Hit, elsewhere: tuple[Delay, ...], path: Path) -> Part:
    delay_s = getattr(strike.settings, "delay", 0.0)
    asks_s = sum(each.high_s for each in elsewhere)
    waits = Delay(
        step="client", name="an answer that comes late", low_s=0.0, high_s=delay_s, setting="delay", source="the drill",
    )  # fmt: skip
    if delay_s <= min(path.patience_s, sum(each.low_s for each in elsewhere) or path.patience_s):
        return Part(chain=(waits,))
    if hit.count == 1 and not hit.everyone and asks_s <= path.patience_s:
        return Part(chain=elsewhere)
    return Part(chain=(steps.lasting(strike),), reason=HEALTHY)

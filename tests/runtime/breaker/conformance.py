"""What the state machines of other libraries are documented to do, as data: (library, what it does in our words, settings,
script).

Read for this table, and told in our own words:
resilience4j (resilience4j/resilience4j, resilience4j-circuitbreaker): CircuitBreakerStateMachineTest, CircuitBreakerMetricsTest,
CircuitBreakerAutoTransitionStateMachineTest, CircuitBreakerResultHandlingTest, CircuitBreakerThrowingPredicateLeakTest (.java);
Polly (App-vNext/Polly, test/Polly.Core.Tests/CircuitBreaker): Controller/CircuitStateControllerTests,
Controller/AdvancedCircuitBehaviorTests, Health/RollingHealthMetricsTests, CircuitBreakerResilienceStrategyTests (.cs).
The libraries in Go are in conformance_go, and where this breaker differs on purpose in conformance_deviations.

A script is a sequence of words.  `ok` `fail` `dull` `slow` `slowfail` `no`: a call that is let in and ends so (`no`: an exception
that is no failure); `ok*5` five of them.  `refused`: a call that is not let in.  `begin:a` a call is let in and held, `end:a:ok`
it ends.  `+10` ten seconds pass.  `closed` `open` `half_open` `forced_open` `disabled` `metrics_only`: that is the state now.
`to:open` somebody switches.  `again:5` an open breaker says: ask again in 5 s (`again:none`: it does not say).  `calls:3` so many
calls count now, `failures:2` so many failures, `slow_calls:1` so many slow ones, `rate:60` in percent the share of failures
(`rate:none`: too few calls), `slow_rate:60` likewise, `rejected:2` so many were refused ever, `flying:1` so many trials run.
"""

from __future__ import annotations

from typing import Any

Row = tuple[str, str, dict[str, Any], str]


def raises(_: Any) -> bool:
    """A predicate with a mistake in it."""
    raise ArithmeticError("the predicate is broken")


def always(_: Any) -> bool:
    return True


RESILIENCE4J: tuple[Row, ...] = (
    ("resilience4j", "does not open below the minimum number of calls, however many fail",
     {"window_calls": 10, "min_calls": 5}, "fail*4 closed fail open"),
    ("resilience4j", "opens at the rate, not only above it",
     {"window_calls": 10, "min_calls": 10, "failure_rate": 0.5}, "ok*5 fail*5 open"),
    ("resilience4j", "stays closed below the rate",
     {"window_calls": 10, "min_calls": 10, "failure_rate": 0.5}, "ok*6 fail*4 closed ok*20 closed"),
    ("resilience4j", "the call that completes the minimum may be a success, and it opens",
     {"window_calls": 10, "min_calls": 5, "failure_rate": 0.5}, "fail*4 closed ok open"),
    ("resilience4j", "old calls leave a count window one by one",
     {"window_calls": 5, "min_calls": 5, "failure_rate": 0.6},
     "fail*2 ok*3 closed failures:2 ok*2 failures:0 fail*2 closed fail open"),
    ("resilience4j", "old calls leave a time window bucket by bucket",
     {"window_s": 10.0, "window_buckets": 10, "min_calls": 3, "failure_rate": 0.6},
     "fail*2 +10 calls:0 ok fail closed fail open"),
    ("resilience4j", "a time window that forgets its successes may open on a later call",
     {"window_s": 4.0, "window_buckets": 4, "min_calls": 2, "failure_rate": 0.5}, "ok*9 +2 fail*2 closed +2 ok open"),
    ("resilience4j", "an ignored exception is neither success nor failure",
     {"window_calls": 5, "min_calls": 2}, "dull*9 calls:0 closed fail dull*3 closed fail open"),
    ("resilience4j", "an exception that is not recorded counts as a success",
     {"window_calls": 4, "min_calls": 4}, "no*4 calls:4 failures:0 closed"),
    ("resilience4j", "slow calls open it by a rate of their own",
     {"window_calls": 4, "min_calls": 4, "slow_call_s": 2.0, "slow_rate": 0.5}, "ok*2 slow closed slow open"),
    ("resilience4j", "rejects while open and says how long; then lets trials in",
     {"window_calls": 2, "min_calls": 2, "open_s": 60.0},
     "fail*2 open refused again:60 +59 refused again:1 +1 open ok half_open"),
    ("resilience4j", "lets in as many trials as permitted, and no more",
     {"window_calls": 2, "min_calls": 2, "open_s": 1.0, "trials": 3},
     "fail*2 +1 begin:a begin:b begin:c refused half_open end:a:ok refused"),
    ("resilience4j", "closes when the whole round of trials is below the rate",
     {"window_calls": 2, "min_calls": 2, "open_s": 1.0, "trials": 4, "full_round": True},
     "fail*2 +1 ok*3 half_open fail closed"),
    ("resilience4j", "opens again when the whole round is at the rate",
     {"window_calls": 2, "min_calls": 2, "open_s": 1.0, "trials": 4, "full_round": True},
     "fail*2 +1 fail*3 half_open ok open"),
    ("resilience4j", "opens again when the trials are slow",
     {"window_calls": 2, "min_calls": 2, "open_s": 1.0, "trials": 2, "full_round": True, "slow_call_s": 2.0, "slow_rate": 0.5},
     "fail*2 +1 slow ok open"),
    ("resilience4j", "an ignored trial gives its permission back",
     {"window_calls": 2, "min_calls": 2, "open_s": 1.0, "trials": 2}, "fail*2 +1 dull*5 half_open ok*2 closed"),
    ("resilience4j", "half-open for longer than allowed, it opens again",
     {"window_calls": 2, "min_calls": 2, "open_s": 1.0, "open_growth": 1.0, "trials": 2, "half_open_at_most_s": 5.0},
     "fail*2 +1 begin:a begin:b refused +5 refused open +1 begin:c half_open end:a:ok end:b:ok half_open"),
    ("resilience4j", "waits longer after every vain round of trials",
     {"window_calls": 2, "min_calls": 2, "open_s": 1.0, "open_growth": 2.0, "open_at_most_s": 3.0, "trials": 1},
     "fail*2 again:1 +1 fail again:2 +2 fail again:3 +3 fail again:3 +3 ok closed fail*2 again:1"),
    ("resilience4j", "after closing it counts from nothing",
     {"window_calls": 4, "min_calls": 2, "open_s": 1.0, "trials": 1}, "ok fail open +1 ok closed calls:0"),
    ("resilience4j", "forced open stays so, whatever time passes",
     {"window_calls": 2, "min_calls": 2}, "to:forced_open refused +9999 refused forced_open to:closed ok closed"),
    ("resilience4j", "disabled lets all in and counts nothing",
     {"window_calls": 2, "min_calls": 2}, "to:disabled fail*9 calls:0 disabled"),
    ("resilience4j", "metrics only counts and never opens",
     {"window_calls": 5, "min_calls": 2}, "to:metrics_only fail*9 calls:5 failures:5 metrics_only"),
    ("resilience4j", "a result of before a switch does not count after it",
     {"window_calls": 2, "min_calls": 1}, "begin:a to:disabled to:closed end:a:fail closed calls:0"),
    ("resilience4j", "below the minimum there is no rate, and the one call more makes it",
     {"window_s": 5.0, "window_buckets": 5, "min_calls": 5, "failure_rate": 0.5},
     "fail*3 rate:none calls:3 failures:3 ok rate:none closed ok open"),
    ("resilience4j", "the window keeps the last calls only, and the rate is of those",
     {"window_calls": 10, "min_calls": 10},
     "to:metrics_only ok*2 fail*2 rate:none calls:4 failures:2 fail*4 ok*4 calls:10 failures:6 rate:60 ok*3 rate:30"),
    ("resilience4j", "a call that is slow and fails counts for both rates",
     {"window_calls": 5, "min_calls": 5, "failure_rate": 0.9, "slow_call_s": 4.0, "slow_rate": 0.5},
     "slowfail slow fail ok closed slow_calls:2 failures:2 slow open"),
    ("resilience4j", "a round of trials with slow calls at the rate opens, though none failed",
     {"trials": 4, "full_round": True, "slow_call_s": 4.0, "slow_rate": 0.5},
     "to:half_open slow*3 slow_calls:3 failures:0 half_open ok open"),
    ("resilience4j", "each call that is refused is counted, open, forced open or without a trial left",
     {"trials": 2},
     "to:open refused rejected:1 to:forced_open refused*2 rejected:3 to:half_open begin:a begin:b refused rejected:4"),
    ("resilience4j", "a permission that is released may be taken again, and each new round has all of them",
     {"trials": 4}, "to:half_open begin:a begin:b begin:c begin:d refused*2 end:a:dull begin:e refused "
     "to:open to:half_open begin:f begin:g begin:h begin:i refused*2"),
    ("resilience4j", "open for three of five seconds it refuses, after six it lets trials in, and counts from nothing",
     {"open_s": 5.0, "trials": 4}, "to:open refused +3 open refused rejected:2 +3 begin:a half_open calls:0 failures:0"),
    ("resilience4j", "a round with a failure below the rate closes, and the next call is the first of a new window",
     {"trials": 4, "full_round": True, "failure_rate": 0.5}, "to:half_open fail ok*3 closed calls:0 ok calls:1 failures:0"),
    ("resilience4j", "ignored trials end neither the round nor enter its counts",
     {"trials": 4, "full_round": True, "failure_rate": 0.5},
     "to:half_open ok*3 calls:3 dull calls:3 half_open fail closed calls:0 to:half_open dull*4 calls:0 ok*3 half_open ok closed"),
    ("resilience4j", "a reset empties a closed breaker and closes an open one", {"min_calls": 5},
     "ok fail calls:2 to:closed calls:0 failures:0 rate:none to:open to:closed closed ok"),
    ("resilience4j", "metrics only begins with empty counts, and shows the rate at which it would have opened",
     {"window_calls": 5, "min_calls": 5, "failure_rate": 0.5},
     "ok*2 to:metrics_only calls:0 fail*3 ok rate:none ok rate:60 failures:3 calls:5 metrics_only fail metrics_only"),
    ("resilience4j", "a call that was let in before forced open changes nothing when it ends",
     {"window_calls": 2, "min_calls": 1}, "begin:a to:forced_open end:a:fail forced_open failures:0"),
    ("resilience4j", "a result may be a failure, of which the caller sees nothing", {"failure_result": always, "min_calls": 3},
     "ok*2 failures:2 closed ok open"),
    ("resilience4j", "a predicate of exceptions that raises loses no permission",
     {"failure_on": raises, "trials": 3, "trials_at_once": 1, "trial_failure_rate": 1.0},
     "to:half_open fail flying:0 begin:a refused end:a:fail flying:0 half_open fail open"),
    ("resilience4j", "a predicate of results that raises loses no permission",
     {"failure_result": raises, "trials": 3, "trials_at_once": 1, "trial_failure_rate": 1.0},
     "to:half_open ok flying:0 half_open begin:a refused end:a:ok flying:0 half_open"),
)  # fmt: skip

POLLY: tuple[Row, ...] = (
    ("Polly", "consecutive failures open it; one success in between begins anew",
     {"window_calls": 3, "min_calls": 3, "failure_rate": 1.0}, "fail*2 ok fail*2 closed fail open"),
    ("Polly", "below the minimum throughput it stays closed even when all calls fail",
     {"window_s": 30.0, "min_calls": 4, "failure_rate": 0.5}, "fail*3 closed +30 fail*3 closed fail open"),
    ("Polly", "an exception that is not handled is no failure",
     {"window_calls": 2, "min_calls": 2}, "no*9 closed"),
    ("Polly", "one trial after the break; others are refused until it ends",
     {"window_calls": 2, "min_calls": 2, "open_s": 5.0, "trials": 1}, "fail*2 +5 begin:a refused refused end:a:ok closed ok"),
    ("Polly", "a failed trial breaks for another full duration",
     {"window_calls": 2, "min_calls": 2, "open_s": 5.0, "open_growth": 1.0, "trials": 1},
     "fail*2 +5 fail open again:5 +4 refused +1 ok closed"),
    ("Polly", "isolated by hand it refuses until closed by hand",
     {}, "to:forced_open +999 refused to:closed ok closed"),
    ("Polly", "a failure of a call that began before the break does not prolong it",
     {"window_calls": 2, "min_calls": 2, "open_s": 5.0}, "begin:a fail*2 open +2 end:a:fail again:3"),
    ("Polly", "a late success of a call from before the break does not close it",
     {"window_calls": 2, "min_calls": 2, "open_s": 5.0, "trials": 1},
     "begin:a fail*2 open end:a:ok open +5 begin:b end:b:ok closed"),
    ("Polly", "reset empties the counts",
     {"window_calls": 4, "min_calls": 3}, "fail*2 to:closed fail*2 closed fail open"),
    ("Polly", "ten of ten calls and one failure in ten are enough", {"window_s": 30.0, "min_calls": 10, "failure_rate": 0.1},
     "ok*9 closed fail open"),
    ("Polly", "ten calls without a failure are not", {"window_s": 30.0, "min_calls": 10, "failure_rate": 0.1}, "ok*10 closed"),
    ("Polly", "nine of ten calls are not, though the rate is reached",
     {"window_s": 30.0, "min_calls": 10, "failure_rate": 0.1}, "ok*8 fail closed"),
    ("Polly", "eleven calls of which two failed are", {"window_s": 30.0, "min_calls": 11, "failure_rate": 0.1},
     "ok*8 fail*2 closed ok open"),
    ("Polly", "four successes and a failure are a fifth", {"min_calls": 1}, "to:metrics_only fail ok*4 rate:20 calls:5"),
    ("Polly", "the window rolls: what is ten seconds old is gone, in steps",
     {"window_s": 10.0, "window_buckets": 10, "min_calls": 1},
     "to:metrics_only fail ok +2 calls:2 rate:50 fail ok +2 calls:4 rate:50 ok*2 +2 ok*2 +2 calls:8 rate:25 ok*2 +2 calls:8 "
     "failures:1 +2 calls:6 failures:0"),
    ("Polly", "a call a second in ten windows of a second: nine are seen, then eight",
     {"window_s": 10.0, "window_buckets": 10, "min_calls": 1},
     "ok +1 ok +1 ok +1 ok +1 ok +1 ok +1 ok +1 ok +1 ok +1 ok +1 calls:9 +1 calls:8"),
    ("Polly", "exactly one sampling duration later nothing is left", {"window_s": 10.0, "min_calls": 1},
     "ok*2 calls:2 +10 calls:0 rate:none"),
    ("Polly", "nor a millisecond more", {"window_s": 10.0, "min_calls": 1}, "ok*2 +10.001 calls:0"),
    ("Polly", "a failure that ends while isolated changes nothing", {"min_calls": 1},
     "begin:a begin:b to:forced_open end:a:fail forced_open end:b:ok forced_open"),
    ("Polly", "a failure that ends while open does not open it again",
     {"window_calls": 2, "min_calls": 2, "open_s": 5.0}, "begin:a fail*2 +1 end:a:fail open again:4"),
    ("Polly", "isolated, a refusal names no time", {}, "to:forced_open again:none refused"),
    ("Polly", "half-open, failed, open, half-open, succeeded, closed",
     {"open_s": 5.0, "open_growth": 1.0, "trials": 1}, "to:open +5 fail open +0.001 refused +10 ok closed"),
    ("Polly", "the count of vain rounds begins anew when it closes",
     {"open_s": 1.0, "open_growth": 2.0, "open_at_most_s": 60.0, "trials": 1, "window_calls": 1, "min_calls": 1},
     "fail again:1 +1 fail again:2 +2 fail again:4 +4 fail again:8 +8 ok closed fail again:1 +1 fail again:2"),
    ("Polly", "a result that is handled is a failure", {"failure_result": always, "min_calls": 2}, "ok closed ok open"),
    ("Polly", "an exception that is not handled is a success, also for a trial", {"trials": 1}, "to:half_open no closed"),
)  # fmt: skip

"""Where this breaker does otherwise than a library, on purpose: as rows of conformance; the script shows ours."""

from __future__ import annotations

from typing import Any

from conformance import Row

# (library, what it does, what ours does and why, settings, script of ours)
Deviation = tuple[str, str, str, dict[str, Any], str]

DEVIATIONS: tuple[Deviation, ...] = (
    ("resilience4j", "an open breaker still shows the counts that opened it",
     "counts belong to the era: those of before are in the listener's events and in the totals that never fall",
     {"window_calls": 5, "min_calls": 5}, "fail*3 ok*2 open calls:0 failures:0"),
    ("resilience4j", "the number of refused calls begins anew with each state",
     "it only grows, so that a collector that looks now and then misses none",
     {"open_s": 5.0}, "to:open refused*2 +6 begin:a half_open rejected:2"),
    ("resilience4j", "the verdict on trials always waits for the whole round",
     "it falls as soon as it is certain, since each further trial is a call on a callee that is known; `full_round` waits",
     {"trials": 4, "trial_failure_rate": 0.5}, "to:half_open fail*2 open to:half_open ok*3 closed"),
    ("resilience4j", "closed to half-open, and closed to closed, are illegal by hand",
     "every state may be chosen: an operator's wish is no mistake of the program, and closed to closed is the reset",
     {"trials": 1}, "closed to:half_open half_open ok closed ok calls:1 to:closed calls:0"),
    ("resilience4j", "the wait grows also when somebody opens it by hand again and again",
     "it grows with vain rounds of trials only; a switch by hand begins with the first wait",
     {"open_s": 5.0, "open_growth": 2.0, "trials": 1}, "to:open +5 fail again:10 to:open again:5 to:open again:5"),
    ("resilience4j", "optionally a scheduler makes it half-open without a call",
     "nothing happens by itself, there is no thread: it says open, and that the next call is a trial, until one comes",
     {"open_s": 2.0}, "to:open +2 open again:0 +9999 open again:0 begin:a half_open"),
    ("resilience4j", "what a broken predicate raises is raised to the caller, and the permission is released",
     "the caller gets the callee's own exception or result; the call is a failure, and the log names the predicate",
     {"failure_on": lambda error: 1 / 0, "trials": 1}, "to:half_open fail open"),
    ("Polly", "half-open, another trial is let in after each break duration, though the first still hangs",
     "it opens again after `half_open_at_most_s`, so that hung trials do not pile up on a callee that hangs",
     {"open_s": 5.0, "open_growth": 1.0, "trials": 1, "half_open_at_most_s": 5.0},
     "to:open +5 begin:a +4 refused half_open +1 refused open +5 begin:b half_open end:a:ok half_open end:b:ok closed"),
    ("Polly", "closed, only a failure is a reason to look at the rate",
     "a success that completes `min_calls` is looked at too: otherwise a verdict that is due waits for the next failure",
     {"min_calls": 3, "failure_rate": 0.5}, "fail*2 closed ok open"),
    ("gobreaker", "a call that began in an earlier interval is dropped though the breaker was closed all the time",
     "a call counts when it ends, within the same era: slow calls would never count in a short window",
     {"window_s": 30.0, "window_buckets": 1, "min_calls": 5}, "begin:a +31 calls:0 end:a:fail calls:1 failures:1"),
    ("gobreaker", "a call counts as a request from the moment it is let in",
     "the rates are of calls that have ended; trials under way are shown apart",
     {"trials": 3, "full_round": True}, "to:half_open ok*2 begin:a calls:2 flying:1"),
    ("gobreaker", "reading the state moves it from open to half-open",
     "looking changes nothing; the first call that is let in does",
     {"open_s": 60.0}, "to:open +60 open open begin:a half_open"),
    ("failsafe-go", "a breaker that is not open has 0 seconds to wait",
     "None: in other states the question has no answer, and 0 is what an open one says when its wait is over",
     {}, "again:none to:half_open again:none to:open +99 again:0"),
)  # fmt: skip

ROWS: tuple[Row, ...] = tuple(
    (library, f"{theirs}; ours: {ours}", settings, script) for library, theirs, ours, settings, script in DEVIATIONS
)

"""Every test of the four libraries' state machines, by its own name, and where it went: the beginning of the title of a row or of
a deviation, or `none: ` and why a Python breaker has nothing to compare.

The files that were read stand as comments.  Left out as whole files: tests of builders and of objects that switch a breaker by
hand from outside (Polly's ManualControl and pipeline builder), of the inner counters (Polly's single metrics, gobreaker's
counter), and of state that several processes share (gobreaker's distributed breaker): ours is tested with Redis in
test_breaker_extras.

Names are those of the versions that were read: resilience4j of 2019 to 2026, Polly 8, gobreaker v2, failsafe-go 0.6.
"""

from __future__ import annotations

HARMLESS = "one failure and one exception that is declared harmless"
SCHEDULER = "optionally a scheduler makes it half-open"
NO_SCHEDULER = "none: there is no scheduler that could be used, cancelled or run on a kind of thread; nothing happens by itself"
NO_DISPOSAL = "none: there is nothing to dispose of; a breaker that nobody holds is collected as garbage"
BY_LISTENER = "none: about the arguments of a callback; what a listener hears is tested in test_breaker_outcomes"
NO_CAUSE = "none: a refusal holds no exception of an earlier call, which would keep its frames alive"
STRESS = "none: about threads; ours are counted one by one in test_breaker_threads and test_free_threads"
INNER = "none: about how two inner objects call one another; the behaviour that follows is in the other rows"
PARTLY_OPEN = "none: an open breaker lets nobody in; a share of the calls is what client-side throttling lets through"

RESILIENCE4J: dict[str, str] = {
    # CircuitBreakerStateMachineTest
    "shouldReturnTheCorrectName": "none: the name is in every refusal and snapshot; test_breaker_outcomes",
    "shouldThrowCallNotPermittedExceptionWhenStateIsOpen": "each call that is refused is counted",
    "shouldThrowCallNotPermittedExceptionWhenStateIsForcedOpen": "each call that is refused is counted",
    "shouldIncreaseCounterOnReleasePermission": "a permission that is released may be taken again",
    "shouldThrowCallNotPermittedExceptionWhenNotFurtherTestCallsArePermitted": "each call that is refused is counted",
    "shouldOnlyPermitFourCallsInHalfOpenState": "a permission that is released may be taken again",
    "shouldOpenAfterFailureRateThresholdExceeded": "below the minimum there is no rate",
    "shouldOpenAfterFailureRateThresholdExceeded2": "old successes leave a time window of five seconds",
    "shouldOpenAfterSlowCallRateThresholdExceeded": "a call that is slow and fails counts for both rates",
    "shouldOpenAfterSlowCallRateThresholdExceededUsingMockClock": "a call that is slow and fails counts for both rates",
    "shouldTransitionToHalfOpenAfterWaitDuration": "open for three of five seconds it refuses",
    "shouldTransitionToHalfOpenAfterWaitInterval": "the waits are five seconds, then ten",
    "shouldTransitionBackToOpenStateWhenFailureRateIsAboveThreshold": "opens again when the whole round is at the rate",
    "shouldTransitionBackToOpenStateWhenSlowCallRateIsAboveThreshold": "a round of trials with slow calls at the rate",
    "shouldTransitionBackToClosedStateWhenFailureIsBelowThreshold": "a round with a failure below the rate closes",
    "shouldResetMetrics": "a reset empties a closed breaker",
    "shouldDisableCircuitBreaker": "disabled lets all in and counts nothing",
    "shouldForceOpenCircuitBreaker": "forced open stays so, whatever time passes",
    "shouldForceCloseCircuitBreaker": "metrics only counts and never opens",
    "shouldReleasePermissionWhenExceptionIgnored": "ignored trials end neither the round",
    "shouldIgnoreExceptionsAndThenTransitionToClosed": "ignored trials end neither the round",
    "shouldNotAllowTransitionFromClosedToHalfOpen": "closed to half-open, and closed to closed",
    "shouldNotAllowTransitionFromClosedToClosed": "closed to half-open, and closed to closed",
    "shouldResetToClosedState": "a reset empties a closed breaker",
    "shouldResetClosedState": "a reset empties a closed breaker",
    "shouldResetMetricsAfterMetricsOnlyStateTransition": "metrics only begins with empty counts",
    "shouldRecordMetricsInMetricsOnlyState": "metrics only begins with empty counts",
    # CircuitBreakerAutoTransitionStateMachineTest, -AutoCloseStateMachineTest, -StateMachineThreadModeTest
    "testAutoTransition": SCHEDULER,
    "shouldCancelAutoTransition": NO_SCHEDULER,
    "notCancelAutoTransitionFutureIfAlreadyDone": NO_SCHEDULER,
    "testCircuitBreakerStateMachine": "of two groups each opens by itself",
    "shouldUseCorrectThreadTypeForAutomaticTransitionFromOpenToHalfOpen": NO_SCHEDULER,
    "shouldMaintainConsistentThreadTypeAcrossMultipleCircuitBreakers": NO_SCHEDULER,
    # CircuitBreakerExceptionHandlingTest, -ResultHandlingTest, -ThrowingPredicateLeakTest
    "shouldRecordRuntimeExceptionAsFailureAndBusinessExceptionAsSuccess": HARMLESS,
    "shouldRecordIOExceptionAsFailureAndBusinessExceptionAsSuccess": HARMLESS,
    "shouldRecordBusinessExceptionAsFailure": HARMLESS,
    "shouldIgnoreNumberFormatException": "one failure and one exception that is declared ignored",
    "shouldRecordSpecificStringResultAsAFailureAndAnyOtherAsSuccess": "a result may be a failure",
    "shouldRecordSpecificComplexResultAsAFailureAndAnyOtherAsSuccess": "a result may be a failure",
    "shouldNotLeakPermitWhenRecordExceptionPredicateThrowsInHalfOpen": "a predicate of exceptions that raises",
    "shouldNotLeakPermitWhenRecordResultPredicateThrowsInHalfOpen": "a predicate of results that raises",
    # CircuitBreakerMetricsTest
    "testCircuitBreakerMetrics": "the window keeps the last calls only",
}

POLLY: dict[str, str] = {
    # Controller/CircuitStateControllerTests
    "Ctor_EnsureDefaults": "none: that a new breaker is closed and empty is how every row begins",
    "IsolateAsync_Ok": "isolated by hand it refuses",
    "BreakAsync_Ok": "isolated by hand it refuses",
    "Disposed_EnsureThrows": NO_DISPOSAL,
    "OnActionPreExecute_CircuitOpenedByValue": "a result that is handled is a failure",
    "OnActionPreExecute_CircuitOpened_EnsureExceptionStackTraceDoesNotGrow": "refused a hundred times",
    "HalfOpen_EnsureBreakDuration": "half-open, another trial is let in after each break duration",
    "HalfOpen_EnsureCorrectStateTransitionAfterExecution": "half-open, failed, open, half-open",
    "OnActionPreExecute_CircuitOpenedByException": NO_CAUSE,
    "OnActionFailure_EnsureLock": STRESS,
    "OnActionPreExecute_HalfOpen": "one trial after the break; others are refused",
    "OnActionSuccess_EnsureCorrectBehavior": "half-open, failed, open, half-open",
    "OnActionFailureAsync_EnsureCorrectBehavior": "a failure that ends while open does not open it again",
    "OnActionFailureAsync_EnsureBreakDurationGeneration": "the count of vain rounds begins anew",
    "OnActionFailureAsync_EnsureBreakDurationNotOverflow": "at the end of all time the break does not overflow",
    "OnActionFailureAsync_VoidResult_EnsureBreakingExceptionNotSet": "none: nobody keeps the last outcome; a listener hears it",
    "Flow_Closed_HalfOpen_Closed": "half-open, failed, open, half-open",
    "Flow_Closed_HalfOpen_Open_HalfOpen_Closed": "half-open, failed, open, half-open",
    "ExecuteScheduledTask_Async_Ok": NO_SCHEDULER,
    # Controller/AdvancedCircuitBehaviorTests
    "OnActionFailure_WhenClosed_EnsureCorrectBehavior": "ten of ten calls and one failure in ten",
    "OnActionFailure_State_EnsureCorrectCalls": INNER,
    "OnCircuitClosed_Ok": "reset empties the counts",
    # Health/RollingHealthMetricsTests
    "Increment_Ok": "four successes and a failure are a fifth",
    "GetHealthInfo_EnsureWindowRespected": "the window rolls: what is ten seconds old is gone",
    "GetHealthInfo_EnsureWindowCapacityRespected": "a call a second in ten windows",
    "Reset_Ok": "reset empties the counts",
    "GetHealthInfo_SamplingDurationRespected": "exactly one sampling duration later",
    # CircuitBreakerResilienceStrategyTests
    "Ctor_Ok": "none: that a breaker can be made is part of every row",
    "Ctor_StateProvider_EnsureAttached": BY_LISTENER,
    "Ctor_ManualControl_EnsureAttached": "isolated by hand it refuses",
    "Execute_HandledResult_OnFailureCalled": "a result that is handled is a failure",
    "Execute_UnhandledResult_OnActionSuccess": "ten calls without a failure are not",
    "Execute_HandledException_OnFailureCalled": "consecutive failures open it",
    "Execute_UnhandledException_NoCalls": "an exception that is not handled is no failure",
    "Execute_Ok": "ten calls without a failure are not",
}

GOBREAKER: dict[str, str] = {
    # v2/gobreaker_test.go, v2/twostep_gobreaker_test.go
    "TestStateConstants": "none: states are words here, there is nothing to translate",
    "TestNewCircuitBreaker": "none: about defaults and negative durations; ours are refused by name, in test_breaker_settings",
    "TestDefaultCircuitBreaker": "open for fifty-nine of sixty seconds",
    "TestCustomCircuitBreaker": "with an interval the counts begin anew",
    "TestRollingWindowCircuitBreaker": "a rolling window drops its oldest bucket",
    "TestTwoStepCircuitBreaker": "two-step trials that are excluded make room",
    "TestPanicInRequest": "a panic of the callee is a failure",
    "TestGeneration": "a call that began in an earlier interval is dropped",
    "TestCustomIsSuccessful": "when every error is declared a success",
    "TestCircuitBreakerInParallel": STRESS,
    "TestRollingWindowCircuitBreakerInParallel": STRESS,
}

FAILSAFE_GO: dict[str, str] = {
    # circuitbreaker/closedstate_test.go
    "TestClosedStateFailureWithDefaultConfig": "by default one failure opens it",
    "TestClosedStateFailureWithFailureThreshold": "a threshold of three wants three in a row",
    "TestClosedStateFailureWithFailureRatio": "two of three: failures need not stand together",
    "TestClosedStateSuccessWithDefaultConfig": "by default one failure opens it",
    "TestClosedStateSuccessWithFailureRatio": "three of four are never reached by turns",
    "TestClosedStateSuccessWithFailureThreshold": "two in a row are never reached by turns",
    # circuitbreaker/halfopenstate_test.go
    "TestHalfOpenStateFailureWithDefaultConfig": "half-open by default: one failure opens",
    "TestHalfOpenFailureWithFailureThreshold": "half-open with a failure threshold of three: three failures open",
    "TestHalfOpenFailureWithFailureRatio": "half-open with failures two of three: fails at the second",
    "TestHalfOpenFailureWithSuccessAndFailureThresholds": "half-open with a success threshold of three: any failure opens",
    "TestHalfOpenFailureWithSuccessAndFailureRatios": "half-open with successes three of four: the second failure opens",
    "TestHalfOpenFailureWithSuccessRatio": "a success threshold of two of three opens as soon",
    "TestHalfOpenFailureWithSuccessRatioAndFailureThreshold": "half-open with successes two of four: the third failure opens",
    "TestHalfOpenFailureWithSuccessThreshold": "half-open with a success threshold of three: any failure opens",
    "TestHalfOpenFailureWithSuccessThresholdAndFailureRatio": "half-open with a success threshold of three: any failure opens",
    "TestHalfOpenSuccessWithDefaultConfig": "half-open by default: one success closes",
    "TestHalfOpenSuccessWithFailureRatio": "half-open with failures two of three: closes when",
    "TestHalfOpenSuccessWithFailureThreshold": "half-open with a failure threshold of three: a success closes",
    "TestHalfOpenSuccessWithSuccessAndFailureRatios": "half-open with successes three of four: the third success closes",
    "TestHalfOpenSuccessWithSuccessAndFailureThresholds": "half-open with a success threshold of three: three close",
    "TestHalfOpenSuccessWithSuccessRatio": "a success threshold of two of three closes as soon",
    "TestHalfOpenSuccessWithSuccessRatioAndFailureThreshold": "half-open with successes three of four: the third success closes",
    "TestHalfOpenSuccessWithSuccessThreshold": "half-open with a success threshold of three: three close",
    "TestHalfOpenSuccessWithSuccessThresholdAndFailureRatio": "half-open with a success threshold of three: three close",
    "TestRemainingDelayInHalfOpenState": "a breaker that is not open has 0 seconds to wait",
    # circuitbreaker/openstate_test.go, partiallyopenstate_test.go
    "TestTryAcquirePermit": "opened by hand it waits as usual",
    "TestPartiallyOpenState_TryAcquirePermit": PARTLY_OPEN,
    "TestPartiallyOpenState_WithFailureThreshold": PARTLY_OPEN,
    "TestPartiallyOpenState_WithFailureThresholdRatio": PARTLY_OPEN,
    "TestPartiallyOpenState_NoRemainingDelay": "the remaining delay falls with time",
    # circuitbreaker/circuitbreaker_test.go
    "TestShouldDefaultDelay": "by default one failure opens it",
    "TestGetSuccessAndFailureStats": "counts and rates are of the window",
    # circuitbreaker/circuitstats_test.go, timedcircuitstats_test.go, countingcircuitstats_test.go
    "TestCountingStatsShouldReturnUninitializedValues": INNER,
    "TestShouldReturnUninitializedValues": INNER,
    "TestCountingStats": "a hundred calls are kept",
    "TestTimedStats": "four buckets of a second",
    # test/circuitbreaker_test.go
    "TestShouldRejectInitialExecutionWhenCircuitOpen": "opened by hand it refuses at once",
    "TestShouldRejectExcessiveAttemptsWhenBreakerHalfOpen": "when as many trials hang as are asked for",
    "TestCircuitBreakerWithoutConditions": "by default one failure opens it",
    "TestShouldReturnErrCircuitBreakerOpenAfterFailuresExceeded": "a threshold of two of three opens as soon",
    "TestRejectedWithRetries": "none: a retry around a breaker; in test_policies_in_general",
    "TestSthouldSupportTimeBasedFailureThresholding": "failures of a period: what has rolled off",
    "TestShouldSupportTimeBasedFailureRateThresholding": "a rate of a period: half of four opens",
}

NAMES = {"resilience4j": RESILIENCE4J, "Polly": POLLY, "gobreaker": GOBREAKER, "failsafe-go": FAILSAFE_GO}

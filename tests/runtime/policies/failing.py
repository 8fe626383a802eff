"""Functions that fail as told: they could be anybody's client."""

from typing import Any


class Script:
    """Gives its outcomes in turn, the last one for ever: an exception is raised, anything else returned.  `calls` counts."""

    def __init__(self, *outcomes: Any):
        self.outcomes, self.calls = outcomes, 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        outcome = self.outcomes[min(self.calls, len(self.outcomes) - 1)]
        self.calls += 1
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    async def wait(self, *args: Any, **kwargs: Any) -> Any:
        return self(*args, **kwargs)


class Asked(ConnectionError):
    """The other side named a time."""

    def __init__(self, retry_after_s: float):
        super().__init__("later, please")
        self.retry_after_s = retry_after_s

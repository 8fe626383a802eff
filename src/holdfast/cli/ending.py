"""How a command ends when it cannot go on: problems for users, one line for a mistake of ours, silence for a closed pipe.

Nothing heavy is imported before something went wrong.
"""

import contextlib
import errno
import io
import json
import os
import select
import sys
import traceback as tracebacks
from typing import TypeVar

from holdfast.errors import INCONCLUSIVE, Problem, Refused

E = TypeVar("E", bound=BaseException)

INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""
UNHEARD = 141
"""128 + SIGPIPE: who should have read the output went away."""
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
SCHEMA = "holdfast.problems/1"


def usable_streams() -> None:
    """A closed stream is /dev/null, or the next file that is opened would take its number; no character is unprintable."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115 - it is ours until the end
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A path that is not Unicode goes out as the bytes that it is, where the terminal takes any.
            is_utf8 = stream.encoding.lower().replace("-", "") == "utf8"
            stream.reconfigure(errors="surrogateescape" if is_utf8 else "replace")


def told(error: BaseException, *, as_json: bool = False, traceback: bool = False) -> int:
    """Says why, and returns the exit code.  Raises OSError where nobody hears it."""
    refused = leaf(error, Refused)
    if refused is not None:
        if as_json:
            print(as_document(refused))
        for problem in refused.problems:
            print(problem, file=sys.stderr)
        return refused.exit_code
    if leaf(error, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    failed = leaf(error, OSError)
    if failed is not None and (failed.errno in _NO_ROOM or _broken()):
        raise failed
    if traceback:
        tracebacks.print_exception(error)
    cause = leaf(error, Exception) or error
    problem = Problem(
        f"holdfast: internal error: {type(cause).__name__}: {cause}", remedy="set HOLDFAST_TRACEBACK=1 and report it"
    )
    if as_json:
        print(as_document(Refused(problem)))
    print(f"{problem.what}\n  where: {_place(cause)}\n  remedy: {problem.remedy}", file=sys.stderr)
    return INCONCLUSIVE


def as_document(refused: Refused | None) -> str:
    """The problems as JSON; None: there are none."""
    problems = refused.problems if refused else ()
    rows = [{"what": each.what, "where": each.where, "remedy": each.remedy} for each in problems]
    return json.dumps({"schema": SCHEMA, "problems": rows}, indent=1)


def unheard(error: Exception) -> int:
    """The output did not arrive.  Python must not try again when it exits, or it would say so and exit with 120."""
    with contextlib.suppress(OSError, ValueError):
        if not isinstance(error, BrokenPipeError):
            os.write(2, f"holdfast: cannot write: {getattr(error, 'strerror', None) or error}\n".encode())
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    return UNHEARD if isinstance(error, BrokenPipeError) else INCONCLUSIVE


def _broken() -> bool:
    """Did whoever reads our output go away, or is there no room for it?  A broken pipe may be a socket of the lab as well."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
            poll = select.poll()
            poll.register(stream.fileno(), 0)
            if any(events & select.POLLERR for _, events in poll.poll(0)):
                return True
        except io.UnsupportedOperation:  # no real file, as in a test
            continue
        except OSError:
            return True
    return False


def leaf(error: BaseException, kind: type[E]) -> E | None:
    """The first exception of this kind, also in a group of groups."""
    if isinstance(error, BaseExceptionGroup):
        return next((found for each in error.exceptions if (found := leaf(each, kind))), None)
    return error if isinstance(error, kind) else None


def _place(error: BaseException) -> str:
    """The innermost line of ours that it came through."""
    frames = tracebacks.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if f"{os.sep}holdfast{os.sep}" in frame.filename]
    if not (ours or frames):
        return "unknown"
    frame = (ours or frames)[-1]
    return f"{frame.filename.rpartition(f'{os.sep}holdfast{os.sep}')[2]}:{frame.lineno} in {frame.name}"

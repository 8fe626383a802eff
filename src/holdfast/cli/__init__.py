"""The command line: parse, call one function, show, exit code.  What a verb does is in the module that it names."""

import os
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Never raises, and 1 only ever means that an objective was violated: whatever else goes wrong has another code."""
    from holdfast.cli import ending

    ending.usable_streams()
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        try:
            code = _run(words)
        except SystemExit as asked:  # argparse, after --help and --version
            code = asked.code if isinstance(asked.code, int) else 0
        except BaseException as error:  # noqa: BLE001 - this is the last place where anything can be said
            code = ending.told(error, as_json="--json" in words, traceback=os.environ.get("HOLDFAST_TRACEBACK") == "1")
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError) as error:
        return ending.unheard(error)
    return code


def _run(words: list[str]) -> int:
    from holdfast.cli.arguments import parsed

    arguments = parsed(words)
    code: int = arguments.call(arguments)
    return code

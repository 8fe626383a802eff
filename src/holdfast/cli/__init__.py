"""The command line: parse, call one function, show, exit code.  What a verb does is in the module that it names."""

import sys
from collections.abc import Sequence

from holdfast.errors import Refused


def main(argv: Sequence[str] | None = None) -> int:
    from holdfast.cli.arguments import parser

    words = list(sys.argv[1:] if argv is None else argv)
    arguments = parser().parse_args(words)
    if not getattr(arguments, "verb", None):
        parser().print_help()
        return 0
    try:
        return arguments.call(arguments)
    except Refused as refused:
        for problem in refused.problems:
            print(problem, file=sys.stderr)
        return refused.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 141

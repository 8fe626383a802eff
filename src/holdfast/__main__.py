"""`python -m holdfast`; also how holdfast starts itself again as process 1 of a lab's namespaces."""

import os
import sys

if __name__ == "__main__":
    if os.getpid() == 1:
        from holdfast.lab.namespaces.outer import receive_signals

        receive_signals()
    from holdfast.cli import main

    sys.exit(main())

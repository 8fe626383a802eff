"""Makes the helpers beside this file, and `tools`, importable from every folder of tests."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

"""`holdfast report`: a run again, judged and drawn anew from its record."""

from holdfast.cli.drill import report

__all__ = ["report"]

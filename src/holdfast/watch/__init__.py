"""The aggregated health of a running service: every instance asked on its own beat, one verdict, one page."""

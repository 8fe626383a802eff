"""Planned changes as data: the service as it shall be, why it cannot be reached while it runs, and the steps that lead there."""

"""How we ask.  A probe asks once and answers `yes`, `no` or `unknown`; the conductor owns the beat."""

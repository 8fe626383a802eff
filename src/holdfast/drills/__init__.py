"""Which fault, whom, when, how long, and asked by which probes."""

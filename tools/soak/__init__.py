"""The long proofs that drills can be trusted: resumable, each with a dated page under docs/results/."""

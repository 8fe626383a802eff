"""How things break.  A fault is one generator function: break, yield the evidence, mend."""

"""Numbers in, numbers out: estimation, subset-sum selection, refinement. No I/O."""

"""The theory that selection stands on, measured. Numbers in, numbers out: no I/O."""

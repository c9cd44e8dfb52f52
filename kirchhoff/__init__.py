"""The circuit law: the exact wire network of a crossbar. Nothing random, no I/O."""

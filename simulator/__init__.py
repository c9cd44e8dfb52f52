"""The simulated bench, which stands in for a board: physics, command set, servers, faults.

It is written from docs/board-protocol.md and shares no code with the drivers, so that a mistake in
one is found by the other. Read `electronics.py` first (what the board does), then `command_set.py`
(the SCPI commands in front of it) and `bench.py` (the bench served over real wires). `parts/` holds
the physics, `scpi/` the language, `servers/` the wires, `faults/` what goes wrong; `preset.py`
holds every magnitude.
"""

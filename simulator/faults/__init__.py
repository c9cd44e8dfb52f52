"""Faults that a plan lays on a simulated bench: of branches, of the board, of the wire."""

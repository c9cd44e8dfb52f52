"""Instrument drivers: wires and dialects, nothing of resistor selection."""

"""The physical parts of a simulated board: each its law, its units and where they come from."""

"""What must be fast, timed against its peers in one run."""

"""What must be fast, timed against its peers in the same run."""

"""A sweep: its study on disk, its trials, its table, its results."""

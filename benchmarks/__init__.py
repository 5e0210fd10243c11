"""Benchmarks: claim, baseline and ours side by side, kept row by row in `results/`. `python -m benchmarks NAME`."""

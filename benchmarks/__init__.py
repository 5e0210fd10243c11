"""Benchmarks: claim, baseline and ours side by side in one run. `python -m benchmarks NAME [--quick] [--json FILE]`."""

"""What `ray job submit --working-dir . -- python jobs/run.py EXPERIMENT [key=value ...] [--out DIR]` runs."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from jobs.start import start

if __name__ == "__main__":
    start("run")

"""The processes that one test started, and no others: other Ray clusters of the machine are none of its business."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


class Family:
    """A process and everything that descends from it, by process id and start time.

    `look` must be called while parents live: an orphan no longer says whose it was.
    """

    def __init__(self, pid: int):
        self.members: dict[int, str] = {pid: _start(pid)}

    def look(self) -> None:
        """Note the descendants that exist now."""
        parents = {pid: _parent(pid) for pid in _pids()}
        grown = True
        while grown:
            new = {pid for pid, parent in parents.items() if parent in self.members and pid not in self.members}
            self.members |= {pid: _start(pid) for pid in new}
            grown = bool(new)

    def alive(self, named: str = "") -> list[int]:
        """Members that run still and whose command line holds `named`; zombies do not count."""
        same = [pid for pid, start in self.members.items() if start and _start(pid) == start and _state(pid) != "Z"]
        return [pid for pid in same if named in _command(pid)]

    def kill(self, named: str = "") -> int:
        """SIGKILL to the members whose command line holds `named`; how many there were."""
        found = self.alive(named)
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        return len(found)

    def gone_within(self, seconds: float) -> bool:
        """Wait until no member is alive."""
        deadline = time.monotonic() + seconds
        while self.alive() and time.monotonic() < deadline:
            time.sleep(0.1)
        return not self.alive()


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the state on; empty for a process that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _state(pid: int) -> str:
    return (_stat(pid) or [""])[0]


def _parent(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def _start(pid: int) -> str:
    fields = _stat(pid)
    return fields[19] if fields else ""


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""

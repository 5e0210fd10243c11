"""Whether this machine multiplies 8-bit integers exactly."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path


@cache
def saturates() -> bool:
    """True on x86 without VNNI: two products uint8 x int8 are added in 16 bits there, which hold codes up to 64 only.

    False where the processor does not say (not Linux, not x86).
    """
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    try:
        flags = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return False
    return not {"avx512_vnni", "avx_vnni"} & set(flags)

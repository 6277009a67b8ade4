"""Speed claims are ratios inside one process: the ways are timed in turn, so a slow minute hits all alike."""

import os
import sys
from pathlib import Path

import pytest

from d2lutils import time_in_turn

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book"))  # for `import notebooks`

SHARED = ROOT.parent / "shared" / "data"
if SHARED.is_dir():
    os.environ.setdefault("D2LUTILS_DATA", str(SHARED))


@pytest.fixture
def measure():
    """Time functions in turn, print them against the first, return ``{name: how many times faster}``."""

    def run(title, functions, rounds=10, repeats=1):
        seconds = time_in_turn(functions, rounds, repeats)
        base = next(iter(seconds.values()))
        print(f"\n{title}")
        for name, s in seconds.items():
            print(f"  {name:42} {s * 1e3:10.3f} ms {base / s:10.2f} x")
        return {name: base / s for name, s in seconds.items()}

    return run

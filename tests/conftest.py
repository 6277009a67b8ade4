"""What several tests share: where the real data is, and a clean data environment."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "book"))  # for `import notebooks`

settings.register_profile("busy", deadline=None)  # a first call may be slow, and so may the machine
settings.load_profile("busy")

SHARED = ROOT.parent / "shared"
if (SHARED / "data").is_dir():
    os.environ.setdefault("D2LUTILS_DATA", str(SHARED / "data"))

needs_real_data = pytest.mark.skipif(
    "D2LUTILS_DATA" not in os.environ, reason="REAL DATA MISSING: set D2LUTILS_DATA to the folder that holds it"
)


@pytest.fixture
def documents():
    """The folder with the five documents; they are not part of the repository."""
    folder = SHARED / "documents"
    if not folder.is_dir():
        pytest.skip("DOCUMENTS MISSING: the five documents lie outside the repository")
    return folder


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    """An empty cache and no folder of one's own: what is needed must be downloaded."""
    cache = tmp_path / "cache"
    monkeypatch.delenv("D2LUTILS_DATA", raising=False)
    monkeypatch.setenv("D2LUTILS_CACHE", str(cache))
    return cache

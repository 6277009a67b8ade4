"""What several tests share: where the real data is, a clean data environment, one browser."""

import os
import shutil
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

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="CHROMIUM MISSING: the built pages are not tested")
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


@pytest.fixture(scope="session")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()

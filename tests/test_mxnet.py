"""The legacy environment's tests, started from the main one; skipped where MXNet cannot be installed."""

import subprocess
import warnings

import pytest
from conftest import ROOT

LEGACY = ROOT / ".venv-mxnet"
OPTIONS = ("-q", "-rs", "--noconftest", "-p", "no:cacheprovider", "-W", "ignore")


@pytest.mark.skipif(
    not (LEGACY / "ready").exists(), reason="MXNET MISSING: run `make mxnet` (Linux x86-64, Python ≤ 3.11)"
)
def test_the_mxnet_face():
    command = [LEGACY / "bin" / "python", "-m", "pytest", *OPTIONS, ROOT / "tests" / "mxnet_face.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    print(done.stdout)
    if "DOCUMENTS MISSING" in done.stdout:
        warnings.warn("DOCUMENTS MISSING: document 002's own program was not run", stacklevel=1)
    assert done.returncode == 0, done.stdout + done.stderr

"""The legacy environment's tests, started from the main one; skipped where MXNet cannot be installed."""

import subprocess

import pytest
from conftest import ROOT

PYTHON = ROOT / ".venv-mxnet" / "bin" / "python"

needs_mxnet = pytest.mark.skipif(
    not PYTHON.exists(), reason="MXNET MISSING: run `make mxnet` (Linux x86-64, Python ≤ 3.11)"
)


@needs_mxnet
def test_the_mxnet_face():
    command = [
        PYTHON,
        "-m",
        "pytest",
        "-q",
        "--noconftest",
        "-p",
        "no:cacheprovider",
        "-W",
        "ignore",
        ROOT / "tests" / "mxnet_face.py",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr

"""A step of document 000's model (1,024 windows of 32 characters, h 32): the engine against torch, time and memory."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT

import notebooks
from d2lutils import Corpus, Vocab, time_in_turn, timemachine
from d2lutils.engine import cross_entropy, optim

# Resident memory above the start, watched by a thread while steps run (Linux).
WATCH = """
import sys, threading, time
sys.path[:0] = [{folder!r}, {book!r}]
import test_engine

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4

step = test_engine.steps(0)[{name!r}]
start, peak, done = resident(), 0, []

def watch():
    global peak
    while not done:
        peak = max(peak, resident())
        time.sleep(0.0002)

thread = threading.Thread(target=watch)
thread.start()
for _ in range(5):
    step()
done.append(True)
thread.join()
print(peak - start)
"""


def steps(seed):
    """Functions that each take one training step on the same data."""
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 27, (2, 1024, 32))
    run = timemachine.Run(Corpus(np.arange(27), Vocab(" abcdefghijklmnopqrstuvwxyz"), "all"))
    X, Y = torch.from_numpy(x), torch.from_numpy(y)

    def engine_step():
        run.optimizer.zero_grad()
        logits, _ = run.model(x)
        cross_entropy(logits, targets=y.T.reshape(-1)).backward()
        optim.clip_grad_norm(run.model.parameters(), 1.0)
        run.optimizer.step()

    space = {}
    exec(notebooks.definitions("engine"), space)

    def torch_step(loss):
        params = [torch.from_numpy(p.data.copy()).requires_grad_() for p in run.model.parameters()]
        optimizer = torch.optim.Adam(params, 1e-3)

        def step():
            optimizer.zero_grad()
            loss(params, X, Y).backward()
            torch.nn.utils.clip_grad_norm_(params, 1.0)
            optimizer.step()

        return step

    return {
        "torch, one-hot loop": torch_step(space["torch_loss"]),
        "torch, fast": torch_step(space["fast_torch_loss"]),
        "engine": engine_step,
    }


def test_step():
    """The engine by itself: the threads of torch and of NumPy, taken in turn, would wait for each other."""
    torchs = steps(0)
    engine = {"engine": torchs.pop("engine")}
    seconds = {**time_in_turn(torchs, rounds=20), **time_in_turn(engine, rounds=20)}
    base = seconds["torch, one-hot loop"]
    print("\none training step of document 000's model")
    for name, s in seconds.items():
        print(f"  {name:42} {s * 1e3:10.3f} ms {base / s:10.2f} x")
    assert base / seconds["torch, fast"] >= 1.15
    assert base / seconds["engine"] >= 1 / 3


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="LINUX ONLY: resident memory is read from /proc")
def test_peak_memory():
    peaks = {}
    for name in ("torch, one-hot loop", "engine"):
        code = WATCH.format(folder=str(Path(__file__).parent), book=str(ROOT / "book"), name=name)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        peaks[name] = int(done.stdout)
    print(f"\npeak memory of five steps: {', '.join(f'{name} {kb / 1024:.0f} MiB' for name, kb in peaks.items())}")
    assert min(peaks.values()) > 4 * 1024  # the states alone are 4 MiB: the watch saw something
    assert peaks["engine"] <= 2 * peaks["torch, one-hot loop"]

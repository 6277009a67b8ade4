"""Training on poems: one poem a pass, as the exercise has it, against padded batches and the chunked loss."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from d2lutils.torch.poems import PoemLSTM, linear_cross_entropy, poem_batches, poem_loss

VOCAB_SIZE = 5344  # of Quan Tangshi in simplified characters


def poems(count, seed=0):
    """Random sequences with the lengths of the usual forms: 24, 32, 48 and 64 symbols, and the two ends."""
    rng = np.random.default_rng(seed)
    return [rng.integers(4, VOCAB_SIZE, n + 2) for n in rng.choice([24, 32, 48, 64], count, p=[0.1, 0.3, 0.4, 0.2])]


def test_poems_per_second(measure):
    """A batch holds poems of like length, as poem_batches makes them; the loop reads the same poems."""
    net, sequences = PoemLSTM(VOCAB_SIZE), poems(1000)
    batches = list(poem_batches(sequences, 100, pad=1, seed=0))
    X, Y, mask = batches[0]
    same = [torch.cat((X[:1, i], Y[mask[:, i], i])) for i in range(X.shape[1])]

    def one_by_one():
        total = sum(F.cross_entropy(net(s[:-1, None])[0][:, 0], s[1:], reduction="sum") for s in same)
        (total / mask.sum()).backward()

    def padded():
        F.cross_entropy(net(X)[0][mask], Y[mask]).backward()

    ways = {"one poem a pass": one_by_one, "padded": padded, "chunked": lambda: poem_loss(net, X, Y, mask).backward(),
            "chunked, bfloat16": lambda: poem_loss(net, X, Y, mask, bfloat16=True).backward()}  # fmt: skip
    faster = measure(f"a step on 100 poems, {mask.sum()} symbols", ways, rounds=5)
    assert faster["chunked"] >= 2.0


PEAK = """
import sys
sys.path.insert(0, {folder!r})
import torch, test_poems as bench
from torch.nn import functional as F

H = torch.randn(4000, 128, requires_grad=True)
W, b = torch.randn(bench.VOCAB_SIZE, 128, requires_grad=True), torch.zeros(bench.VOCAB_SIZE, requires_grad=True)
y = torch.randint(bench.VOCAB_SIZE, (4000,))

def loss(n):
    if {chunked}:
        return bench.linear_cross_entropy(H[:n], W, b, y[:n])
    return F.cross_entropy(H[:n] @ W.T + b, y[:n], reduction="sum")

def peak():
    return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) / 1024

loss(8).backward()
open("/proc/self/clear_refs", "w").write("5")
before = peak()
loss(4000).backward()
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="LINUX ONLY: reads /proc")
def test_peak_memory_of_the_loss():
    peaks = {}
    for chunked in (False, True):
        code = PEAK.format(folder=str(Path(__file__).parent), chunked=chunked)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        peaks[chunked] = float(done.stdout)
    print(f"\npeak of the loss of 4,000 symbols: plain {peaks[False]:.0f} MiB, chunked {peaks[True]:.0f} MiB")
    assert 0 < peaks[True] <= peaks[False] / 4


def test_it_is_the_same_loss():
    H, W, b = torch.randn(600, 32), torch.randn(50, 32), torch.randn(50)
    y = torch.randint(50, (600,))
    torch.testing.assert_close(linear_cross_entropy(H, W, b, y), F.cross_entropy(H @ W.T + b, y, reduction="sum"))

"""A step of document 000's model (1,024 windows of 32 characters, h 32): the engine against torch, time and memory."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from d2lutils import Corpus, Vocab, timemachine
from d2lutils.engine import cross_entropy, optim

STEP = """
import resource, sys
import numpy as np, torch
sys.path.insert(0, {folder!r})
import test_engine
steps = test_engine.steps(0)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _ in range(3):
    steps[{name!r}]()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def one_hot_loss(params, X, Y):
    W_xh, W_hh, b_h, W_hq, b_q = params
    H, outputs = torch.zeros(len(X), 32), []
    for x in X.T:
        H = torch.tanh(F.one_hot(x, 27).float() @ W_xh + H @ W_hh + b_h)
        outputs.append(H @ W_hq + b_q)
    return F.cross_entropy(torch.cat(outputs), Y.T.reshape(-1))


def hoisted_loss(params, X, Y):
    W_xh, W_hh, b_h, W_hq, b_q = params
    H, hiddens = torch.zeros(len(X), 32), []
    for XW in F.embedding(X.T, W_xh) + b_h:
        H = torch.tanh(torch.addmm(XW, H, W_hh))
        hiddens.append(H)
    return F.cross_entropy(torch.addmm(b_q, torch.cat(hiddens), W_hq), Y.T.reshape(-1))


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
        "torch, one-hot loop": torch_step(one_hot_loss),
        "torch, hoisted": torch_step(hoisted_loss),
        "engine": engine_step,
    }


def test_step(measure):
    gain = measure("one training step of document 000's model", steps(0), rounds=8, repeats=2)
    assert gain["torch, hoisted"] >= 1.15
    assert gain["engine"] >= 1 / 3


def test_peak_memory():
    peaks = {}
    for name in ("torch, one-hot loop", "engine"):
        code = STEP.format(folder=str(Path(__file__).parent), name=name)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        peaks[name] = int(done.stdout)
    print(f"\npeak memory of three steps: {', '.join(f'{k} {v / 1024:.0f} MiB' for k, v in peaks.items())}")
    assert peaks["engine"] <= 2 * peaks["torch, one-hot loop"]

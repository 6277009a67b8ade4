"""word2vec on PTB: words a second and memory against a list loader and gensim with two workers, same settings."""

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

import notebooks
from d2lutils import Vocab, load_ptb, word2vec
from d2lutils.data import datasets, verify

needs_ptb = pytest.mark.skipif(
    "ptb" not in datasets() or any(name == "ptb" and state != "ok" for name, _, state in verify()),
    reason="NEEDS PTB: python -m d2lutils data fetch ptb",
)
SETTINGS = {"embed_size": 100, "window": 5, "num_noise": 5, "threshold": 1e-4, "start_lr": 0.025, "end_lr": 1e-4,
            "cbow_lr": 0.1, "min_freq": 5, "dataset": "ptb", "fast": False}  # fmt: skip


def chapter(num_epochs):
    space = {**SETTINGS, "num_epochs": num_epochs}
    exec(notebooks.definitions("word2vec-ptb"), space)
    sentences = load_ptb("train")
    vocab = Vocab(itertools.chain(*sentences), order="frequency", min_freq=5)
    words, owners = space["as_arrays"](sentences, vocab)
    keep_probs = word2vec.keep_probs(vocab.counts, 1e-4)
    space.update(sentences=sentences, vocab=vocab, words=words, owners=owners, keep_probs=keep_probs)
    return space


@needs_ptb
def test_words_per_second():
    space = chapter(num_epochs=2)
    words, owners, counts = space["words"], space["owners"], space["vocab"].counts
    listed = space["list_speed"](100_000)
    how = {"progress": False}
    rates = {}
    for kind in ("skip_gram_gradients", "cbow_gradients"):
        start = space["time"].perf_counter()
        space["train_vectors"](space[kind], words, owners, counts, 2, **how)
        rates[kind] = 2 * len(words) / (space["time"].perf_counter() - start)
    rates["gensim"] = space["train_gensim"](sg=1)[2]
    print(f"\nPTB words a second: lists {listed:,.0f}, " + ", ".join(f"{k} {v:,.0f}" for k, v in rates.items()))
    assert rates["skip_gram_gradients"] / listed >= 10
    assert rates["skip_gram_gradients"] / rates["gensim"] >= 0.5


PEAK = """
import json, sys
sys.path[:0] = [{folder!r}, {book!r}]
import test_word2vec as bench
import torch, gensim

def peak():
    status = open("/proc/self/status").read()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024

space = {{**bench.SETTINGS}}
exec(bench.notebooks.definitions("word2vec-ptb"), space)
few = (torch.arange(20_000) % 50).numpy()
space["train_vectors"](  # the frameworks' own buffers
    space["skip_gram_gradients"], few, few // 50, [400] * 50, 1, threshold=1.0, progress=False
)
open("/proc/self/clear_refs", "w").write("5")  # the peak starts anew here
before = peak()
space = bench.chapter(1)
if {ours}:
    del space["sentences"]
    arrays = space["words"], space["owners"], space["vocab"].counts
    space["train_vectors"](space["skip_gram_gradients"], *arrays, 1, progress=False)
else:
    for place, line in enumerate(space["sentences"]):  # as line.split() gives them: a string for every word
        space["sentences"][place] = " ".join(line).split()
    space["train_gensim"](sg=1)
print(json.dumps(peak() - before))
"""


@needs_ptb
@pytest.mark.skipif(sys.platform != "linux", reason="LINUX ONLY: reads /proc")
def test_peak_memory():
    """Both processes have imported and warmed up the same; ours drops the lists once the arrays are there."""
    peaks = {}
    for name in ("ours", "gensim"):
        code = PEAK.format(folder=str(Path(__file__).parent), book=str(ROOT / "book"), ours=name == "ours")
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        peaks[name] = json.loads(done.stdout.splitlines()[-1])
    print(f"\npeak above the frameworks: {', '.join(f'{k} {v:.0f} MiB' for k, v in peaks.items())}")
    assert 0 < peaks["ours"] <= peaks["gensim"]

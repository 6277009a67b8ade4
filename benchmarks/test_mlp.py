"""A step of document 003's model: the document's way against views + fused AdamW, and against the manual backward."""

import numpy as np
import torch
from torch.nn import functional as F

import notebooks
from d2lutils import RNG, Corpus, Vocab, time_in_turn


def chapter():
    """The chapter's functions on a random text of the real size."""
    vocab = Vocab("\nabcdefghijklmnopqrstuvwxyz")
    corpus = Corpus(np.random.default_rng(0).integers(0, 27, 213_796), vocab, "random")
    space = {"context_length": 3, "embed_size": 48, "num_hiddens": 512, "batch_size": 128, "peak_lr": 7e-4,
             "decay": 1e-4, "vocab": vocab, "RNG": RNG}  # fmt: skip
    exec(notebooks.definitions("mlp"), space)
    space["train"] = space["Windows"](corpus)
    return space, corpus.indices.tolist()


def test_steps_and_evaluation():
    """50,000 steps and 251 evaluations of 20 + 56 batches, as in the document's run."""
    space, tokens = chapter()
    document, fused, flat = (space[kind](space["get_params"]()) for kind in ("TensorMLP", "FusedMLP", "FlatMLP"))
    optimizer = torch.optim.AdamW(document.parameters(), weight_decay=1e-4)
    reading, count = space["list_batches"](tokens), iter(range(10**9))
    X_76, y_76 = space["train"].batches(76)

    def document_step():
        X, y = next(reading)
        optimizer.param_groups[0]["lr"] = 7e-4
        F.cross_entropy(document(X), y).backward()
        optimizer.step()
        optimizer.zero_grad()

    @torch.inference_mode()
    def document_evaluation():
        batches = space["list_batches"](tokens)
        return sum(F.cross_entropy(document(X), y).item() for X, y in (next(batches) for _ in range(76)))

    steps = time_in_turn(
        {
            "the document's way": document_step,
            "views, fused AdamW": lambda: fused.step(*space["train"].batch(next(count)), 7e-4),
            "flat, manual backward": lambda: flat.step(*space["train"].batch(next(count)), 7e-4),
        },
        rounds=20,
        repeats=30,
    )
    evaluations = time_in_turn(
        {"document": document_evaluation, "ours": lambda: space["mean_loss"](fused, X_76, y_76)}, rounds=5, repeats=1
    )
    runs = {
        name: 50_000 * s + 251 * evaluations["document" if name.startswith("the") else "ours"]
        for name, s in steps.items()
    }
    base = runs["the document's way"]
    print("\nthe whole run of document 003 (50,000 steps, 251 evaluations)")
    for name, s in runs.items():
        print(f"  {name:30} {s:8.1f} s {base / s:8.2f} x")
    assert base / runs["views, fused AdamW"] >= 1.25
    assert base / runs["flat, manual backward"] >= 1.6


def test_numpy(measure):
    space, _ = chapter()
    params = space["get_params"]()
    optimizer, fast = space["NumpyAdamW"](params), space["FlatNumpyMLP"](space["get_params"]())
    X, y = (part.numpy() for part in space["train"].batch(0))

    def naive():
        _, grads = space["numpy_gradients"](params, X, y)
        optimizer.step(grads, 7e-4)

    ways = {"as the formulas say": naive, "flat, in place": lambda: fast.step(X, y, 7e-4)}
    faster = measure("a step of document 003's model in NumPy", ways, rounds=20, repeats=20)
    assert faster["flat, in place"] >= 1.3

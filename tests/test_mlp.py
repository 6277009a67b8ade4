"""The Bengio chapter: its four implementations, the fast ones and the document's log, from the chapter's own source."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from conftest import needs_real_data
from torch.nn import functional as F

import notebooks
from d2lutils import torch as d2l


def chapter(dataset):
    names = d2l.load_names(dataset)
    space = {"context_length": 3, "embed_size": 48, "num_hiddens": 512, "batch_size": 128, "peak_lr": 7e-4,
             "decay": 1e-4, "names": names, "vocab": names["train"].vocab, "d2l": d2l}  # fmt: skip
    exec(notebooks.definitions("mlp"), space)
    space["train"] = space["Windows"](names["train"])
    return space


@pytest.fixture(scope="module")
def space():
    return chapter("sample-names")


def fast_losses(kind, space, count):
    net, losses = space[kind](space["get_params"]()), []
    for step in range(count):
        X, y = space["train"].batch(step)
        lr = space["cosine"](step, 50_000)
        if kind == "FlatNumpyMLP":
            losses.append(net.step(X.numpy(), y.numpy(), lr))
        else:
            with torch.no_grad():
                losses.append(F.cross_entropy(net(X), y).item())
            net.step(X, y, lr)
    return losses


def test_all_implementations_take_the_same_way(space):
    params = space["get_params"]
    reference = space["torch_losses"](space["TensorMLP"](params()), 30)
    assert reference[-1] < reference[0] - 0.3
    assert np.abs(space["torch_losses"](space["ModuleMLP"](params()), 30) - reference).max() <= 1e-6
    assert np.abs(space["numpy_losses"](params(), 30) - reference).max() <= 1e-5
    assert np.abs(space["engine_losses"](space["EngineMLP"](params()), 30) - reference).max() <= 1e-5
    for kind in ("FusedMLP", "FlatMLP", "FlatNumpyMLP"):
        assert np.abs(fast_losses(kind, space, 30) - reference).max() <= 2e-6, kind


def test_gradients_written_out_are_those_of_autograd(space):
    params = [p.astype(np.float64) for p in space["get_params"](h=32)]
    X, y = space["train"].batch(3)
    net = space["TensorMLP"](params)
    theirs = torch.autograd.grad(F.cross_entropy(net(X), y), net.parameters())
    _, ours = space["numpy_gradients"](params, X.numpy(), y.numpy())
    for mine, its in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, its.numpy(), atol=1e-15)


def test_batches_go_round_as_the_documents_do(space):
    windows, tokens = space["train"], space["names"]["train"].indices.tolist()
    reading = space["list_batches"](tokens)
    for k in range(2 * len(windows.X) // 128 + 2):
        for ours, theirs in zip(windows.batch(k), next(reading), strict=True):
            assert torch.equal(ours, theirs)
    X, y = windows.batches(len(tokens) // 128)
    assert len(X) == len(y) == len(tokens) // 128 * 128


def test_an_own_name_hides_the_name_before(space):
    vocab = space["vocab"]
    X = torch.from_numpy(np.stack([vocab.encode(c) for c in ("abc", "b\nc", "bc\n", "\n\na", "\na\n")]))
    shown = [vocab.text(row.tolist()) for row in space["own_name"](X)]
    assert shown == ["abc", "\n\nc", "\n\n\n", "\n\na", "\n\n\n"]


def test_counting_gives_probabilities(space):
    """With one context symbol the smoothed counts are what a loop over the text counts."""
    train, val = (space["names"][split].indices.tolist() for split in ("train", "val"))
    counts = np.zeros((27, 27))
    for a, b in pairwise(train):
        counts[a, b] += 1
    probs = (counts + 0.5) / (counts.sum(1, keepdims=True) + 0.5 * 27)
    expected = -np.mean([math.log(probs[a, b]) for a, b in pairwise(val)])
    assert space["ngram_losses"](1, [0.5])[0] == pytest.approx(expected, rel=1e-12)


@needs_real_data
def test_first_rows_of_the_documents_log():
    space = chapter("names")
    rows = d2l.published("003")["rows"]
    names, params = space["names"], space["get_params"]()
    val = space["Windows"](names["val"])
    num_val = len(names["val"]) // 128
    space.update(zip(("val_X", "val_y"), val.batches(num_val), strict=True))
    space.update(zip(("some_X", "some_y"), space["train"].batches(20), strict=True))
    for kind in ("FusedMLP", "FlatMLP"):
        net = space[kind](params)
        for step in range(401):
            lr = space["cosine"](step, 50_000)
            if step % 200 == 0:
                ours, row = (*space["evaluate"](net), lr), rows[step // 200]
                assert row[0] == step
                np.testing.assert_allclose(ours, row[1:], rtol=1e-6, atol=2e-6)
            net.step(*space["train"].batch(step), lr)

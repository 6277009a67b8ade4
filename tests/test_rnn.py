"""The RNN chapter's own functions: every way of writing the loop is the same model, and so is nn.RNN."""

import pytest
import torch

import notebooks
from d2lutils import load_lyrics
from d2lutils import torch as d2l


@pytest.fixture(scope="module")
def chapter():
    corpus = load_lyrics("sample-lyrics", 3000)
    space = {"corpus": corpus, "vocab": corpus.vocab, "num_hiddens": 24, "num_epochs": 1, "device": torch.device("cpu")}
    exec(notebooks.definitions("rnn"), space)
    space["X"], space["Y"] = next(d2l.data_iter_random(corpus, 8, 12, seed=0))
    return space


@pytest.mark.parametrize("way", ["forward_lookup", "forward_hoisted", "forward_fast"])
def test_every_fast_way_is_the_plain_one(chapter, way):
    answers = [
        chapter["outputs_and_grads"](
            chapter["RNNScratch"](chapter["get_params"](0.1), chapter[name]), chapter["X"], chapter["Y"]
        )
        for name in ("forward_plain", way)
    ]
    for ours, theirs in zip(*answers, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


def test_the_chapters_clipping_and_prediction_are_the_modules(chapter):
    net = chapter["RNNScratch"](chapter["get_params"](0.1), chapter["forward_fast"])
    assert chapter["predict"](net, "分开", 20) == d2l.generate(net, "分开", 20, chapter["vocab"])
    ours, theirs = (torch.zeros(3, requires_grad=True) for _ in range(2))
    ours.grad, theirs.grad = torch.tensor([1.0, 2.0, 2.0]), torch.tensor([1.0, 2.0, 2.0])
    assert chapter["grad_clipping"]([ours], 1.5) == pytest.approx(d2l.grad_clipping([theirs], 1.5))
    torch.testing.assert_close(ours.grad, theirs.grad)

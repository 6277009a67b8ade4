"""A training step of the RNN chapter: the document's style, ours, and nn.RNN (vocabulary 1,027, h 256, n 32, T 35)."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from d2lutils import torch as d2l

V, H, B, T = 1027, 256, 32, 35


@pytest.fixture
def batch():
    torch.manual_seed(0)
    return torch.randint(V, (B, T)), torch.randint(V, (B, T))


def parameters():
    torch.manual_seed(0)
    shapes = ((V, H), (H, H), (H,), (H, V), (V,))
    return [(torch.randn(shape) * 0.05).requires_grad_() for shape in shapes]


def plain(X, params):
    """The document's style: one-hot vectors, everything inside the loop."""
    W_xh, W_hh, b_h, W_hq, b_q = params
    H_t, outputs = torch.zeros(len(X), H), []
    for x in X.T:
        one_hot = torch.zeros(len(x), V).scatter_(1, x.view(-1, 1), 1)
        H_t = torch.tanh(torch.matmul(one_hot, W_xh) + torch.matmul(H_t, W_hh) + b_h)
        outputs.append(torch.matmul(H_t, W_hq) + b_q)
    return torch.cat(outputs)


def fast(X, params):
    """Row look-up, hoisted input projection, one output product."""
    W_xh, W_hh, b_h, W_hq, b_q = params
    H_t, hiddens = torch.zeros(len(X), H), []
    for XW in F.embedding(X.T, W_xh) + b_h:
        H_t = torch.tanh(torch.addmm(XW, H_t, W_hh))
        hiddens.append(H_t)
    return torch.addmm(b_q, torch.cat(hiddens), W_hq)


class Library(nn.Module):
    def __init__(self, embedding):
        super().__init__()
        self.embedding = nn.Embedding(V, H) if embedding else lambda x: F.one_hot(x, V).float()
        self.rnn = nn.RNN(H if embedding else V, H)
        self.dense = nn.Linear(H, V)

    def forward(self, X):
        return self.dense(self.rnn(self.embedding(X.T))[0].flatten(0, 1))


def step(forward, params, X, Y):
    """A whole update: forward, backward, clipping, sgd."""

    def run():
        for param in params:
            param.grad = None
        F.cross_entropy(forward(X), Y.T.reshape(-1)).backward()
        d2l.grad_clipping(params, 0.01)
        d2l.sgd(params, 1.0)

    return run


def test_fast_equals_plain(batch):
    X, Y = batch
    answers = []
    for forward in (plain, fast):
        params = parameters()
        logits = forward(X, params)
        grads = torch.autograd.grad(F.cross_entropy(logits, Y.T.reshape(-1)), params)
        answers.append((logits, *grads))
    for ours, theirs in zip(*answers, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


def test_step(measure, batch):
    functions = {}
    for name, forward in (("document's style", plain), ("from scratch, fast", fast)):
        params = parameters()
        functions[name] = step(lambda X, f=forward, p=params: f(X, p), params, *batch)
    for name, embedding in (("nn.RNN on one-hot", False), ("nn.RNN on Embedding", True)):
        net = Library(embedding)
        functions[name] = step(net, list(net.parameters()), *batch)
    gain = measure("one training step of the RNN", functions, rounds=15, repeats=3)
    assert gain["from scratch, fast"] >= 1.8
    assert gain["from scratch, fast"] >= gain["nn.RNN on Embedding"]

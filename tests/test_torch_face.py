"""The torch face: functions against definitions and against torch, training, generation, and their errors."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from d2lutils import Corpus, DeviceError, TrainingDiverged
from d2lutils import torch as d2l


class Net(nn.Module):
    """A small language model with the interface that train and generate ask for."""

    def __init__(self, vocab_size, seed=0, dropout=0.0):
        super().__init__()
        torch.manual_seed(seed)
        self.embedding = nn.Embedding(vocab_size, 8)
        self.rnn = nn.GRU(8, 16)
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(16, vocab_size)

    def forward(self, X, state=None):
        hiddens, state = self.rnn(self.embedding(X.T), state)
        return self.dense(self.dropout(hiddens.flatten(0, 1))), state


@pytest.fixture
def corpus():
    return Corpus.from_text("abcdefgh" * 40, "toy")


@given(st.integers(1, 9), st.integers(1, 4), st.integers(1, 5), st.data())
def test_one_hot_times_a_matrix_is_a_row_lookup(n_class, n, num_steps, draw):
    X = torch.tensor(
        draw.draw(st.lists(st.integers(0, n_class - 1), min_size=n * num_steps, max_size=n * num_steps))
    ).reshape(n, num_steps)
    W = torch.randn(n_class, 3)
    torch.testing.assert_close(d2l.one_hot(X, n_class), F.one_hot(X, n_class).float())
    torch.testing.assert_close(d2l.one_hot(X, n_class) @ W, d2l.row_lookup(X, W))
    steps = d2l.to_onehot(X, n_class)
    assert len(steps) == num_steps
    assert all(torch.equal(step, F.one_hot(X[:, t], n_class).float()) for t, step in enumerate(steps))


@pytest.mark.parametrize("function", [lambda x: d2l.one_hot(x, 3), lambda x: d2l.row_lookup(x, torch.zeros(3, 2))])
def test_one_hot_refuses_what_is_no_index(function):
    with pytest.raises(ValueError, match="0 … 2, got values from 0 to 3"):
        function(torch.tensor([0, 3]))
    with pytest.raises(ValueError, match="from -1"):
        function(torch.tensor([-1]))
    with pytest.raises(TypeError, match=r"float32.*x\.long\(\)"):
        function(torch.tensor([1.0]))
    with pytest.raises(ValueError, match="batch_size, num_steps"):
        d2l.to_onehot(torch.tensor([1]), 3)


@given(st.floats(0.01, 100), st.integers(0, 1000))
def test_clipping_is_torchs_clipping_and_keeps_the_direction(theta, seed):
    torch.manual_seed(seed)
    ours = [torch.zeros(shape, requires_grad=True) for shape in ((3, 4), (5,), ())]
    theirs = [torch.zeros_like(p, requires_grad=True) for p in ours]
    for a, b in zip(ours, theirs, strict=True):
        a.grad = torch.randn_like(a)
        b.grad = a.grad.clone()
    before = torch.cat([p.grad.flatten() for p in ours])
    norm = d2l.grad_clipping((p for p in ours), theta)  # a generator: it must not be used up
    after = torch.cat([p.grad.flatten() for p in ours])
    assert norm == pytest.approx(before.norm().item(), rel=1e-5)
    assert after.norm().item() == pytest.approx(min(theta, norm), rel=1e-4)
    torch.testing.assert_close(after / after.norm(), before / before.norm())
    nn.utils.clip_grad_norm_(theirs, theta)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-6)


def test_clipping_refuses_what_it_cannot_mend():
    w = torch.zeros(2, requires_grad=True)
    with pytest.raises(ValueError, match="backward"):
        d2l.grad_clipping([w], 1.0)
    w.grad = torch.tensor([math.nan, 1.0])
    with pytest.raises(TrainingDiverged, match="nan"):
        d2l.grad_clipping([w], 1.0)
    w.grad = torch.ones(2)
    with pytest.raises(ValueError, match="theta must be above 0, got 0"):
        d2l.grad_clipping([w], 0)


def test_sgd_is_torchs_sgd():
    a, b = (torch.ones(3, requires_grad=True) for _ in range(2))
    for w in (a, b):
        (w**2).sum().backward()
    d2l.sgd([a], lr=0.5, batch_size=2)
    torch.optim.SGD([b], lr=0.25).step()
    assert torch.equal(a, b)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lr": 0}, "lr must be positive and finite, got 0"),
        ({"lr": math.nan}, "got nan"),
        ({"lr": 1, "batch_size": 0}, "batch_size must be at least 1"),
        ({"lr": 1}, "no gradient"),
    ],
)
def test_sgd_names_bad_input_and_changes_nothing(settings, message):
    done, missing = (torch.ones(3, requires_grad=True) for _ in range(2))
    done.grad = torch.ones(3)
    with pytest.raises(ValueError, match=message):
        d2l.sgd([done, missing], **settings)
    assert torch.equal(done, torch.ones(3))


def test_the_norm_of_many_numbers_is_exact():
    """torch.linalg.vector_norm is 1e-5 off here."""
    w = torch.zeros(256, 1465, requires_grad=True)
    w.grad = torch.rand(256, 1465, generator=torch.Generator().manual_seed(0)) ** 3
    assert d2l.grad_clipping([w], 1e9) == pytest.approx(w.grad.double().norm().item(), rel=1e-7)


def test_clipping_does_not_overflow_where_the_gradient_is_finite():
    w = torch.zeros(2, requires_grad=True)
    w.grad = torch.tensor([3e30, 4e30])
    assert d2l.grad_clipping([w], 5.0) == pytest.approx(5e30, rel=1e-6)
    torch.testing.assert_close(w.grad, torch.tensor([3.0, 4.0]))


def test_try_gpu_says_what_is_missing():
    assert d2l.try_gpu(99).type == "cpu"
    with pytest.raises(DeviceError, match="GPU 99 was asked for"):
        d2l.try_gpu(99, required=True)
    with pytest.raises(ValueError, match="at least 0"):
        d2l.try_gpu(-1)


@pytest.mark.parametrize("random_iter", [False, True])
def test_training_learns_and_a_seed_repeats_it(corpus, random_iter):
    def run():
        net = Net(len(corpus.vocab))
        optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
        valid = corpus[:100]
        history = d2l.train(
            net, corpus, optimizer, num_epochs=15, batch_size=4, num_steps=10, random_iter=random_iter, clip=1.0,
            valid=valid, progress=False,
        )  # fmt: skip
        return net, history

    (net, history), (_, again) = run(), run()
    assert history.loss == again.loss
    assert history.perplexity[-1] < 1.5 < 4 < history.perplexity[0]
    assert len(history.valid_loss) == 15
    assert d2l.generate(net, "abc", 6, corpus.vocab) == "abcdefgha"


def test_evaluate_is_the_mean_loss_of_one_pass(corpus):
    net = Net(len(corpus.vocab), dropout=0.5)
    (X, Y), *_ = d2l.data_iter_consecutive(corpus, 2, 159)
    net.eval()
    expected = F.cross_entropy(net(X)[0], Y.T.reshape(-1)).item()
    net.train()
    assert d2l.evaluate(net, corpus, 2, 159) == pytest.approx(expected)
    assert d2l.evaluate(net, corpus, 2, 53) == pytest.approx(expected, rel=1e-5)  # the state is carried on
    assert net.training


def test_divergence_stops_says_where_and_keeps_the_best(corpus):
    net = Net(len(corpus.vocab))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    kept = {}

    def poison(epoch, history):
        kept[epoch] = [p.detach().clone() for p in net.parameters()]
        if epoch == 3:
            with torch.no_grad():
                net.dense.bias[0] = math.nan

    with pytest.raises(TrainingDiverged, match=r"step 25 \(epoch 4\): the loss is nan.*epoch 3 \(perplexity") as caught:
        d2l.train(
            net, corpus, optimizer, num_epochs=9, batch_size=4, num_steps=9, clip=1.0, on_epoch=poison, progress=False
        )
    assert caught.value.step == 25
    assert len(caught.value.history.loss) == 3
    for param, best in zip(net.parameters(), kept[3], strict=True):
        assert torch.equal(param, best)


def test_divergence_in_the_first_epoch_goes_back_to_the_start(corpus):
    net = Net(len(corpus.vocab))
    start = [p.detach().clone() for p in net.parameters()]
    with pytest.raises(TrainingDiverged, match="those of the start"):
        d2l.train(
            net, corpus, torch.optim.SGD(net.parameters(), lr=1e38), num_epochs=2, batch_size=4, num_steps=9,
            progress=False,
        )  # fmt: skip
    for param, first in zip(net.parameters(), start, strict=True):
        assert torch.equal(param, first)


def test_a_blow_up_in_the_last_step_does_not_pass(corpus):
    """The loss is measured before the update, so only the parameters show that the last update went wrong."""
    net = Net(len(corpus.vocab))
    for param in net.parameters():
        param.register_hook(lambda grad: grad * 1e6)
    text = corpus[: 4 * 10 + 1]  # one mini-batch an epoch
    with pytest.raises(TrainingDiverged, match=r"step 1 \(epoch 1\): the sum of the parameters is"):
        d2l.train(
            net, text, torch.optim.SGD(net.parameters(), lr=1e38), num_epochs=1, batch_size=4, num_steps=9,
            progress=False,
        )  # fmt: skip
    assert all(param.isfinite().all() for param in net.parameters())


@pytest.mark.parametrize("with_valid", [False, True])
def test_the_best_epoch_is_kept_not_the_last(corpus, with_valid):
    """Epoch 2 is made worse and epoch 3 poisoned: the parameters must be those of epoch 1."""
    net, kept = Net(len(corpus.vocab)), {}

    def spoil(epoch, history):
        kept[epoch] = [p.detach().clone() for p in net.parameters()]
        with torch.no_grad():
            if epoch == 1:
                net.dense.bias[0] += 30.0
            if epoch == 2:
                net.dense.bias[0] = math.nan

    with pytest.raises(TrainingDiverged, match="those of epoch 1 "):
        d2l.train(
            net, corpus, torch.optim.SGD(net.parameters(), lr=1e-6), num_epochs=4, batch_size=4, num_steps=9,
            on_epoch=spoil, valid=corpus[:100] if with_valid else None, progress=False,
        )  # fmt: skip
    for param, best in zip(net.parameters(), kept[1], strict=True):
        assert torch.equal(param, best)


def test_held_out_loss_decides_where_it_is_given(corpus):
    """The training loss falls, the held-out loss is the best in epoch 1 by construction."""
    net, kept = Net(len(corpus.vocab)), {}
    other = Corpus.from_text("hgfedcba" * 20, "backwards", corpus.vocab)

    def remember(epoch, history):
        kept[epoch] = [p.detach().clone() for p in net.parameters()]
        if epoch == 5:
            assert history.loss[-1] < history.loss[0]
            assert history.valid_loss[-1] > history.valid_loss[0]
            net.dense.bias.data[0] = math.nan

    with pytest.raises(TrainingDiverged) as caught:
        d2l.train(
            net, corpus, torch.optim.Adam(net.parameters(), lr=0.02), num_epochs=6, batch_size=4, num_steps=9,
            on_epoch=remember, valid=other, progress=False,
        )  # fmt: skip
    best = min(range(5), key=caught.value.history.valid_loss.__getitem__) + 1
    assert best < 5
    for param, copy in zip(net.parameters(), kept[best], strict=True):
        assert torch.equal(param, copy)


def test_random_sampling_starts_every_mini_batch_from_zero_and_consecutive_does_not(corpus):
    class Spy(Net):
        def forward(self, X, state=None):
            states.append(state)
            return super().forward(X, state)

    for random_iter in (True, False):
        states, net = [], Spy(len(corpus.vocab))
        d2l.train(
            net, corpus, torch.optim.SGD(net.parameters(), lr=0.1), num_epochs=2, batch_size=4, num_steps=9,
            random_iter=random_iter, progress=False,
        )  # fmt: skip
        fresh = [state is None for state in states]
        assert fresh == [random_iter or i % 8 == 0 for i in range(16)]
        assert all(state is None or not state.requires_grad for state in states)


def test_clipping_happens_in_training(corpus):
    net = Net(len(corpus.vocab))
    before = [p.detach().clone() for p in net.parameters()]
    d2l.train(
        net, corpus, torch.optim.SGD(net.parameters(), lr=1.0), num_epochs=1, batch_size=4, num_steps=9, clip=1e-6,
        progress=False,
    )  # fmt: skip
    moved = math.sqrt(sum(((a - b) ** 2).sum().item() for a, b in zip(net.parameters(), before, strict=True)))
    assert 0 < moved < 8 * 1e-6 * 1.01


def test_batch_first_logits_are_refused(corpus):
    class BatchFirst(Net):
        def forward(self, X, state=None):
            logits, state = super().forward(X, state)
            return logits.reshape(X.shape[1], len(X), -1).transpose(0, 1), state

    net = BatchFirst(len(corpus.vocab))
    with pytest.raises(ValueError, match=r"time-major, \(T, n, V\) = \(9, 4, …\), got \(4, 9, 8\)"):
        d2l.train(
            net, corpus, torch.optim.SGD(net.parameters(), lr=0.1), num_epochs=1, batch_size=4, num_steps=9,
            progress=False,
        )  # fmt: skip


def test_buffers_go_back_with_the_parameters(corpus):
    net = Net(len(corpus.vocab))
    net.register_buffer("running", torch.zeros(1))

    def poison(epoch, history):
        net.running += 1
        if epoch == 2:
            net.dense.bias.data[0] = math.nan

    with pytest.raises(TrainingDiverged, match="those of epoch 2"):
        d2l.train(
            net, corpus, torch.optim.SGD(net.parameters(), lr=0.5), num_epochs=3, batch_size=4, num_steps=9,
            on_epoch=poison, progress=False,
        )  # fmt: skip
    assert net.running == 1  # as it was when epoch 2 ended, before on_epoch


@pytest.mark.parametrize("wrap", [lambda c: c, lambda c: c.indices, lambda c: torch.tensor(c.indices)])
def test_held_out_text_may_be_a_corpus_or_an_array(corpus, wrap):
    net = Net(len(corpus.vocab))
    history = d2l.train(
        net, corpus, torch.optim.SGD(net.parameters(), lr=0.5), num_epochs=1, batch_size=4, num_steps=9,
        valid=wrap(corpus[:100]), progress=False,
    )  # fmt: skip
    assert history.valid_loss == [pytest.approx(d2l.evaluate(net, corpus[:100], 1, 9))]


def test_the_summed_loss_trains_as_the_mean_with_a_larger_rate(corpus):
    """4 · 9 predictions: the gradient of the sum is that of the mean times their number."""
    nets = Net(len(corpus.vocab)), Net(len(corpus.vocab))
    losses = [
        d2l.train(
            net, corpus, torch.optim.SGD(net.parameters(), lr=lr), num_epochs=2, batch_size=4, num_steps=9,
            loss_sum=loss_sum, progress=False,
        ).loss
        for net, lr, loss_sum in zip(nets, (0.5, 0.5 / 36), (False, True), strict=True)
    ]  # fmt: skip
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_the_order_of_random_batches_reaches_training(corpus):
    def losses(**how):
        net = Net(len(corpus.vocab))
        optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
        return d2l.train(net, corpus, optimizer, num_epochs=2, batch_size=4, num_steps=9, progress=False, **how).loss

    assert losses(random_iter=True, seed=1) != losses(random_iter=True, seed=2) != losses()


def test_detach_cuts_nested_states():
    h = torch.ones(2, requires_grad=True) * 2
    state = d2l.detach((h, (h,)))
    assert not state[0].requires_grad
    assert not state[1][0].requires_grad
    assert d2l.detach(None) is None


def test_generation_takes_a_seed_and_restores_the_mode(corpus):
    net = Net(len(corpus.vocab), dropout=0.5)
    how = {"temperature": 1.5, "top_k": 6, "top_p": 0.95}
    texts = [d2l.generate(net, "ab", 30, corpus.vocab, seed=seed, **how) for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]
    assert net.training
    assert d2l.generate(net, "ab", 0, corpus.vocab) == "ab"


@pytest.mark.parametrize(
    ("prefix", "num", "message"),
    [("", 3, "prefix is empty"), ("aZ", 3, "'Z'.*position 1"), ("a", -1, "num_tokens must be at least 0")],
)
def test_generation_names_bad_input(corpus, prefix, num, message):
    with pytest.raises(ValueError, match=message):
        d2l.generate(Net(len(corpus.vocab)), prefix, num, corpus.vocab)

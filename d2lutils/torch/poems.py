"""Batches of poems, the chunked loss and the LSTM that writes them (document 001)."""

import math

import numpy as np
import torch
from torch import nn

from ..bar import progress_bar
from ..errors import TrainingDiverged, check_positive
from ..history import History
from .functional import _check_indices, grad_clipping
from .generate import evaluating
from .train import _copies, _restore

__all__ = ["PoemLSTM", "evaluate_poems", "linear_cross_entropy", "poem_batches", "poem_loss", "train_poems"]


def poem_batches(sequences, batch_size, *, pad, seed=None, device=None):
    """Mini-batches of sequences of similar length, padded.

    The sequences are sorted by length (ties in random order), cut into batches, and the batches are shuffled: hardly
    any padding, and still a different order in every epoch.

    Args:
        sequences: list of int arrays of at least 2 indices, ``<bos>`` first and ``<eos>`` last.
        batch_size: number of sequences in a batch (the last may hold fewer).
        pad: index that fills up.
        seed: int or NumPy Generator; None keeps the order of length (for evaluation).

    Yields:
        X, Y: (T, n) int64, time first, Y one step ahead of X; mask: (T, n) bool, True where Y is not padding.
    """
    check_positive(batch_size=batch_size)
    sequences = list(sequences)
    lengths = np.array([len(sequence) for sequence in sequences])
    if not len(lengths):
        raise ValueError("there are no sequences; give at least one")
    if lengths.min() < 2:
        place = int(lengths.argmin())
        raise ValueError(f"sequence {place} has {lengths[place]} indices; each needs <bos> and <eos>, at least 2")
    rng = None if seed is None else np.random.default_rng(seed)
    jitter = np.zeros(len(lengths)) if rng is None else rng.random(len(lengths))
    order = np.lexsort((jitter, lengths))
    starts = np.arange(0, len(order), batch_size)
    for start in starts if rng is None else rng.permutation(starts):
        chosen = [torch.as_tensor(sequences[i], dtype=torch.int64) for i in order[start : start + batch_size]]
        padded = nn.utils.rnn.pad_sequence(chosen, padding_value=pad).to(device)  # (T + 1, n)
        last = torch.tensor([len(sequence) - 1 for sequence in chosen], device=padded.device)
        yield padded[:-1], padded[1:], torch.arange(len(padded) - 1, device=padded.device)[:, None] < last


class _LinearCrossEntropy(torch.autograd.Function):
    """The gradients are made in the forward pass, chunk by chunk, so the logits of one chunk are all that exists."""

    @staticmethod
    def forward(ctx, H, W, b, y, chunk_size):
        total = H.new_zeros((), dtype=torch.float32)
        dH, dW, db = torch.empty_like(H), torch.zeros_like(W, dtype=torch.float32), torch.zeros_like(b)
        for rows in range(0, len(H), chunk_size):
            h, target = H[rows : rows + chunk_size], y[rows : rows + chunk_size]
            logits = (h @ W.T).float().add_(b)  # (c, V)
            log_norm = logits.logsumexp(1, keepdim=True)
            total += (log_norm.squeeze(1) - logits.gather(1, target[:, None]).squeeze(1)).sum()
            if any(ctx.needs_input_grad[:3]):
                probs = logits.sub_(log_norm).exp_()
                probs[torch.arange(len(h), device=h.device), target] -= 1  # observed minus expected, negated
                db += probs.sum(0)
                probs = probs.to(H.dtype)
                torch.mm(probs, W, out=dH[rows : rows + chunk_size])
                dW += probs.T @ h
        ctx.save_for_backward(dH, dW.to(W.dtype), db)
        return total

    @staticmethod
    def backward(ctx, grad):
        dH, dW, db = ctx.saved_tensors
        return dH * grad.to(dH.dtype), dW * grad.to(dW.dtype), db * grad, None, None


def linear_cross_entropy(H, W, b, y, chunk_size=512):
    """Summed cross-entropy of ``H @ W.T + b`` without ever holding all logits.

    Plain code keeps N × V logits and as many gradients; here it is chunk_size × V. The softmax is computed in float32.

    Args:
        H: (N, h) hidden states. W: (V, h). b: (V,) float32. y: (N,) int64. chunk_size: rows at a time.

    Returns:
        scalar float32, the sum in nats; divide by N for the mean. It has no second derivative.
    """
    check_positive(chunk_size=chunk_size)
    shapes = tuple(tuple(t.shape) for t in (H, W, b, y))
    if H.dim() != 2 or W.dim() != 2 or shapes != ((len(y), W.shape[1]), W.shape, (len(W),), (len(y),)):
        raise ValueError(f"H (N, h), W (V, h), b (V,), y (N,) do not fit: got shapes {shapes}")
    _check_indices(y, len(W))
    return _LinearCrossEntropy.apply(H, W, b, y, chunk_size)


class PoemLSTM(nn.Module):
    """Embedding, stacked LSTM, projection to the embedding's size where needed, output layer (tied to the embedding).

    Args:
        vocab_size, embed_size, num_hiddens, num_layers: sizes; the exercise has 100, 128, 2.
        dropout: on the embedding, between the layers and before the output.
        tied: share the embedding with the output layer (Press & Wolf, 2017).

    X is time first, (T, n), so :func:`~d2lutils.torch.generate` does not fit; poems are written by
    :class:`~d2lutils.poetry.writer.PoemWriter`.
    """

    def __init__(self, vocab_size, embed_size=100, num_hiddens=128, num_layers=2, dropout=0.0, tied=False):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)
        self.lstm = nn.LSTM(embed_size, num_hiddens, num_layers, dropout=dropout)
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(num_hiddens, embed_size) if tied else nn.Identity()
        self.output = nn.Linear(embed_size if tied else num_hiddens, vocab_size)
        if tied:
            nn.init.normal_(self.embedding.weight, std=embed_size**-0.5)
            self.output.weight = self.embedding.weight
        nn.init.zeros_(self.output.bias)

    def features(self, X, state=None):
        """X (T, n) to what the output layer sees (T, n, d), and the new state."""
        hiddens, state = self.lstm(self.dropout(self.embedding(X)), state)
        return self.dropout(self.project(hiddens)), state

    def forward(self, X, state=None):
        """X (T, n) to logits (T, n, V) and the new state."""
        features, state = self.features(X, state)
        return self.output(features), state


def poem_loss(net, X, Y, mask, *, bfloat16=False, chunk_size=512):
    """Mean cross-entropy in nats over the positions that are not padding; scalar.

    Args:
        bfloat16: matrix products in bfloat16 (much faster on recent CPUs and GPUs), sums and softmax in float32.

    Raises:
        ValueError: the mask is not a bool tensor of Y's shape, or nothing is left under it.
    """
    if mask.dtype != torch.bool or mask.shape != Y.shape or not mask.any():
        raise ValueError(
            f"mask must be bool, of Y's shape {tuple(Y.shape)} and not all False; got {mask.dtype} {tuple(mask.shape)}"
        )
    with torch.autocast(X.device.type, torch.bfloat16, enabled=bfloat16):
        features, _ = net.features(X)
    H, W = features[mask], net.output.weight
    if bfloat16:
        H, W = H.bfloat16(), W.bfloat16()
    return linear_cross_entropy(H, W, net.output.bias, Y[mask], chunk_size) / mask.sum()


@torch.no_grad()
def evaluate_poems(net, sequences, *, pad, batch_size=256, device=None):
    """Mean loss in nats per symbol (characters, punctuation and ``<eos>``), in float32."""
    total, count = 0.0, 0
    with evaluating(net):
        for X, Y, mask in poem_batches(sequences, batch_size, pad=pad, device=device):
            num_symbols = mask.sum().item()
            total += poem_loss(net, X, Y, mask).item() * num_symbols
            count += num_symbols
    return total / count


def train_poems(net, train, valid, *, pad, num_epochs, lr, batch_size=100, weight_decay=0.01, clip=1.0,
                bfloat16=False, seed=0, on_epoch=None, device=None):  # fmt: skip
    """Train with AdamW and a one-cycle schedule (Smith & Topin, 2019); the weights of the best epoch stay.

    Args:
        net: PoemLSTM or anything with ``features`` and ``output``. train, valid: lists of index arrays.
        lr: the highest learning rate, reached after a fifth of the steps. clip: threshold of the gradient norm.
        on_epoch: called as ``on_epoch(epoch, history)`` after each epoch. seed: of batches and dropout (sets torch's).

    Returns:
        History with training and validation loss per symbol.

    Raises:
        TrainingDiverged: a loss or gradient is not finite; the net has the weights of its best epoch.
    """
    check_positive(num_epochs=num_epochs, batch_size=batch_size)
    if not 0 < lr < math.inf:
        raise ValueError(f"lr must be positive and finite, got {lr}")
    train, valid = list(train), list(valid)
    next(poem_batches(valid, batch_size, pad=pad))  # bad sequences should fail now, not after an epoch
    num_steps = num_epochs * math.ceil(len(train) / batch_size)
    optimizer = torch.optim.AdamW(net.parameters(), lr, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=max(num_steps + 1, 6), pct_start=0.2)
    rng, history, best = np.random.default_rng(seed), History(), (math.inf, _copies(net.parameters()))
    torch.manual_seed(seed)  # dropout
    try:
        for epoch in range(1, num_epochs + 1):
            total, count = 0.0, 0
            batches = poem_batches(train, batch_size, pad=pad, seed=rng, device=device)
            for X, Y, mask in progress_bar(batches, "batch", f"epoch {epoch}"):
                loss = poem_loss(net, X, Y, mask, bfloat16=bfloat16)
                optimizer.zero_grad()
                loss.backward()
                grad_clipping(net.parameters(), clip)
                optimizer.step()
                schedule.step()
                num_symbols = mask.sum().item()
                total, count = total + loss.item() * num_symbols, count + num_symbols
            history.record(total / count, evaluate_poems(net, valid, pad=pad, device=device))
            if not math.isfinite(history.valid_loss[-1]):
                raise TrainingDiverged(f"the validation loss of epoch {epoch} is {history.valid_loss[-1]}; lower lr")
            if history.valid_loss[-1] < best[0]:
                best = (history.valid_loss[-1], _copies(net.parameters()))
            if on_epoch:
                on_epoch(epoch, history)
    except TrainingDiverged as error:
        error.history = history
        raise
    finally:
        _restore(net.parameters(), best[1])
    return history

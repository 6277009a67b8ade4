"""Mini-batches of sequences, and windows, cut from one long array of indices.

Every function takes the indices as a list, a NumPy array, a framework's 1-D integer array or a
:class:`~d2lutils.text.Corpus`, and does no more than slice, reshape and look up rows, so the NumPy core and the
torch face share it (the faces only put the array on the device first).
"""

import numpy as np

from .errors import check_positive
from .text import Corpus

__all__ = ["data_iter_consecutive", "data_iter_random", "ngram_windows", "sliding_windows"]


def data_iter_random(corpus_indices, batch_size, num_steps, seed=None):
    """Random sampling: each epoch visits the non-overlapping pieces of the text in a new order.

    Two neighbouring mini-batches are not neighbours in the text, so the hidden state must be set anew for each.

    Args:
        corpus_indices: (N,) integers.
        batch_size: n.
        num_steps: T.
        seed: int, NumPy Generator or None (fresh entropy).

    Returns:
        An iterator over X and Y, both (batch_size, num_steps), Y one token ahead of X. The pieces always start at
        multiples of ``num_steps``; the tail that fills no mini-batch is dropped.

    Raises:
        TypeError: the indices are no integers, a size is no integer.
        ValueError: a size is below 1, the indices are not one axis or too few for one mini-batch.

    Source: the samplers of d2l's first edition, which documents 002 and 004 use.
    """
    indices = as_indices(corpus_indices)
    check_positive(batch_size=batch_size, num_steps=num_steps)
    num_examples = (len(indices) - 1) // num_steps  # Y needs one token more than X
    if num_examples < batch_size:
        _too_short(len(indices), batch_size, num_steps, batch_size * num_steps + 1)
    # One row per example, num_steps + 1 long: neighbouring rows share one token.
    rows = _rows(indices, num_examples, num_steps)
    order = np.random.default_rng(seed).permutation(num_examples)[: num_examples // batch_size * batch_size]
    if hasattr(rows, "new_tensor"):  # torch indexes by its own kind
        order = rows.new_tensor(order, dtype=rows[0].long().dtype)
    batches = rows[order].reshape(-1, batch_size, num_steps + 1)
    return zip(batches[:, :, :-1], batches[:, :, 1:], strict=True)


def data_iter_consecutive(corpus_indices, batch_size, num_steps):
    """Consecutive sampling: row i of a mini-batch continues row i of the one before.

    The final hidden state of one mini-batch is therefore the right initial state of the next.

    Args:
        corpus_indices: (N,) integers.
        batch_size: n.
        num_steps: T.

    Returns:
        An iterator over X and Y, both (batch_size, num_steps) views of the input (no copy), Y one token ahead of X.
        The tail of each row that fills no mini-batch is dropped.

    Raises:
        TypeError, ValueError: as :func:`data_iter_random`.
    """
    indices = as_indices(corpus_indices)
    check_positive(batch_size=batch_size, num_steps=num_steps)
    row_len = len(indices) // batch_size
    num_batches = (row_len - 1) // num_steps
    if num_batches < 1:
        _too_short(len(indices), batch_size, num_steps, batch_size * (num_steps + 1))
    rows = indices[: batch_size * row_len].reshape(batch_size, row_len)
    shape = (batch_size, num_batches, num_steps)
    X, Y = (rows[:, shift : shift + num_batches * num_steps].reshape(shape) for shift in (0, 1))
    return zip(X.swapaxes(0, 1), Y.swapaxes(0, 1), strict=True)


def sliding_windows(corpus_indices, num_steps, stride=1):
    """All windows of ``num_steps`` tokens and the same windows one token later, as views.

    Args:
        corpus_indices: (N,) integers.
        num_steps: T.
        stride: distance between two windows' starts.

    Returns:
        X and Y, (M, num_steps) views with M = (N - T - 1) // stride + 1; M = N - T for stride 1. Do not write into
        them: one token is part of many windows.

    Raises:
        TypeError, ValueError: no integers, sizes below 1, or a text too short for one window and its target.
    """
    check_positive(num_steps=num_steps, stride=stride)
    windows = _windows(corpus_indices, num_steps, stride)
    return windows[:, :-1], windows[:, 1:]


def ngram_windows(corpus_indices, context_length):
    """All contexts of ``context_length`` tokens with the token that follows, as views.

    Returns:
        X of shape (N - n, n) and y of shape (N - n,), views, n = context_length.

    Raises:
        TypeError, ValueError: as :func:`sliding_windows`.
    """
    check_positive(context_length=context_length)
    windows = _windows(corpus_indices, context_length, 1)
    return windows[:, :-1], windows[:, -1]


def as_indices(corpus_indices):
    """The indices as an array of one axis and an integer type; a framework's array is passed through."""
    indices = corpus_indices.indices if isinstance(corpus_indices, Corpus) else corpus_indices
    if isinstance(indices, (list, tuple, range)):
        indices = np.array(indices)
    if not hasattr(indices, "dtype") or not hasattr(indices, "shape"):
        raise TypeError(f"corpus_indices must be integers in a list or an array, got {type(indices).__name__}")
    if len(indices.shape) != 1:
        raise ValueError(f"corpus_indices must have one axis, shape (N,), got shape {tuple(indices.shape)}")
    if "int" not in str(indices.dtype):
        raise TypeError(
            f"corpus_indices must be integers, got {indices.dtype}; encode the text first, e.g. vocab.encode(text)"
        )
    return indices


def _rows(indices, num_examples, num_steps):
    """(num_examples, num_steps + 1), row j = indices[j * num_steps : (j + 1) * num_steps + 1], a view."""
    if hasattr(indices, "unfold"):
        return indices.unfold(0, num_steps + 1, num_steps)[:num_examples]
    return np.lib.stride_tricks.sliding_window_view(indices, num_steps + 1)[::num_steps][:num_examples]


def _windows(corpus_indices, length, stride):
    """(M, length + 1) overlapping windows as a view."""
    indices = as_indices(corpus_indices)
    if len(indices) <= length:
        raise ValueError(
            f"a window of {length} tokens and its target need at least {length + 1} tokens, the corpus has "
            f"{len(indices)}; take a shorter window or a longer text"
        )
    if hasattr(indices, "unfold"):
        return indices.unfold(0, length + 1, stride)
    return np.lib.stride_tricks.sliding_window_view(indices, length + 1)[::stride]


def _too_short(length, batch_size, num_steps, needed):
    raise ValueError(
        f"the corpus has {length} tokens, but one mini-batch of {batch_size} sequences of {num_steps} steps needs "
        f"{needed}; use a longer text, or a smaller batch_size or num_steps"
    )

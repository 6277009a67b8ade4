"""The core's samplers and windows as tensors on a device."""

import torch

from .. import sampling

__all__ = ["data_iter_consecutive", "data_iter_random", "ngram_windows", "sliding_windows"]


def data_iter_random(corpus_indices, batch_size, num_steps, device=None, seed=None):
    """Random sampling as int64 tensors (n, T); see :func:`d2lutils.sampling.data_iter_random`."""
    return sampling.data_iter_random(_tensor(corpus_indices, device), batch_size, num_steps, seed)


def data_iter_consecutive(corpus_indices, batch_size, num_steps, device=None):
    """Consecutive sampling as int64 tensors (n, T); see :func:`d2lutils.sampling.data_iter_consecutive`."""
    return sampling.data_iter_consecutive(_tensor(corpus_indices, device), batch_size, num_steps)


def sliding_windows(corpus_indices, num_steps, stride=1, device=None):
    """X, Y: (M, T) int64 views on ``device``; see :func:`d2lutils.sampling.sliding_windows`."""
    return sampling.sliding_windows(_tensor(corpus_indices, device), num_steps, stride)


def ngram_windows(corpus_indices, context_length, device=None):
    """X: (N - n, n), y: (N - n,) int64 views on ``device``; see :func:`d2lutils.sampling.ngram_windows`."""
    return sampling.ngram_windows(_tensor(corpus_indices, device), context_length)


def _tensor(corpus_indices, device):
    """One int64 tensor on the device; without a device, where the data already is (no copy if it can be avoided)."""
    return torch.as_tensor(sampling.as_indices(corpus_indices)).to(device, torch.int64)

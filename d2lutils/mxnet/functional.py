"""The small functions of document 002 that d2l's MXNet module lacks or does otherwise."""

import math

from mxnet import nd

from ..errors import TrainingDiverged

__all__ = ["grad_clipping", "one_hot", "to_onehot"]


def one_hot(x, n_class):
    """One-hot vectors: (...,) integers in 0 … n_class-1 to (..., n_class) float32.

    Raises:
        ValueError: an index lies outside 0 … n_class-1 (MXNet itself returns a row of zeros).
    """
    low, high = (int(bound.asscalar()) for bound in (x.min(), x.max()))
    if low < 0 or high >= n_class:
        raise ValueError(f"indices must lie in 0 … {n_class - 1}, got values from {low} to {high}")
    return nd.one_hot(x, n_class)


def to_onehot(X, n_class):
    """A mini-batch (n, T) as a list of T one-hot matrices (n, n_class)."""
    if len(X.shape) != 2:
        raise ValueError(f"X must have shape (batch_size, num_steps), got {X.shape}")
    return list(one_hot(X.T, n_class))


def grad_clipping(params, theta, ctx=None):
    """Scale all gradients in place so that their joint L2 norm is at most ``theta``; returns the norm before.

    Args:
        params: any iterable of arrays with gradients.
        theta: threshold, > 0.
        ctx: ignored, kept for the document's call.

    Raises:
        TrainingDiverged: the norm is NaN or infinite. ValueError: theta is not positive.
    """
    if not theta > 0:
        raise ValueError(f"theta must be above 0, got {theta}")
    grads = [param.grad for param in params]
    norm = math.sqrt(nd.multi_sum_sq(*grads, num_arrays=len(grads)).sum().asscalar())
    if not math.isfinite(norm):
        raise TrainingDiverged(
            f"the norm of the gradient is {norm}, which no scaling can mend; lower the learning rate"
        )
    if norm > theta:
        for grad in grads:
            grad[:] *= theta / norm
    return norm

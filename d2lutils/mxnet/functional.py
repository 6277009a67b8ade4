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
        TrainingDiverged: the norm is NaN or infinite. ValueError: no gradients, or theta is not positive.
    """
    if not theta > 0:
        raise ValueError(f"theta must be above 0, got {theta}")
    grads = [param.grad for param in params]
    if not grads or any(grad is None for grad in grads):
        raise ValueError("a parameter has no gradient; call attach_grad() on it and backward() on the loss first")
    norm = math.sqrt(sum(float((grad**2).sum().asscalar()) for grad in grads))
    if not math.isfinite(norm):  # the squares of large but finite numbers may overflow in float32
        norm = math.sqrt(sum(float((grad.astype("float64") ** 2).sum().asscalar()) for grad in grads))
    if not math.isfinite(norm):
        raise TrainingDiverged(
            f"the norm of the gradient is {norm}, which no scaling can mend; lower the learning rate"
        )
    if norm > theta:
        for grad in grads:
            grad[:] *= theta / norm
    return norm

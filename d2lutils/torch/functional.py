"""The small functions that every chapter uses."""

import math

import torch

from ..errors import DeviceError, TrainingDiverged, check_positive

__all__ = ["grad_clipping", "one_hot", "row_lookup", "sgd", "to_onehot", "try_gpu"]


def try_gpu(i=0, required=False):
    """``cuda:i`` if this machine has it, else the CPU.

    Raises:
        DeviceError: if ``required`` and the GPU is not there.
    """
    if i < 0:
        raise ValueError(f"i must be at least 0, got {i}; the first GPU is try_gpu(0)")
    count = torch.cuda.device_count()
    if i < count:
        return torch.device(f"cuda:{i}")
    if required:
        raise DeviceError(
            f"GPU {i} was asked for, but torch sees {count} GPUs; use try_gpu() to go on with the CPU (in Colab: "
            "Runtime → Change runtime type → GPU)"
        )
    return torch.device("cpu")


def one_hot(x, n_class, dtype=torch.float32):
    """One-hot vectors: (...,) integers in 0 … n_class-1 to (..., n_class) of ``dtype``.

    Raises:
        TypeError: x is not an integer tensor. ValueError: an index lies outside 0 … n_class-1.
    """
    _check_indices(x, n_class)
    out = torch.zeros(*x.shape, n_class, dtype=dtype, device=x.device)
    return out.scatter_(-1, x.long().unsqueeze(-1), 1)


def to_onehot(X, n_class):
    """A mini-batch (n, T) as a list of T one-hot matrices (n, n_class), the input of step t at place t.

    Raises:
        ValueError: X has not two axes or holds an index outside 0 … n_class-1. TypeError: X is no integer tensor.
    """
    if X.dim() != 2:
        raise ValueError(f"X must have shape (batch_size, num_steps), got {tuple(X.shape)}; add an axis with X[None]")
    return list(one_hot(X.T, n_class))


def row_lookup(X, W):
    """``one_hot(X, len(W)) @ W`` without the one-hot: the rows of W. X: (...,) integers, W: (V, h) → (..., h)."""
    _check_indices(X, len(W))
    return W[X.long()]


def sgd(params, lr, batch_size=1):
    """Plain gradient descent in place: param -= lr · grad / batch_size (1 if the loss is a mean already).

    Raises:
        ValueError: lr is not positive and finite, batch_size is below 1, or a parameter has no gradient.
    """
    params = list(params)
    check_positive(batch_size=batch_size)
    if not 0 < lr < math.inf:
        raise ValueError(f"lr must be positive and finite, got {lr}")
    if any(param.grad is None for param in params):
        raise ValueError("a parameter has no gradient; call loss.backward() before sgd")
    with torch.no_grad():
        for param in params:
            param -= lr * param.grad / batch_size


def grad_clipping(params, theta, device=None):
    """Scale all gradients in place so that their joint L2 norm is at most ``theta``; the direction stays.

    Source: Pascanu et al. (2013). ``params`` may be any iterable. (Document 004 passes ``model.parameters()``, a
    generator, to a function that walks through it twice; the second walk finds nothing, so nothing is clipped.)

    Args:
        params: tensors with gradients.
        theta: threshold, > 0.
        device: ignored, kept for the document's call.

    Returns:
        float, the norm before clipping.

    Raises:
        TrainingDiverged: the norm is NaN or infinite. ValueError: no gradients, or theta is not positive.
    """
    grads = [param.grad for param in params if param.grad is not None]
    if not grads:
        raise ValueError("no parameter has a gradient; call loss.backward() before grad_clipping")
    if not theta > 0:
        raise ValueError(f"theta must be above 0, got {theta}")
    norm = _joint_norm(grads)
    if not math.isfinite(norm):  # the squares of large but finite numbers may overflow in float32
        norm = _joint_norm(grads, torch.float64)
    if not math.isfinite(norm):
        raise TrainingDiverged(
            f"the norm of the gradient is {norm}, which no scaling can mend; lower the learning rate or look for a "
            "division by zero or log(0) in the loss"
        )
    if norm > theta:
        for grad in grads:
            grad.mul_(theta / norm)
    return norm


def _joint_norm(tensors, dtype=None):
    """Sums of squares add up pairwise, which stays exact; torch.linalg.vector_norm is 1e-5 off on large float32."""
    squares = [(t.to(dtype) if dtype else t).square().sum() for t in tensors]
    return torch.stack(squares).sum().sqrt().item()


def _check_indices(x, n_class):
    if x.is_floating_point() or x.is_complex() or x.dtype == torch.bool:
        raise TypeError(f"indices must be integers, got {x.dtype}; convert with x.long()")
    low, high = (int(x.min()), int(x.max())) if x.numel() else (0, 0)
    if low < 0 or high >= n_class:
        raise ValueError(f"indices must lie in 0 … {n_class - 1}, got values from {low} to {high}")

"""The operations, each beside its own backward. ``g`` is always the gradient of the operation's value."""

import builtins

import numpy as np

from .tape import Piece, Tensor, operation

__all__ = [
    "add", "concat", "cross_entropy", "div", "dropout", "exp", "log", "log_softmax", "matmul", "max", "mean", "mul",
    "neg", "power", "relu", "reshape", "rows", "sigmoid", "softmax", "stack", "sub", "sum", "take", "tanh", "transpose",
]  # fmt: skip


@operation
def add(a, b):
    return a + b, lambda g: g, lambda g: g


@operation
def sub(a, b):
    return a - b, lambda g: g, lambda g: -g


@operation
def mul(a, b):
    return a * b, lambda g: g * b, lambda g: g * a


@operation
def div(a, b):
    value = a / b
    return value, lambda g: g / b, lambda g: -g * value / b


@operation
def neg(a):
    return -a, lambda g: -g


@operation
def power(a, exponent):
    """a to a constant power."""
    if isinstance(exponent, np.ndarray):
        raise TypeError("the exponent must be a number; for a tensor write exp(log(a) * b)")
    return a**exponent, lambda g: g * exponent * a ** (exponent - 1) if exponent else np.zeros_like(a)


@operation
def matmul(a, b):
    """Matrix product over the last two axes, (…, n, k) @ (…, k, m); leading axes broadcast."""
    if builtins.min(np.ndim(a), np.ndim(b)) < 2:
        raise ValueError(
            f"matmul needs two matrices, got shapes {np.shape(a)} and {np.shape(b)}; reshape vectors first"
        )
    return a @ b, lambda g: g @ b.swapaxes(-1, -2), lambda g: a.swapaxes(-1, -2) @ g


@operation
def exp(a):
    value = np.exp(a)
    return value, lambda g: g * value


@operation
def log(a):
    return np.log(a), lambda g: g / a


@operation
def tanh(a):
    value = np.tanh(a)
    return value, lambda g: g * (1 - value * value)


@operation
def sigmoid(a):
    """1 / (1 + exp(-a)), written with tanh so that nothing overflows."""
    value = np.tanh(a * 0.5) * 0.5 + 0.5
    return value, lambda g: g * value * (1 - value)


@operation
def relu(a):
    value = np.maximum(a, 0)
    return value, lambda g: g * (value > 0)


@operation
def sum(a, axis=None, keepdims=False):
    shape = a.shape
    return a.sum(axis=axis, keepdims=keepdims), lambda g: np.broadcast_to(_spread(g, axis, keepdims), shape)


@operation
def mean(a, axis=None, keepdims=False):
    shape, value = a.shape, a.mean(axis=axis, keepdims=keepdims)
    share = value.size / a.size
    return value, lambda g: np.broadcast_to(_spread(g * g.dtype.type(share), axis, keepdims), shape)


@operation
def max(a, axis=None, keepdims=False):
    """The largest element along the axes; equal ones share the gradient."""
    top = a.max(axis=axis, keepdims=True)
    hit = a == top
    share = hit / hit.sum(axis=axis, keepdims=True, dtype=a.dtype)
    value = top if keepdims else a.max(axis=axis)
    return value, lambda g: share * _spread(g, axis, keepdims)


@operation
def reshape(a, shape):
    before = a.shape
    return a.reshape(shape), lambda g: g.reshape(before)


@operation
def transpose(a, axes=None):
    """Axes in another order, by default reversed."""
    back = None if axes is None else np.argsort([axis % a.ndim for axis in axes])
    return a.transpose(axes), lambda g: g.transpose(back)


@operation
def concat(*arrays, axis=0):
    """Arrays one after the other along an existing axis."""
    _check_arrays(arrays, "concat")
    ends = np.cumsum([a.shape[axis] for a in arrays])
    cuts = [[slice(None)] * arrays[0].ndim for _ in arrays]
    for cut, end, a in zip(cuts, ends, arrays, strict=True):
        cut[axis] = slice(end - a.shape[axis], end)
    return np.concatenate(arrays, axis), *(lambda g, cut=tuple(cut): g[cut] for cut in cuts)


@operation
def stack(*arrays, axis=0):
    """Arrays of one shape along a new axis."""
    _check_arrays(arrays, "stack")
    return np.stack(arrays, axis), *(lambda g, i=i: g.take(i, axis) for i in range(len(arrays)))


@operation
def take(a, place):
    """``a[place]``: slices, numbers or integer arrays."""
    unique = _is_simple(place)
    return a[place], lambda g: Piece(place, g, unique)


@operation
def rows(W, indices):
    """Rows of a matrix, W (V, h) and indices (…) to (…, h): a one-hot product without the one-hot.

    The gradient adds up what fell on each row: sorted by row, one reduction.
    """
    shape, indices = W.shape, np.array(indices)
    if indices.size and (indices.dtype.kind not in "iu" or indices.min() < 0 or indices.max() >= len(W)):
        raise ValueError(f"indices must be integers in 0 … {len(W) - 1}, got {_span(indices)}")
    indices = indices.astype(np.intp)

    def backward(g):
        gradient, flat = np.zeros(shape, g.dtype), indices.reshape(-1)
        if g.size:
            order = flat.argsort(kind="stable")
            starts = np.flatnonzero(np.diff(flat[order], prepend=-1))
            gradient[flat[order[starts]]] = np.add.reduceat(g.reshape(-1, shape[1])[order], starts)
        return gradient

    return W[indices], backward


@operation
def softmax(a, axis=-1):
    value = _softmax(a, axis)
    return value, lambda g: value * (g - (g * value).sum(axis=axis, keepdims=True))


@operation
def log_softmax(a, axis=-1):
    shifted = a - a.max(axis=axis, keepdims=True)
    value = shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))
    return value, lambda g: g - np.exp(value) * g.sum(axis=axis, keepdims=True)


@operation
def cross_entropy(logits, targets, reduction="mean"):
    """Negative log-likelihood of targets (N,) under softmax(logits), (N, V); its gradient is softmax minus one-hot."""
    if reduction not in ("mean", "sum"):
        raise ValueError(f'reduction must be "mean" or "sum", got {reduction!r}')
    if logits.ndim != 2 or np.shape(targets) != logits.shape[:1]:
        raise ValueError(f"logits must be (N, V) and targets (N,), got {logits.shape} and {np.shape(targets)}")
    targets = np.array(targets)
    if not len(targets) or targets.dtype.kind not in "iu" or targets.min() < 0 or targets.max() >= logits.shape[1]:
        raise ValueError(f"targets must be integers in 0 … {logits.shape[1] - 1}, got {_span(targets)}")
    place = np.arange(len(logits)), targets
    shifted = logits - logits.max(axis=1, keepdims=True)
    scale = logits.dtype.type(1 / len(logits) if reduction == "mean" else 1)
    exponentials = np.exp(shifted)
    totals = exponentials.sum(axis=1)
    value = (np.log(totals) - shifted[place]).sum() * scale

    def backward(g):
        gradient = exponentials / totals[:, None]
        gradient[place] -= 1
        return gradient * (g * scale)

    return value, backward


@operation
def dropout(a, rate, rng):
    """Zero each element with probability ``rate`` and scale the rest, so that the expectation stays."""
    if not 0 <= rate < 1:
        raise ValueError(f"rate must lie in [0, 1), got {rate}")
    mask = (rng.random(a.shape) >= rate).astype(a.dtype) / a.dtype.type(1 - rate)
    return a * mask, lambda g: g * mask


def _softmax(a, axis):
    exponentials = np.exp(a - a.max(axis=axis, keepdims=True))
    return exponentials / exponentials.sum(axis=axis, keepdims=True)


def _span(indices):
    return f"{indices.dtype} from {indices.min()} to {indices.max()}" if indices.size else "none"


def _check_arrays(arrays, name):
    if not all(isinstance(a, np.ndarray) for a in arrays):
        raise TypeError(f"{name} takes tensors one by one: {name}(*tensors)")


def _spread(g, axis, keepdims):
    """Give a reduced gradient its lost axes back, with length 1."""
    return g if keepdims or axis is None else np.expand_dims(g, axis)


def _is_simple(place):
    parts = place if isinstance(place, tuple) else (place,)
    return all(isinstance(part, (int, slice, type(None), type(Ellipsis))) for part in parts)


def _reversed(function):
    return lambda self, other: function(other, self)


for _name, _function in {"add": add, "sub": sub, "mul": mul, "truediv": div, "matmul": matmul}.items():
    setattr(Tensor, f"__{_name}__", _function)
    setattr(Tensor, f"__r{_name}__", _reversed(_function))
for _function in (exp, log, tanh, sigmoid, relu, sum, mean, max, transpose, softmax, log_softmax):
    setattr(Tensor, _function.__name__, _function)
Tensor.__neg__, Tensor.__pow__, Tensor.__getitem__ = neg, power, take
Tensor.reshape = lambda self, *shape: reshape(self, shape=shape[0] if isinstance(shape[0], tuple) else shape)
Tensor.T = property(transpose, doc="Axes reversed.")

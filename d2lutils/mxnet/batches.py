"""The core's samplers as MXNet arrays on a context."""

from mxnet import nd

from .. import sampling

__all__ = ["data_iter_consecutive", "data_iter_random"]


def data_iter_random(corpus_indices, batch_size, num_steps, ctx=None, seed=None):
    """Random sampling as int32 arrays (n, T) on ``ctx``; see :func:`d2lutils.sampling.data_iter_random`."""
    return _on(ctx, sampling.data_iter_random(corpus_indices, batch_size, num_steps, seed))


def data_iter_consecutive(corpus_indices, batch_size, num_steps, ctx=None):
    """Consecutive sampling as int32 arrays (n, T); see :func:`d2lutils.sampling.data_iter_consecutive`."""
    return _on(ctx, sampling.data_iter_consecutive(corpus_indices, batch_size, num_steps))


def _on(ctx, batches):
    for X, Y in batches:
        yield nd.array(X, ctx=ctx, dtype="int32"), nd.array(Y, ctx=ctx, dtype="int32")

"""The MXNet face: ``from d2lutils import mxnet as d2l``, for document 002 and for readers of old code.

MXNet was archived in 2023; its last release (1.9.1) needs NumPy below 1.24 and Python up to 3.11, so it lives in an
environment of its own, the kernel ``mxnet`` (``make mxnet``). ``sgd`` and ``try_gpu`` are d2l's.
"""

import d2lutils

try:
    import mxnet
except (ImportError, AttributeError) as error:  # AttributeError: a NumPy that no longer has np.bool
    raise ImportError(
        f'MXNet cannot be imported here ({error}). Run `make mxnet` once, then choose the kernel "mxnet" for this '
        "notebook (Kernel → Change Kernel); everything else in the book runs without it"
    ) from None

from d2l.mxnet import sgd, try_gpu

from .. import *
from .batches import data_iter_consecutive, data_iter_random
from .functional import grad_clipping, one_hot, to_onehot
from .train import predict_rnn, train_and_predict_rnn

__all__ = sorted(
    {
        *d2lutils.__all__,
        "grad_clipping",
        "one_hot",
        "predict_rnn",
        "sgd",
        "to_onehot",
        "train_and_predict_rnn",
        "try_gpu",
    }
    - {"ngram_windows", "sliding_windows"}
)

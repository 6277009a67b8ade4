"""The PyTorch face: ``from d2lutils import torch as d2l``.

Everything of the framework-neutral core, with the samplers and windows on a torch device, and what needs torch:
one-hot, sgd, gradient clipping, training, generation.
"""

import d2lutils

from .. import *
from .batches import data_iter_consecutive, data_iter_random, ngram_windows, sliding_windows
from .documents import predict_rnn, train_and_predict_rnn
from .functional import grad_clipping, one_hot, row_lookup, sgd, to_onehot, try_gpu
from .generate import generate
from .train import detach, evaluate, train

__all__ = sorted(
    {
        *d2lutils.__all__,
        "detach",
        "evaluate",
        "generate",
        "grad_clipping",
        "one_hot",
        "predict_rnn",
        "row_lookup",
        "sgd",
        "to_onehot",
        "train",
        "train_and_predict_rnn",
        "try_gpu",
    }
)

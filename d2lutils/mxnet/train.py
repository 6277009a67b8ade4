"""Training and prediction with the signatures of document 002."""

import math

from d2l.mxnet import sgd
from mxnet import autograd, gluon, nd

from ..bar import progress_bar
from ..decoding import next_token
from ..errors import TrainingDiverged, check_positive
from ..history import History
from .batches import data_iter_consecutive, data_iter_random
from .functional import grad_clipping

__all__ = ["predict_rnn", "train_and_predict_rnn"]


def predict_rnn(rnn, prefix, num_chars, params, hidden_dim, ctx, idx_to_char, char_to_idx, get_inputs):
    """Continue ``prefix`` greedily by ``num_chars`` characters.

    Args:
        rnn: ``rnn(inputs, H, *params) -> (outputs, H)``, outputs a list of (n, V) arrays, one a step, or of one
            (T·n, V) array in time-major order.
        prefix: characters that the vocabulary holds, at least one.
        get_inputs: turns indices (n, T) into ``inputs``.
    """
    if not prefix:
        raise ValueError("the prefix is empty; give at least one character for the model to start from")
    unknown = [char for char in prefix if char not in char_to_idx]
    if unknown:
        raise ValueError(f"{unknown[0]!r} in {prefix!r} is not in the vocabulary; use characters of the corpus")
    H = nd.zeros((1, hidden_dim), ctx=ctx)
    indices = [char_to_idx[char] for char in prefix]
    X = nd.array([indices], ctx=ctx, dtype="int32")
    for _ in range(num_chars):
        outputs, H = rnn(get_inputs(X), H, *params)
        indices.append(next_token(outputs[-1][-1].asnumpy()))
        X = nd.array([indices[-1:]], ctx=ctx, dtype="int32")
    return "".join(idx_to_char[i] for i in indices)


def train_and_predict_rnn(
    rnn, is_random_iter, epochs, num_steps, hidden_dim, learning_rate, clipping_theta, batch_size, pred_period,
    pred_len, seqs, get_params, get_inputs, ctx, corpus_indices, idx_to_char, char_to_idx, seed=0,
):  # fmt: skip
    """Train with SGD on the summed loss and print perplexity and samples every ``pred_period`` epochs.

    The call of document 002, which gives everything by keyword.

    Returns:
        History, and the parameters.

    Raises:
        TrainingDiverged: a loss or gradient stopped being finite; says at which step.
    """
    check_positive(epochs=epochs, pred_period=pred_period)
    if not 0 < learning_rate < math.inf:
        raise ValueError(f"learning_rate must be positive and finite, got {learning_rate}")
    params = get_params()
    history, step = History(), 0
    loss_fn = gluon.loss.SoftmaxCrossEntropyLoss()
    with progress_bar(epochs, "epoch") as bar:
        for epoch in range(1, epochs + 1):
            if is_random_iter:
                batches = data_iter_random(corpus_indices, batch_size, num_steps, ctx, seed=(seed, epoch))
            else:
                batches = data_iter_consecutive(corpus_indices, batch_size, num_steps, ctx)
            total, count, H = 0.0, 0, None
            for X, Y in batches:
                step += 1
                H = nd.zeros((batch_size, hidden_dim), ctx=ctx) if is_random_iter or H is None else H.detach()
                with autograd.record():
                    outputs, H = rnn(get_inputs(X), H, *params)
                    loss = loss_fn(nd.concat(*outputs, dim=0), Y.T.reshape((-1,)))
                nll = loss.sum().asscalar()
                where = f"training stopped at step {step} (epoch {epoch})"
                if not math.isfinite(nll):
                    raise TrainingDiverged(f"{where}: the loss is {nll}; lower the learning rate", step, history)
                loss.backward()
                try:
                    grad_clipping(params, clipping_theta, ctx)
                except TrainingDiverged as error:
                    raise TrainingDiverged(f"{where}: {error}", step, history) from None
                sgd(params, learning_rate, 1)
                total, count = total + nll, count + Y.size
            if not math.isfinite(sum(float(param.sum().asscalar()) for param in params)):
                raise TrainingDiverged(f"{where}: a parameter is not finite; lower the learning rate", step, history)
            history.record(total / count)
            bar.update()
            if epoch % pred_period == 0:
                print(f"Epoch {epoch}. Perplexity {history.perplexity[-1]:f}")
                for seq in seqs:
                    text = predict_rnn(
                        rnn, seq, pred_len, params, hidden_dim, ctx, idx_to_char, char_to_idx, get_inputs
                    )
                    print(" - ", text)
                print()
    return history, params

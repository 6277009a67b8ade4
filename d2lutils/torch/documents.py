"""The long calls of documents 002 and 004, so that their code runs with only the import line changed."""

import torch

from ..text import Vocab
from .functional import to_onehot
from .generate import generate
from .train import train

__all__ = ["predict_rnn", "train_and_predict_rnn"]


class _Model:
    """A document's ``rnn(inputs, state, params)`` behind the interface of :func:`train` and :func:`generate`."""

    def __init__(self, rnn, params, init_rnn_state, num_hiddens, vocab_size, device):
        self.rnn, self.params, self.device = rnn, list(params), device
        self.begin_state = lambda batch_size: init_rnn_state(batch_size, num_hiddens, device)
        self.vocab_size = vocab_size

    def parameters(self):
        return self.params

    def __call__(self, X, state):
        state = self.begin_state(len(X)) if state is None else state
        outputs, state = self.rnn(to_onehot(X, self.vocab_size), state, self.params)
        return torch.cat(outputs, dim=0), state


def predict_rnn(
    prefix, num_chars, rnn, params, init_rnn_state, num_hiddens, vocab_size, device, idx_to_char, char_to_idx
):
    """Continue ``prefix`` greedily by ``num_chars`` characters (document 004's call)."""
    net = _Model(rnn, params, init_rnn_state, num_hiddens, vocab_size, device)
    return generate(net, prefix, num_chars, _vocab(idx_to_char))


def train_and_predict_rnn(
    rnn, get_params, init_rnn_state, num_hiddens, vocab_size, device, corpus_indices, idx_to_char, char_to_idx,
    is_random_iter, num_epochs, num_steps, lr, clipping_theta, batch_size, pred_period, pred_len, prefixes,
):  # fmt: skip
    """Train from scratch with SGD and print perplexity and samples every ``pred_period`` epochs (document 004's call).

    Returns:
        History (the document returns nothing).
    """
    net = _Model(rnn, get_params(), init_rnn_state, num_hiddens, vocab_size, device)
    vocab = _vocab(idx_to_char)

    def report(epoch, history):
        if epoch % pred_period == 0:
            seconds = history.seconds / epoch
            print(f"epoch {epoch}, perplexity {history.perplexity[-1]:f}, time {seconds:.2f} sec")
            for prefix in prefixes:
                print(" -", generate(net, prefix, pred_len, vocab))

    return train(
        net, corpus_indices, torch.optim.SGD(net.params, lr), num_epochs=num_epochs, batch_size=batch_size,
        num_steps=num_steps, random_iter=is_random_iter, clip=clipping_theta, on_epoch=report,
    )  # fmt: skip


def _vocab(idx_to_char):
    """A Vocab with the document's own order."""
    return Vocab((), reserved=idx_to_char)

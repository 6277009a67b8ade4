"""Writing text with a trained model."""

from contextlib import contextmanager

import numpy as np
import torch

from ..decoding import next_token

__all__ = ["evaluating", "generate"]


@contextmanager
def evaluating(net):
    """Switch dropout and the like off for a while; the mode comes back whatever happens."""
    was_training = getattr(net, "training", False)
    if was_training:
        net.eval()
    try:
        yield
    finally:
        if was_training:
            net.train()


@torch.no_grad()
def generate(net, prefix, num_tokens, vocab, *, temperature=0.0, top_k=None, top_p=None, seed=None, sep=""):
    """Continue ``prefix`` by ``num_tokens`` tokens.

    Args:
        net: a model ``net(X, state) -> (logits, state)`` with X (1, T) integers, logits whose last row belongs to
            the last step, and ``state=None`` at the start; it must have ``parameters()``.
        prefix: string or list of tokens, not empty, all in ``vocab``.
        num_tokens: how many to add.
        vocab: Vocab.
        temperature: 0 is greedy.
        top_k, top_p: see :func:`~d2lutils.decoding.next_token_probs`.
        seed: int, NumPy Generator or None.
        sep: put between tokens ("" for characters, " " for words).

    Returns:
        str, the prefix and what follows.

    Raises:
        ValueError: the prefix is empty or holds a token that the vocabulary lacks; a setting is out of its range.
    """
    if len(prefix) == 0:
        raise ValueError("the prefix is empty; give at least one token for the model to start from")
    if num_tokens < 0:
        raise ValueError(f"num_tokens must be at least 0, got {num_tokens}")
    indices = vocab.encode(prefix).tolist()
    rng = np.random.default_rng(seed)
    device = next(iter(net.parameters())).device
    with evaluating(net):
        X, state = torch.tensor([indices], device=device), None
        for _ in range(num_tokens):
            logits, state = net(X, state)
            last = logits.reshape(-1, logits.shape[-1])[-1].double().cpu().numpy()
            indices.append(next_token(last, rng, temperature, top_k, top_p))
            X = torch.tensor([indices[-1:]], device=device)
    return vocab.text(indices, sep)

"""Choosing the next token from a model's logits: greedy, temperature, top-k, top-p."""

import numpy as np

from .errors import check_positive

__all__ = ["next_token", "next_token_probs"]


def next_token_probs(logits, temperature=1.0, top_k=None, top_p=None):
    """The distribution that sampling draws from.

    Temperature first (Ackley et al. 1985: softmax(logits / temperature)), then the ``top_k`` most probable tokens
    (Fan et al. 2018), then the smallest set of the most probable ones whose mass reaches ``top_p`` (nucleus
    sampling, Holtzman et al. 2020). Tokens outside get probability 0 and the rest is normalised again.

    Args:
        logits: (V,) floats.
        temperature: > 0.
        top_k: integer ≥ 1 or None.
        top_p: in (0, 1] or None.

    Returns:
        (V,) float64, sums to 1.

    Raises:
        ValueError: logits of another shape, NaN or +inf among them, or a setting out of its range.
    """
    logits = np.asarray(logits, dtype=np.float64)
    if logits.ndim != 1 or logits.size == 0:
        raise ValueError(f"logits must have shape (V,), got {logits.shape}; pass the last time step only")
    if np.isnan(logits).any() or np.isposinf(logits).any() or np.isneginf(logits).all():
        raise ValueError("logits hold NaN or inf; the model has diverged, take an earlier checkpoint")
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}; use temperature=0 in next_token for greedy")
    probs = np.exp((logits - logits.max()) / temperature)
    order = np.argsort(-logits, kind="stable")
    keep = len(order)
    if top_k is not None:
        check_positive(top_k=top_k)
        keep = min(top_k, keep)
    if top_p is not None:
        if not 0 < top_p <= 1:
            raise ValueError(f"top_p must lie in (0, 1], got {top_p}")
        mass = np.cumsum(probs[order[:keep]])
        keep = min(keep, int(np.searchsorted(mass, top_p * mass[-1] * (1 - 1e-12))) + 1)
    probs[order[keep:]] = 0.0
    return probs / probs.sum()


def next_token(logits, rng=None, temperature=0.0, top_k=None, top_p=None):
    """The index of the next token.

    Args:
        logits: (V,) floats.
        rng: NumPy Generator, int seed or None; unused when greedy.
        temperature: 0 is greedy (the first of the largest logits); see :func:`next_token_probs` for the rest.

    Raises:
        ValueError: as :func:`next_token_probs`; ``top_k`` or ``top_p`` together with greedy.
    """
    if temperature == 0:
        if top_k not in (None, 1) or top_p is not None:
            raise ValueError(f"top_k={top_k} and top_p={top_p} need temperature > 0; temperature=0 is greedy")
        return int(np.argmax(next_token_probs(logits)))
    probs = next_token_probs(logits, temperature, top_k, top_p)
    return int(np.random.default_rng(rng).choice(len(probs), p=probs))

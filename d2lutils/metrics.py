"""Perplexity, defined in one place."""

import math

__all__ = ["perplexity"]


def perplexity(total_nll, num_tokens=1):
    """exp(total negative log-likelihood / number of predicted tokens).

    Args:
        total_nll: sum of the cross-entropies in nats over all predicted tokens (or their mean, with
            ``num_tokens=1``).
        num_tokens: how many tokens were predicted.

    Returns:
        float of at least 1; for a uniform model the size of the vocabulary; inf where exp overflows.

    Raises:
        ValueError: if ``num_tokens`` is below 1 or ``total_nll`` is negative or NaN.
    """
    if num_tokens < 1:
        raise ValueError(f"num_tokens must be at least 1, got {num_tokens}: nothing was predicted")
    mean = float(total_nll) / num_tokens
    if math.isnan(mean) or mean < 0:
        raise ValueError(f"total_nll must be a number of at least 0, got {float(total_nll)}")
    try:
        return math.exp(mean)
    except OverflowError:
        return math.inf

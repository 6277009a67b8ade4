"""What every word2vec needs before the first gradient: subsampling, noise, windows; and a look at the neighbours."""

import difflib

import numpy as np

from .errors import check_positive
from .sampling import as_indices

__all__ = ["co_occurrences", "keep_probs", "nearest", "noise_probs", "skip_gram_pairs", "window_sizes"]


def keep_probs(counts, threshold=1e-4):
    """Probability of keeping each word: min(1, (sqrt(f/t) + 1) · t/f), f its share of the text, as word2vec.c has it.

    (The paper, Mikolov et al. 2013b, prints sqrt(t/f); the program is a little more generous.)

    Args:
        counts: (V,) occurrences. threshold: t > 0; larger keeps more.

    Returns:
        (V,) float64; 1 for words that never occur.
    """
    counts = _counts(counts)
    if not threshold > 0:
        raise ValueError(f"threshold must be above 0, got {threshold}; word2vec uses 1e-3 to 1e-5")
    share = counts / counts.sum() / threshold
    return np.minimum(1.0, (np.sqrt(share) + 1) / np.maximum(share, 1e-300))


def noise_probs(counts, power=0.75):
    """The noise distribution of negative sampling: counts^power, normalised (Mikolov et al. 2013b: 3/4); (V,) float64.

    Raises:
        ValueError: a count is negative or all are zero, so that nothing could be drawn.
    """
    counts = _counts(counts)
    if not np.isfinite(power):
        raise ValueError(f"power must be a finite number, got {power}; word2vec uses 0.75")
    exponents = power * np.log(np.where(counts > 0, counts, 1.0))
    exponents = np.where(counts > 0, exponents, -np.inf)
    weights = np.exp(exponents - exponents.max())  # the largest is 1, so nothing overflows
    return weights / weights.sum()


def window_sizes(num_words, window, rng=None):
    """word2vec's dynamic window: for each centre a size drawn from 1 … window, so near words count more; (N,) int64."""
    check_positive(window=window)
    return np.random.default_rng(rng).integers(1, int(window) + 1, num_words)


def skip_gram_pairs(indices, window):
    """All (centre, context) pairs of one sentence with a fixed window, in the order of the text.

    Args:
        indices: (N,) integers or a Corpus. window: words to each side, at least 1.

    Returns:
        (P, 2) int64.

    Raises:
        ValueError: fewer than two words (there is no context), or window < 1.
    """
    check_positive(window=window)
    if len(indices) < 2:
        raise ValueError(f"a text of {len(indices)} words has no context; give at least two words")
    words, window = np.asarray(as_indices(indices), dtype=np.int64), int(window)
    places = [
        (t, other)
        for t in range(len(words))
        for other in range(max(0, t - window), min(len(words), t + window + 1))
        if other != t
    ]
    return words[np.array(places)]


def co_occurrences(sentences, vocab_size, window):
    """How often each word stands within ``window`` words of each other word: (V, V) int64, row centre, column context.

    Args:
        sentences: iterable of integer arrays.
    """
    check_positive(window=window, vocab_size=vocab_size)
    window, vocab_size = int(window), int(vocab_size)
    table = np.zeros(vocab_size * vocab_size, dtype=np.int64)
    for sentence in sentences:
        if np.ndim(sentence) != 1:
            raise TypeError(f"sentences must be arrays of word indices, got {sentence!r}; wrap a single text in [ ]")
        words = np.asarray(as_indices(sentence) if len(sentence) else [], dtype=np.int64)
        if len(words) and not 0 <= words.min() <= words.max() < vocab_size:
            raise ValueError(f"words must lie in 0 … {vocab_size - 1}, got {words.min()} to {words.max()}")
        for shift in range(1, min(window, len(words) - 1) + 1):
            for centre, context in ((words[:-shift], words[shift:]), (words[shift:], words[:-shift])):
                np.add.at(table, centre * vocab_size + context, 1)
    return table.reshape(vocab_size, vocab_size)


def nearest(vectors, vocab, word, k=10):
    """The k words (or all others, if fewer) whose vectors point most nearly the same way: list of (word, cosine).

    Args:
        vectors: (V, d) floats. vocab: Vocab.

    Raises:
        ValueError: the word is not in the vocabulary (the closest spellings are offered), or the shapes do not fit.
    """
    check_positive(k=k)
    vectors = np.asarray(vectors, dtype=np.float64)
    if vectors.ndim != 2 or len(vectors) != len(vocab):
        raise ValueError(f"vectors must have shape ({len(vocab)}, d), one row a word, got {vectors.shape}")
    if word not in vocab:
        close = difflib.get_close_matches(str(word).lower()[:50], map(str, vocab.idx_to_token), n=3, cutoff=0.5)
        hint = f"; did you mean {', '.join(close)}?" if close else "; choose a word of vocab.idx_to_token"
        raise ValueError(f"{word!r} is not among the {len(vocab)} words of the vocabulary{hint}")
    own = vocab[word]
    if not np.isfinite(vectors).all() or not vectors[own].any():
        raise ValueError(
            f"the vectors hold NaN or inf, or {word!r} is all zero: train first, with a lower learning rate"
        )
    sizes = np.abs(vectors).max(axis=1, keepdims=True)
    vectors = vectors / np.where(sizes > 0, sizes, 1)  # tiny and huge rows first to about 1
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = vectors / np.where(norms > 0, norms, 1)
    cosines = units @ units[own]
    best = [i for i in np.argsort(-cosines, kind="stable") if i != own]
    return [(vocab.idx_to_token[i], float(cosines[i])) for i in best[:k]]


def _counts(counts):
    counts = np.asarray(counts, dtype=np.float64)
    if counts.ndim != 1 or not np.isfinite(counts).all() or (counts < 0).any() or not counts.sum() > 0:
        raise ValueError(
            f"counts must be one number of at least 0 for each word, and not all 0, got {counts!r}; "
            "vocab.counts of a text has them"
        )
    return counts

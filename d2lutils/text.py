"""Text as numbers: a vocabulary, and a corpus that carries its vocabulary with it."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

__all__ = ["Corpus", "Vocab"]


class Vocab:
    """A one-to-one map between tokens and the indices 0 … len(vocab)-1, in a defined order.

    Args:
        tokens: iterable of hashable tokens; a string counts as a sequence of characters.
        order: "token" (sorted by code point, as in document 003) or "frequency" (most frequent first, equal
            counts sorted by token).
        min_freq: a token seen fewer times is left out.
        unk: name of the unknown token, e.g. ``"<unk>"``; it takes every token that the vocabulary lacks. Without
            it such a token is an error.
        reserved: tokens that take the first indices, in this order (``unk`` precedes them).

    Attributes:
        idx_to_token: list of str.
        token_to_idx: dict.
        counts: (len(vocab),) int64, occurrences in ``tokens``.
    """

    def __init__(self, tokens, *, order="token", min_freq=1, unk=None, reserved=()):
        if order not in ("token", "frequency"):
            raise ValueError(f'order must be "token" or "frequency", got {order!r}')
        counter = Counter(tokens)
        first = [*([unk] if unk is not None else []), *reserved]
        if len(set(first)) < len(first):
            raise ValueError(f"reserved tokens must differ from each other and from unk, got {first}")
        kept = [token for token, count in counter.items() if count >= min_freq and token not in first]
        kept.sort(key=None if order == "token" else lambda token: (-counter[token], token))
        self.unk = unk
        self.idx_to_token = first + kept
        self.token_to_idx = {token: i for i, token in enumerate(self.idx_to_token)}
        self.counts = np.array([counter[token] for token in self.idx_to_token], dtype=np.int64)
        if unk is not None:
            self.counts[0] = counter.total() - self.counts[1:].sum()

    def __len__(self):
        return len(self.idx_to_token)

    def __contains__(self, token):
        return token in self.token_to_idx

    def __eq__(self, other):
        return isinstance(other, Vocab) and (self.idx_to_token, self.unk) == (other.idx_to_token, other.unk)

    def __hash__(self):
        return hash((tuple(self.idx_to_token), self.unk))

    def __repr__(self):
        head = " ".join(map(repr, self.idx_to_token[:5]))
        return f"Vocab({len(self)} tokens: {head}{' …' if len(self) > 5 else ''})"

    def __getitem__(self, token):
        """The index of one token. Raises KeyError where it is unknown and there is no ``unk``."""
        try:
            return self.token_to_idx[token]
        except KeyError:
            if self.unk is not None:
                return 0
            raise KeyError(self._complaint(token)) from None

    def encode(self, tokens):
        """Indices of a string or a sequence of tokens: (N,) int64.

        Raises:
            ValueError: naming the first unknown token and its place, if the vocabulary has no ``unk``.
        """
        lookup = self.token_to_idx
        if self.unk is not None:
            return np.array([lookup.get(token, 0) for token in tokens], dtype=np.int64)
        try:
            return np.array([lookup[token] for token in tokens], dtype=np.int64)
        except KeyError:
            place, token = next((i, token) for i, token in enumerate(tokens) if token not in lookup)
            raise ValueError(f"{self._complaint(token)} (position {place} of {_shorten(tokens)})") from None

    def decode(self, indices):
        """The list of tokens at these indices (any 1-D array or list of integers)."""
        return [self.idx_to_token[i] for i in _index_list(indices, len(self))]

    def text(self, indices, sep=""):
        """The tokens at these indices, joined to one string."""
        return sep.join(self.decode(indices))

    def _complaint(self, token):
        code = f" (U+{ord(token):04X})" if isinstance(token, str) and len(token) == 1 else ""
        return (
            f"{token!r}{code} is not among the {len(self)} tokens of the vocabulary; use tokens that occur in the "
            "corpus, or build the vocabulary with unk='<unk>'"
        )


@dataclass(frozen=True)
class Corpus:
    """A text as indices, together with the vocabulary that gives them meaning.

    Attributes:
        indices: (N,) int64.
        vocab: the Vocab.
        name: where the text comes from, e.g. ``"jaychou-2018"``.
    """

    indices: np.ndarray
    vocab: Vocab
    name: str = ""

    @classmethod
    def from_text(cls, tokens, name="", vocab=None):
        """Build from a string (characters) or a list of tokens; ``vocab`` defaults to the text's own."""
        if len(tokens) == 0:
            raise ValueError(f"the corpus {name!r} is empty; give at least one token")
        vocab = Vocab(tokens) if vocab is None else vocab
        return cls(vocab.encode(tokens), vocab, name)

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, part):
        """``corpus[:10_000]``: a shorter corpus with the same vocabulary (a view, no copy)."""
        if not isinstance(part, slice):
            raise TypeError(
                f"a corpus takes a slice, e.g. corpus[:1000], got {part!r}; single indices: corpus.indices[i]"
            )
        return replace(self, indices=self.indices[part])

    def text(self, sep=""):
        """The corpus as a string again."""
        return self.vocab.text(self.indices, sep)

    def split(self, fraction):
        """Two corpora, the first ``fraction`` of the tokens and the rest, e.g. ``train, valid = corpus.split(0.9)``."""
        if not 0 < fraction < 1:
            raise ValueError(f"fraction must lie between 0 and 1, got {fraction}")
        cut = round(len(self) * fraction)
        return self[:cut], self[cut:]


def _index_list(indices, size):
    values = np.asarray(indices)
    if values.size and not np.issubdtype(values.dtype, np.integer):
        raise TypeError(f"indices must be integers, got dtype {values.dtype}; convert with .astype(int) or .long()")
    if values.size and (values.min() < 0 or values.max() >= size):
        raise ValueError(f"indices must lie in 0 … {size - 1}, got values from {values.min()} to {values.max()}")
    return values.ravel().tolist()


def _shorten(tokens, limit=20):
    if len(tokens) <= limit:
        return repr(tokens)
    return repr(tokens[:limit] + "…" if isinstance(tokens, str) else [*tokens[:limit], "…"])

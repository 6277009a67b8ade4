"""From raw poems to a corpus: simplified characters, one punctuation, no gaps, no poem twice; and the forms."""

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np

from ..errors import check_positive
from ..text import Vocab

__all__ = ["FORMS", "PoemCorpus", "clean", "form_of", "poem_corpus", "poem_lines", "simplify"]

FORMS = {"五绝": (4, 5), "七绝": (4, 7), "五律": (8, 5), "七律": (8, 7)}  # name: (lines, characters a line)
PAD, BOS, EOS, UNK = "<pad>", "<bos>", "<eos>", "<unk>"
MARKS = "，。？！；：、"

_HAN = r"\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff"
_CLEAN = re.compile(f"(?:[{_HAN}]+[{MARKS}])+")
_ASCII_MARKS = str.maketrans(",.?!;:", "，。？！；：")


def simplify(texts):
    """Traditional to simplified characters, by OpenCC's table ``t2s``. texts: list of str (or one str) → list of str.

    Raises:
        ModuleNotFoundError: the package opencc is missing (``pip install opencc``).
    """
    try:
        from opencc import OpenCC
    except ImportError:
        raise ModuleNotFoundError("traditional characters need the package opencc; run `pip install opencc`") from None
    convert = OpenCC("t2s").convert
    return [convert(text) for text in _texts(texts)]


def _texts(texts):
    """The texts as a list, refusing what looks like one but is not."""
    texts = [texts] if isinstance(texts, str) else list(texts)
    wrong = [type(text).__name__ for text in texts if not isinstance(text, str)]
    if wrong:
        raise TypeError(f"poems must be strings, got {wrong[0]}; of a Poem take poem.text")
    return texts


def clean(text):
    """A poem's text with Chinese punctuation and nothing else, or the reason (a word) why it is left out.

    Returns:
        (text, None) or (None, reason), the reason being "empty" or "broken" (gaps, notes, brackets, digits,
        Latin letters, or a last line without punctuation). "length" is judged by :func:`poem_corpus`.
    """
    text = re.sub(rf"(?<![{_HAN}])\s+|\s+(?![{_HAN}])", "", text.translate(_ASCII_MARKS).strip())  # not inside a line
    if not text:
        return None, "empty"
    return (text, None) if _CLEAN.fullmatch(text) else (None, "broken")


def poem_lines(text):
    """The lines between punctuation marks: "床前明月光，疑是地上霜。" → ["床前明月光", "疑是地上霜"]."""
    return [line for line in re.split(f"[{MARKS}]", text) if line]


def form_of(text):
    """Which of FORMS a text keeps (number and length of lines, every couplet ended by a stop), or None.

    Expects a text as :func:`clean` returns it. A count of lines only; rhymes and tones are measured in
    :mod:`d2lutils.poetry.prosody`.
    """
    lines, marks = poem_lines(text), re.findall(f"[{MARKS}]", text)
    if not _CLEAN.fullmatch(text) or any(mark in "，、：" for mark in marks[1::2]):
        return None
    shape = (len(lines), len(lines[0])) if lines and len({len(line) for line in lines}) == 1 else None
    return next((name for name, form in FORMS.items() if form == shape), None)


@dataclass(frozen=True)
class PoemCorpus:
    """Poems as text and as indices.

    Attributes:
        train, valid, test: lists of str.
        vocab: Vocab with ``<unk>``, ``<pad>``, ``<bos>``, ``<eos>`` first, then by frequency; from the training poems.
        left_out: Counter from reason to number of poems.
    """

    train: list
    valid: list
    test: list
    vocab: Vocab
    left_out: Counter

    def encode(self, texts):
        """Each text of a list as int64 indices: ``<bos>``, its characters, ``<eos>``."""
        bos, eos = self.vocab[BOS], self.vocab[EOS]
        return [np.concatenate(([bos], self.vocab.encode(text), [eos])) for text in _texts(texts)]


def poem_corpus(texts, *, min_chars=5, max_chars=80, min_freq=3, held_out=0.05, seed=0):
    """Clean, deduplicate and split poems.

    Args:
        texts: iterable of str in simplified characters.
        min_chars, max_chars: allowed length, punctuation counted (the exercise's 5 and 80).
        min_freq: characters seen fewer times in the training poems become ``<unk>``.
        held_out: fraction of validation poems, and again of test poems.
        seed: of the split.

    Returns:
        The corpus. No two poems are equal, so none is on two sides of the split. (Variants may be, since of the real
        test poems 6.7 % share half of their lines or more with training poems, as poets quote and editions differ.)

    Raises:
        ValueError: fewer than 20 poems are left, or a setting is out of its range.
    """
    check_positive(min_chars=min_chars, max_chars=max_chars, min_freq=min_freq)
    if not 0 < held_out < 0.5:
        raise ValueError(f"held_out must lie between 0 and 0.5, got {held_out}")
    left_out, kept = Counter(), {}
    for raw in _texts(texts):
        text, reason = clean(raw)
        if reason is None:
            reason = "length" if not min_chars <= len(text) <= max_chars else "double" if text in kept else None
        if reason:
            left_out[reason] += 1
        else:
            kept[text] = None
    if len(kept) < 20:
        raise ValueError(
            f"only {len(kept)} poems are left of {len(kept) + left_out.total()} (left out: {dict(left_out)}), at least "
            "20 are needed; give more poems or widen min_chars and max_chars"
        )
    poems = list(kept)
    poems = [poems[i] for i in np.random.default_rng(seed).permutation(len(poems))]
    count = max(1, round(len(poems) * held_out))
    test, valid, train = poems[:count], poems[count : 2 * count], poems[2 * count :]
    if not train:
        raise ValueError(f"held_out={held_out} leaves no poem of {len(poems)} for training; take less, e.g. 0.05")
    characters = (character for text in train for character in text)
    vocab = Vocab(characters, order="frequency", min_freq=min_freq, unk=UNK, reserved=(PAD, BOS, EOS))
    return PoemCorpus(train, valid, test, vocab, left_out)

"""From a verified file to a corpus. Every loader takes the name of a data set; names with ``sample-`` are the
texts written for this book, small and offline, used only when asked for."""

import io
import json
import re
import sys
import zipfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath

from ..errors import DataError, check_positive
from ..text import Corpus, Vocab
from .fetching import fetch

__all__ = [
    "Poem",
    "load_data_jay_lyrics",
    "load_lyrics",
    "load_names",
    "load_ptb",
    "load_quan_tangshi",
    "load_sentences",
    "load_tangshi",
    "load_time_machine",
]


@dataclass(frozen=True)
class Poem:
    """A poem. text: its lines without line breaks, punctuation kept; title and author may be empty."""

    text: str
    title: str = ""
    author: str = ""


def load_lyrics(name="jaychou-2018", num_chars=None):
    """Song lyrics as a corpus of characters; line breaks become spaces, as in documents 002 and 004.

    Args:
        name: ``"jaychou-2018"`` (004), ``"jaychou-2017"`` (002) or ``"sample-lyrics"``.
        num_chars: only this many characters from the start (document 004: 10,000; 002: 20,000), None for all.
    """
    text = _read(name).replace("\n", " ").replace("\r", " ")
    return Corpus.from_text(_head(text, num_chars), name)


def load_data_jay_lyrics(num_chars=10_000, name="jaychou-2018"):
    """The call of documents 002 and 004: ``corpus_indices, char_to_idx, idx_to_char, vocab_size``.

    The vocabulary is sorted by code point, so every run gives the same indices.
    """
    corpus = load_lyrics(name, num_chars)
    return corpus.indices.tolist(), corpus.vocab.token_to_idx, corpus.vocab.idx_to_token, len(corpus.vocab)


def load_time_machine(name="time-machine", num_chars=None):
    """The Time Machine, reduced to a–z and single spaces as in document 000 (173,428 characters).

    Args:
        name: ``"time-machine"`` or ``"sample-prose"``.
        num_chars: only so many characters, None for all.
    """
    return letters(_read(name), name, num_chars)


def letters(text, name="", num_chars=None):
    """Any text as a corpus of a–z and single spaces, the vocabulary of document 000."""
    text = re.sub("[^a-z]+", " ", text.lower())
    return Corpus.from_text(_head(text, num_chars), name, Vocab(" abcdefghijklmnopqrstuvwxyz"))


def load_names(name="names"):
    """Given names for document 003: ``{"train": Corpus, "val": Corpus, "test": Corpus}`` with one vocabulary.

    The vocabulary is a newline (index 0, the end of a name) and a–z. ``"sample-names"`` is split 80 / 10 / 10.
    """
    vocab = Vocab("\nabcdefghijklmnopqrstuvwxyz")
    texts = [path.read_text(encoding="utf-8") for path in fetch(name)]
    if len(texts) == 1:
        lines = texts[0].splitlines(keepends=True)
        cuts = [0, len(lines) * 8 // 10, len(lines) * 9 // 10, len(lines)]
        texts = ["".join(lines[a:b]) for a, b in pairwise(cuts)]
    return {
        split: Corpus.from_text(text, f"{name}-{split}", vocab)
        for split, text in zip(("train", "val", "test"), texts, strict=True)
    }


def load_ptb(split="train", name="ptb"):
    """Penn Treebank: a list of sentences, each a list of words (rare words are ``<unk>`` already).

    Each different word exists once in memory, however often it occurs.
    """
    if split not in ("train", "valid", "test"):
        raise ValueError(f'split must be "train", "valid" or "test", got {split!r}')
    return _sentences(_read(name, f"ptb.{split}.txt"))


def load_sentences(name="sample-sentences"):
    """Sentences, one a line: a list of lists of words. Stands in for :func:`load_ptb` offline."""
    return _sentences(_read(name))


def load_tangshi(name="tangshi"):
    """Poems in simplified characters, separated by blank lines: a list of :class:`Poem`.

    Args:
        name: ``"tangshi"`` (nndl exercise) or ``"sample-poems"``.
    """
    blocks = re.split(r"\n\s*\n", _read(name).replace("\r", ""))
    return [Poem("".join(block.split())) for block in blocks if block.strip()]


def load_quan_tangshi(name="quan-tangshi", progress=True):
    """Quan Tangshi, 57,607 poems in traditional characters: a list of :class:`Poem`."""
    return [
        Poem("".join(entry["paragraphs"]), entry["title"], entry["author"])
        for path in fetch(name, progress)
        for entry in json.loads(path.read_text(encoding="utf-8"))
    ]


def _sentences(text):
    return [[sys.intern(word) for word in line.split()] for line in text.splitlines() if line.strip()]


def _head(text, num_chars):
    if num_chars is None:
        return text
    check_positive(num_chars=num_chars)
    return text[:num_chars]


def _read(name, member=None):
    """Text of a data set's only file; for a zip, of its only text file or the one called ``member``."""
    (path,) = fetch(name)
    data = path.read_bytes()
    if path.suffix == ".zip":
        data = _unzip(data, path, member)
    return data.decode("utf-8")


def _unzip(data, path, member):
    """One file of a zip, read in memory; nothing is extracted to the disk."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = [info.filename for info in archive.infolist() if not info.is_dir()]
            unsafe = [n for n in names if n.startswith(("/", "\\")) or ".." in PurePosixPath(n).parts or ":" in n]
            if unsafe:
                raise DataError(
                    f"{path} holds {unsafe[0]!r}, a path that leads out of the archive; do not use this file"
                )
            chosen = [n for n in names if member in (None, PurePosixPath(n).name)]
            if len(chosen) != 1:
                raise DataError(f"{path} should hold exactly one {member or 'file'}, it holds {names}")
            return archive.read(chosen[0])
    except zipfile.BadZipFile as error:
        raise DataError(f"{path} is not a readable zip ({error}); delete it and fetch it again") from error

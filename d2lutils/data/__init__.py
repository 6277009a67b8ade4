"""Data: what exists (manifest), how it gets here (fetch), how it is read (loaders)."""

from .fetching import fetch, roots, verify
from .loaders import (
    Poem,
    load_data_jay_lyrics,
    load_lyrics,
    load_names,
    load_ptb,
    load_quan_tangshi,
    load_sentences,
    load_tangshi,
    load_time_machine,
)
from .manifest import Dataset, datasets, published

__all__ = [
    "Dataset",
    "Poem",
    "datasets",
    "fetch",
    "load_data_jay_lyrics",
    "load_lyrics",
    "load_names",
    "load_ptb",
    "load_quan_tangshi",
    "load_sentences",
    "load_tangshi",
    "load_time_machine",
    "published",
    "roots",
    "verify",
]

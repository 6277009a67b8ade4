"""The shared module of a Chinese course book on recurrent language models.

The core needs NumPy only. Chapters use it through a face that adds one framework under d2l's names:
``from d2lutils import torch as d2l`` or ``from d2lutils import mxnet as d2l``.
"""

__version__ = "0.1.0"

from .bar import progress_bar
from .checkpoint import load_tensors, save_tensors
from .data import (
    Poem,
    load_data_jay_lyrics,
    load_lyrics,
    load_names,
    load_ptb,
    load_quan_tangshi,
    load_sentences,
    load_tangshi,
    load_time_machine,
    published,
)
from .decoding import next_token, next_token_probs
from .draw import Diagram
from .environment import environment
from .errors import DataError, DeviceError, TrainingDiverged
from .exercises import progress
from .history import History
from .metrics import perplexity
from .plot import plot_learning_curve, use_svg_display
from .record import compare
from .rng import RNG
from .sampling import data_iter_consecutive, data_iter_random, ngram_windows, sliding_windows
from .text import Corpus, Vocab
from .timing import StepTimer, time_in_turn

__all__ = [
    "RNG",
    "Corpus",
    "DataError",
    "DeviceError",
    "Diagram",
    "History",
    "Poem",
    "StepTimer",
    "TrainingDiverged",
    "Vocab",
    "compare",
    "data_iter_consecutive",
    "data_iter_random",
    "environment",
    "load_data_jay_lyrics",
    "load_lyrics",
    "load_names",
    "load_ptb",
    "load_quan_tangshi",
    "load_sentences",
    "load_tangshi",
    "load_tensors",
    "load_time_machine",
    "next_token",
    "next_token_probs",
    "ngram_windows",
    "perplexity",
    "plot_learning_curve",
    "progress",
    "progress_bar",
    "published",
    "save_tensors",
    "sliding_windows",
    "time_in_turn",
    "use_svg_display",
]

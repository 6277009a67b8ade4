"""Batches and windows of 1,000,000 characters against the documents' list-and-loop way."""

import random
import tracemalloc

import pytest
import torch

from d2lutils import sliding_windows
from d2lutils import torch as d2l

N, BATCH_SIZE, NUM_STEPS = 1_000_000, 32, 35


@pytest.fixture(scope="module")
def text():
    random.seed(0)
    return [random.randrange(1000) for _ in range(N)]


def random_with_lists(corpus, batch_size, num_steps):
    """Shuffle the starts, cut a slice of the list for each sequence, make a tensor of each mini-batch."""
    num_examples = (len(corpus) - 1) // num_steps
    starts = list(range(num_examples))
    random.shuffle(starts)
    for i in range(num_examples // batch_size):
        chosen = [j * num_steps for j in starts[i * batch_size : (i + 1) * batch_size]]
        X = [corpus[j : j + num_steps] for j in chosen]
        Y = [corpus[j + 1 : j + 1 + num_steps] for j in chosen]
        yield torch.tensor(X), torch.tensor(Y)


def consecutive_with_lists(corpus, batch_size, num_steps):
    """Make a tensor of the whole list in every epoch, then slice."""
    indices = torch.tensor(corpus)
    row_len = len(corpus) // batch_size
    rows = indices[: batch_size * row_len].view(batch_size, row_len)
    for i in range((row_len - 1) // num_steps):
        start = i * num_steps
        yield rows[:, start : start + num_steps], rows[:, start + 1 : start + num_steps + 1]


def windows_with_lists(corpus, num_steps):
    """Every window as a list of its own."""
    pieces = range(len(corpus) - num_steps)
    return [corpus[i : i + num_steps] for i in pieces], [corpus[i + 1 : i + num_steps + 1] for i in pieces]


def drain(iterator):
    for _ in iterator:
        pass


def test_random_batches(measure, text):
    indices = torch.tensor(text)
    gain = measure(
        "one epoch of random batches",
        {
            "lists": lambda: drain(random_with_lists(text, BATCH_SIZE, NUM_STEPS)),
            "d2lutils": lambda: drain(d2l.data_iter_random(indices, BATCH_SIZE, NUM_STEPS)),
        },
    )
    assert gain["d2lutils"] >= 10


def test_consecutive_batches(measure, text):
    indices = torch.tensor(text)
    gain = measure(
        "one epoch of consecutive batches",
        {
            "lists": lambda: drain(consecutive_with_lists(text, BATCH_SIZE, NUM_STEPS)),
            "d2lutils": lambda: drain(d2l.data_iter_consecutive(indices, BATCH_SIZE, NUM_STEPS)),
        },
    )
    assert gain["d2lutils"] >= 15


def test_windows(measure, text):
    indices = torch.tensor(text)
    gain = measure(
        "all windows of 32",
        {"lists": lambda: windows_with_lists(text, 32), "d2lutils": lambda: d2l.sliding_windows(indices, 32)},
        rounds=3,
    )
    assert gain["d2lutils"] >= 20


def test_windows_take_no_memory(text):
    indices = torch.tensor(text).numpy()
    tracemalloc.start()
    X, Y = sliding_windows(indices, 32)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"\nwindows of {X.nbytes + Y.nbytes:,} bytes take {peak:,} bytes")
    assert peak < 100_000

"""The samplers hold for any sizes, in NumPy and in torch alike."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import d2lutils
from d2lutils import Corpus
from d2lutils import torch as d2l

FACES = [d2lutils, d2l]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32])
def test_small_integer_types_do_not_limit_the_number_of_pieces(dtype):
    text = torch.arange(3000).remainder(7).to(dtype)  # 1,000 pieces: their numbers do not fit into 8 bits
    seen = [X for X, _ in d2lutils.data_iter_random(text, 10, 2, seed=0)]
    expected = [X for X, _ in d2lutils.data_iter_random(text.long(), 10, 2, seed=0)]
    assert all(torch.equal(a.long(), b) for a, b in zip(seen, expected, strict=True))


sizes = st.tuples(st.integers(1, 300), st.integers(1, 8), st.integers(1, 12))


def batches(iterator):
    return [(np.asarray(X), np.asarray(Y)) for X, Y in iterator]


@pytest.mark.parametrize("face", FACES)
@given(sizes=sizes, seed=st.integers(0, 10))
def test_random_batches_cut_the_text_into_pieces_that_do_not_overlap(face, sizes, seed):
    length, n, num_steps = sizes
    if (length - 1) // num_steps < n:
        with pytest.raises(ValueError, match=f"{length} tokens.*needs {n * num_steps + 1}"):
            list(face.data_iter_random(range(length), n, num_steps, seed=seed))
        return
    seen = batches(face.data_iter_random(range(length), n, num_steps, seed=seed))
    assert len(seen) == (length - 1) // num_steps // n
    starts = [row[0] for X, _ in seen for row in X]
    assert len(set(starts)) == len(starts)
    for X, Y in seen:
        assert X.shape == Y.shape == (n, num_steps)
        np.testing.assert_array_equal(Y, X + 1)
        np.testing.assert_array_equal(X % num_steps, np.arange(num_steps) % num_steps + np.zeros((n, 1)))


@pytest.mark.parametrize("face", FACES)
@given(sizes=sizes)
def test_consecutive_batches_continue_each_other(face, sizes):
    length, n, num_steps = sizes
    if length < n * (num_steps + 1):
        with pytest.raises(ValueError, match=f"needs {n * (num_steps + 1)}"):
            list(face.data_iter_consecutive(range(length), n, num_steps))
        return
    seen = batches(face.data_iter_consecutive(range(length), n, num_steps))
    assert len(seen) == (length // n - 1) // num_steps
    for X, Y in seen:
        assert X.shape == (n, num_steps)
        np.testing.assert_array_equal(Y, X + 1)
    for (before, _), (after, _) in pairwise(seen):
        np.testing.assert_array_equal(after[:, 0], before[:, -1] + 1)


def test_a_seed_gives_the_same_batches_in_both_faces():
    ours = batches(d2lutils.data_iter_random(range(100), 3, 5, seed=7))
    theirs = batches(d2l.data_iter_random(range(100), 3, 5, seed=7))
    np.testing.assert_array_equal(ours, theirs)
    assert not np.array_equal(ours, batches(d2lutils.data_iter_random(range(100), 3, 5, seed=8)))


@given(st.integers(2, 200), st.integers(1, 20), st.integers(1, 5))
def test_sliding_windows_are_all_windows_and_no_copy(length, num_steps, stride):
    indices = np.arange(length)
    if length <= num_steps:
        with pytest.raises(ValueError, match=f"at least {num_steps + 1} tokens"):
            d2lutils.sliding_windows(indices, num_steps)
        return
    X, Y = d2lutils.sliding_windows(indices, num_steps, stride)
    assert X.shape == ((length - num_steps - 1) // stride + 1, num_steps)
    np.testing.assert_array_equal(X, [indices[i : i + num_steps] for i in range(0, length - num_steps, stride)])
    np.testing.assert_array_equal(Y, X + 1)
    assert np.shares_memory(X, indices)
    for ours, theirs in zip((X, Y), d2l.sliding_windows(indices, num_steps, stride), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_time_machine_has_as_many_windows_as_document_000():
    X, _ = d2lutils.sliding_windows(np.zeros(173_428, dtype=np.int64), 32)
    assert len(X) == d2lutils.published("000")["windows"]


def test_torch_windows_share_the_memory_of_the_text():
    text = torch.arange(1000)
    X, Y = d2l.sliding_windows(text, 32)
    assert X.untyped_storage().data_ptr() == Y.untyped_storage().data_ptr() == text.untyped_storage().data_ptr()


def test_ngram_windows_pair_each_context_with_the_next_token():
    for face in FACES:
        X, y = face.ngram_windows([5, 6, 7, 8], 2)
        assert (np.asarray(X).tolist(), np.asarray(y).tolist()) == ([[5, 6], [6, 7]], [7, 8])


def test_a_corpus_goes_in_as_one_object():
    corpus = Corpus.from_text("abcdefghij")
    (X, Y), *_ = d2l.data_iter_consecutive(corpus, 2, 3)
    assert (X.tolist(), Y.dtype) == ([[0, 1, 2], [5, 6, 7]], torch.int64)


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("sampler", ["data_iter_random", "data_iter_consecutive"])
@pytest.mark.parametrize(
    ("indices", "batch_size", "num_steps", "error", "message"),
    [
        (range(30), 0, 5, ValueError, "batch_size must be at least 1, got 0"),
        (range(30), 2, -1, ValueError, "num_steps must be at least 1, got -1"),
        (range(30), 2.0, 5, TypeError, "batch_size must be an integer, got 2.0"),
        (range(30), True, 5, TypeError, "batch_size must be an integer"),
        ([0.5] * 30, 2, 5, TypeError, "integers, got float64"),
        (np.zeros((3, 10), int), 2, 5, ValueError, r"shape \(N,\), got shape \(3, 10\)"),
        ("abcdefghijklmnop", 2, 5, TypeError, "got str"),
    ],
)
def test_bad_input_is_named(face, sampler, indices, batch_size, num_steps, error, message):
    with pytest.raises(error, match=message):
        list(getattr(face, sampler)(indices, batch_size, num_steps))

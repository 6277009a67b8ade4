"""word2vec: the small helpers, and both chapters' own functions."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import notebooks
from d2lutils import Corpus, Vocab, word2vec
from d2lutils import torch as d2l


@pytest.fixture(scope="module")
def training():
    space = {"embed_size": 12, "window": 3, "num_noise": 5, "threshold": 1.0, "start_lr": 0.05, "end_lr": 1e-4}
    exec(notebooks.definitions("word2vec-ptb"), space)
    return space


def slow_pairs(words, window):
    return [(words[t], words[s]) for t in range(len(words)) for s in range(len(words)) if 0 < abs(s - t) <= window]


@given(st.lists(st.integers(0, 5), min_size=2, max_size=12), st.integers(1, 14))
def test_pairs_and_co_occurrences_are_those_of_a_slow_loop(words, window):
    pairs = slow_pairs(words, window)
    assert list(map(tuple, word2vec.skip_gram_pairs(words, window).tolist())) == pairs
    table = np.zeros((6, 6), int)
    for pair in pairs:
        table[pair] += 1
    np.testing.assert_array_equal(word2vec.co_occurrences([words], 6, window), table)


def test_probabilities():
    counts = np.array([900, 90, 9, 1, 0])
    share = counts[:3] / 1000
    np.testing.assert_allclose(
        word2vec.keep_probs(counts, 1e-2)[:3], np.minimum(1, (np.sqrt(share / 1e-2) + 1) * 1e-2 / share)
    )
    assert (word2vec.keep_probs(counts, 1e-2)[3:] == 1).all()
    noise = word2vec.noise_probs(counts)
    np.testing.assert_allclose(noise, counts**0.75 / (counts**0.75).sum())
    np.testing.assert_allclose(word2vec.noise_probs(counts, 0), [0.25] * 4 + [0])
    sizes = word2vec.window_sizes(10_000, 4, 0)
    np.testing.assert_allclose(np.bincount(sizes)[1:] / 10_000, [0.25] * 4, atol=0.02)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: word2vec.noise_probs([0, 0]), "not all 0"),
        (lambda: word2vec.noise_probs([1, -1]), "at least 0"),
        (lambda: word2vec.noise_probs([]), "not all 0"),
        (lambda: word2vec.keep_probs([1, 2], 0), "threshold must be above 0, got 0"),
        (lambda: word2vec.skip_gram_pairs([1, 2], 0), "window must be at least 1, got 0"),
        (lambda: word2vec.skip_gram_pairs([1], 2), "a text of 1 words has no context"),
        (lambda: word2vec.skip_gram_pairs([], 2), "a text of 0 words|integers"),
        (lambda: word2vec.window_sizes(5, 0), "window must be at least 1"),
        (lambda: Corpus.from_text([], "nothing"), "is empty"),
    ],
)
def test_bad_input(call, says):
    with pytest.raises((ValueError, TypeError), match=says):
        call()


def test_nearest_and_the_closest_spellings():
    vocab = Vocab(["north", "south", "east", "west"], order="token")
    vectors = np.array([[0.0, 1], [0, 2], [1, 0], [-1, 0.1]])  # east, north, south, west
    assert [word for word, _ in word2vec.nearest(vectors, vocab, "east", 3)] == ["north", "west", "south"]
    assert word2vec.nearest(vectors, vocab, "east", 1)[0][1] == pytest.approx(1)
    with pytest.raises(ValueError, match=r"'noth' is not among the 4 words.*did you mean north"):
        word2vec.nearest(vectors, vocab, "noth")
    with pytest.raises(ValueError, match="choose a word"):
        word2vec.nearest(vectors, vocab, "qqqqq")
    with pytest.raises(ValueError, match=r"\(4, d\)"):
        word2vec.nearest(vectors[:2], vocab, "east")


def test_the_band_holds_exactly_the_pairs(training):
    """Every cell of the mask is a pair of the slow loop: own window size, own sentence."""
    rng = np.random.default_rng(0)
    words, owners = rng.integers(0, 9, 75), np.sort(rng.integers(0, 4, 75))
    columns, column_owners, sizes = training["segments"](words, owners, np.ones(9), np.random.default_rng(1), 16)
    mask = training["band"](column_owners, sizes, 16)
    flat = sizes.flatten()[:75].tolist()
    found = sorted((columns[g, i + 3].item(), columns[g, c].item()) for g, i, c in mask.nonzero().tolist())
    expected = sorted(
        (words[t], words[s])
        for t in range(75)
        for s in range(75)
        if 0 < abs(s - t) <= flat[t] and owners[s] == owners[t]
    )
    assert found == expected


@pytest.mark.parametrize("kind", ["skip_gram_gradients", "cbow_gradients"])
def test_gradients_of_the_band_are_those_of_autograd(training, kind):
    rng = np.random.default_rng(2)
    words, owners = rng.integers(0, 9, 40), np.repeat([0, 1], 20)
    columns, column_owners, sizes = training["segments"](words, owners, np.ones(9), rng, 16)
    mask = training["band"](column_owners, sizes, 16)
    noise = torch.from_numpy(rng.integers(0, 9, (len(columns), 6)))
    V, U = (torch.randn(9, 4, dtype=torch.float64, requires_grad=True) for _ in range(2))
    loss, count, parts = training[kind](V, U, columns, mask, noise)
    assert count == (mask.sum() if kind.startswith("skip") else mask.any(2).sum())
    ours = {id(V): torch.zeros_like(V), id(U): torch.zeros_like(U)}
    for table, index, gradient in parts:
        ours[id(table)] = ours[id(table)].index_add(0, index.flatten(), gradient.flatten(0, 1))
    for mine, auto in zip(ours.values(), torch.autograd.grad(loss, (V, U)), strict=True):
        torch.testing.assert_close(mine, auto, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("kind", ["skip_gram_gradients", "cbow_gradients"])
def test_training_learns_which_words_share_a_context_and_repeats_itself(training, kind):
    """Words of one theme stand together; after training they are each other's neighbours."""
    rng = np.random.default_rng(0)
    themes = rng.integers(0, 3, 2000)
    words = (themes[:, None] * 4 + rng.integers(0, 4, (2000, 6))).ravel()
    owners, counts = np.repeat(np.arange(2000), 6), np.bincount(words, minlength=12)
    how = {"seed": 5, "L": 8, "group": 1, "progress": False}  # many repeats of few words: small steps
    runs = [training["train_vectors"](training[kind], words, owners, counts, 6, **how) for _ in range(2)]
    np.testing.assert_array_equal(runs[0][0], runs[1][0])
    V, _, log = runs[0]
    assert log[-1][1] < log[0][1]
    vocab = Vocab([f"{i:02}" for i in range(12)])
    for word in range(12):
        near = {int(other) // 4 for other, _ in word2vec.nearest(V, vocab, f"{word:02}", 3)}
        assert near == {word // 4}


@pytest.fixture(scope="module")
def theory():
    space = {"d2l": d2l}
    exec(notebooks.definitions("word2vec"), space)
    return space


def test_the_theory_chapter_derives_what_autograd_finds(theory):
    torch.manual_seed(1)
    V, U = torch.randn(2, 6, 3, dtype=torch.float64)
    pairs = torch.randint(6, (9, 2))
    check = theory["check"]
    for name, extra in (("skip_gram", (pairs,)), ("negative_sampling", (pairs, torch.randint(6, (9, 3))))):
        assert "差别" in check(theory[f"{name}_loss"], theory[f"{name}_gradients"], V, U, *extra)
    samples = list(theory["cbow_samples"](pairs[:, 0].tolist(), 2))
    assert "差别" in check(theory["cbow_loss"], theory["cbow_gradients"], V, U, samples)
    with pytest.raises(AssertionError):  # the check itself can fail
        check(lambda V, U, p: 1.001 * theory["skip_gram_loss"](V, U, p), theory["skip_gram_gradients"], V, U, pairs)


@given(frequency=st.lists(st.floats(0.01, 1), min_size=2, max_size=12))
def test_huffman_paths_are_shortest(theory, frequency):
    paths = theory["huffman"](frequency)
    codes = ["".join("1" if sign > 0 else "0" for _, sign in path) for path in paths]
    assert sum(2.0 ** -len(code) for code in codes) == pytest.approx(1)  # a full tree
    assert not any(a != b and b.startswith(a) for a in codes for b in codes)
    share = np.array(frequency) / np.sum(frequency)
    mean, entropy = share @ [len(code) for code in codes], -(share * np.log2(share)).sum()
    assert entropy - 1e-9 <= mean <= entropy + 1

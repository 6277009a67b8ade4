import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from d2lutils import next_token, next_token_probs

logits = arrays(np.float64, st.integers(1, 30), elements=st.floats(-20, 20))


@given(logits, st.floats(0.1, 5), st.integers(1, 10), st.floats(0.05, 1))
def test_probabilities_sum_to_one_and_keep_the_order(x, temperature, top_k, top_p):
    probs = next_token_probs(x, temperature, top_k, top_p)
    assert probs.sum() == pytest.approx(1)
    assert 1 <= (probs > 0).sum() <= min(top_k, len(x))
    assert probs[np.argmax(x)] == probs.max() > 0


@given(logits)
def test_temperature_one_is_softmax(x):
    np.testing.assert_allclose(next_token_probs(x), np.exp(x) / np.exp(x).sum(), rtol=1e-9)


def test_top_p_keeps_the_smallest_set_that_reaches_the_mass():
    x = np.log([0.5, 0.3, 0.15, 0.05])
    np.testing.assert_allclose(next_token_probs(x, top_p=0.8), [0.625, 0.375, 0, 0], rtol=1e-9)
    np.testing.assert_allclose(next_token_probs(x, top_p=0.81), np.array([50, 30, 15, 0]) / 95, rtol=1e-9)
    assert (next_token_probs(x, top_p=1.0) > 0).all()


def test_top_p_counts_the_mass_that_top_k_left():
    x = np.log([0.4, 0.3, 0.2, 0.1])
    np.testing.assert_allclose(next_token_probs(x, top_k=2, top_p=0.9), [4 / 7, 3 / 7, 0, 0], rtol=1e-9)


def test_sampling_follows_the_distribution_and_the_seed():
    x = np.log([0.7, 0.2, 0.1])
    rng = np.random.default_rng(0)
    draws = [next_token(x, rng, temperature=1.0) for _ in range(4000)]
    np.testing.assert_allclose(np.bincount(draws) / 4000, [0.7, 0.2, 0.1], atol=0.03)
    assert [next_token(x, i, 1.0) for i in range(20)] == [next_token(x, i, 1.0) for i in range(20)]


def test_greedy_takes_the_first_of_the_largest():
    assert next_token([0.0, 2.0, 2.0]) == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: next_token_probs([1.0], temperature=0), "temperature must be above 0"),
        (lambda: next_token_probs([1.0], top_p=0), r"top_p must lie in \(0, 1\]"),
        (lambda: next_token_probs([1.0], top_k=0), "top_k must be at least 1"),
        (lambda: next_token_probs([[1.0]]), r"shape \(V,\)"),
        (lambda: next_token_probs([np.nan, 1.0]), "NaN"),
        (lambda: next_token([1.0, 2.0], top_k=5), "need temperature > 0"),
    ],
)
def test_bad_settings_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()

"""Perplexity, the documents' generator, timers, the history and the record."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d2lutils import RNG, History, StepTimer, compare, environment, perplexity, published, time_in_turn
from d2lutils.record import MIME, Comparison


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_a_uniform_model_has_the_perplexity_of_the_vocabulary(vocab_size, num_tokens):
    assert perplexity(num_tokens * math.log(vocab_size), num_tokens) == pytest.approx(vocab_size)


def test_perplexity_at_its_limits():
    assert perplexity(0.0) == 1
    assert perplexity(math.inf) == math.inf
    assert perplexity(1e6) == math.inf
    for bad in ((math.nan, 1), (-1.0, 1), (1.0, 0)):
        with pytest.raises(ValueError, match="must be"):
            perplexity(*bad)


def test_rng_is_the_documents_generator():
    """Xorshift64* written a second time with fixed-width arithmetic must give the same bits."""
    state, rng = 1337, RNG(1337)
    for _ in range(1000):
        state ^= state >> 12
        state = (state ^ (state << 25)) % 2**64
        state ^= state >> 27
        assert rng.random_u32() == state * 2685821657736338717 % 2**64 // 2**32
    assert rng.state == state


def test_rng_draws_are_distributed_as_they_say():
    rng = RNG(42)
    uniform, normal = rng.rand(20_000, -2, 4), rng.randn(20_001, mu=1, sigma=3)
    assert len(normal) == 20_001
    assert -2 <= min(uniform) < -1.99 < 3.99 < max(uniform) < 4
    assert sum(uniform) / 20_000 == pytest.approx(1, abs=0.05)
    mean = sum(normal) / 20_001
    assert mean == pytest.approx(1, abs=0.07)
    assert math.sqrt(sum((x - mean) ** 2 for x in normal) / 20_001) == pytest.approx(3, abs=0.06)
    with pytest.raises(ValueError, match="zero"):
        RNG(2**64)


def test_step_timer_corrects_its_start(monkeypatch):
    clock = iter([0.0, 2.0, 10.0, 14.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    timer = StepTimer(ema_alpha=0.5)
    assert timer.get_dt() == 0
    with timer:
        pass
    assert timer.get_dt() == pytest.approx(2)
    with timer:
        pass
    assert timer.get_dt() == pytest.approx((0.25 * 2 + 0.5 * 4) / 0.75)


def test_time_in_turn_calls_every_function_equally_often():
    calls = {"a": 0, "b": 0}

    def count(name):
        calls[name] += 1

    seconds = time_in_turn({name: (lambda name=name: count(name)) for name in calls}, rounds=3, repeats=2)
    assert calls == {"a": 7, "b": 7}
    assert all(s > 0 for s in seconds.values())


def test_history_speaks_of_epochs_from_one():
    history = History()
    for loss in (2.0, 1.0):
        history.record(loss, valid_loss=loss + 1)
    assert history.at((1, 2, 3)) == {1: math.exp(2.0), 2: math.exp(1.0)}
    assert history.valid_perplexity == [math.exp(3.0), math.exp(2.0)]


def test_compare_judges_each_row():
    table = compare("004", "toy", {"50": 10.0, "100": 2.0, "150": 1.0}, {50: 11.4, 100: 2.4, "150": 0.5})
    assert [row["reached"] for row in table.rows] == [True, False, True]
    assert not table.reached
    assert "+14.0%" in str(table)
    assert compare("004", "toy", {1: 1.0}, {1: 0.5}, two_sided=True).rows[0]["reached"] is False
    assert compare("003", "toy", {"loss": 2.0}, {"loss": 2.000001}, absolute=2e-6).reached
    assert not compare("003", "toy", {"loss": 2.0}, {"loss": 2.00001}, absolute=2e-6).reached


def test_compare_takes_a_bound_of_zero_and_refuses_what_has_no_meaning():
    assert compare("000", "toy", {1: 0.0}, {1: 0.0}, absolute=0).reached
    assert not compare("000", "toy", {1: 0.0}, {1: -1e-9}, absolute=0).reached
    with pytest.raises(ValueError, match="published figure is 0"):
        compare("000", "toy", {1: 0.0}, {1: 0.0})
    with pytest.raises(ValueError, match="published is empty"):
        compare("000", "toy", {}, {})


def test_compare_marks_what_was_not_run_and_what_is_not_a_number():
    table = compare("004", "toy", {1: 1.0, 2: 1.0}, {2: math.nan})
    assert [row["reached"] for row in table.rows] == [None, False]
    assert not table.reached


def test_the_record_survives_the_notebook_that_stores_nan_as_a_string():
    table = compare("004", "toy", {1: 1.0, 2: 1.0}, {1: math.nan, 2: math.inf})
    stored = [{k: str(v) if k in ("ours", "difference") else v for k, v in row.items()} for row in table.rows]
    cells = Comparison(**{**vars(table), "rows": stored}).cells()
    assert [row[-1] for row in cells] == ["✗", "✗"]


def test_outputs_carry_the_record_and_escape_html():
    bundle = compare("004", "a < b", {1: 1.0}, {1: 1.0})._repr_mimebundle_()
    assert bundle[MIME]["kind"] == "comparison"
    assert "a &lt; b" in bundle["text/html"]
    line = environment("sample-lyrics")
    assert line._repr_mimebundle_()[MIME]["data"]["sample-lyrics"] in str(line._repr_mimebundle_())
    assert "sample-lyrics" in str(line)


def test_published_figures_are_there():
    assert len(published("003")["rows"]) == 251
    assert len(published("000")["epoch_loss"]) == 15
    with pytest.raises(Exception, match="known: 000, 001"):
        published("999")

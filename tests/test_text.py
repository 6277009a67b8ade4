import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from d2lutils import Corpus, Vocab


@given(st.text(min_size=1, max_size=200))
def test_encode_then_decode_is_the_text(text):
    corpus = Corpus.from_text(text)
    assert corpus.text() == text
    assert corpus.indices.dtype == np.int64
    assert corpus.vocab.counts.sum() == len(text)


@given(st.lists(st.sampled_from(["a", "bb", "ccc", "d"]), min_size=1))
def test_orders_do_not_depend_on_the_order_of_the_text(tokens):
    for order in ("token", "frequency"):
        assert Vocab(tokens, order=order) == Vocab(tokens[::-1], order=order)


def test_token_order_is_by_code_point_and_frequency_order_by_count():
    assert Vocab("banana").idx_to_token == ["a", "b", "n"]
    assert Vocab("banana", order="frequency").idx_to_token == ["a", "n", "b"]
    assert Vocab("ab", order="frequency").idx_to_token == ["a", "b"]


def test_unk_takes_rare_and_unknown_tokens_and_counts_them():
    vocab = Vocab("aaabbc", min_freq=2, unk="<unk>", reserved=["<pad>"])
    assert vocab.idx_to_token == ["<unk>", "<pad>", "a", "b"]
    assert vocab.counts.tolist() == [1, 0, 3, 2]
    assert vocab.encode("abz").tolist() == [2, 3, 0]
    assert vocab["z"] == 0
    assert "z" not in vocab


def test_unknown_token_names_itself_its_place_and_the_cure():
    with pytest.raises(ValueError, match=r"'z' \(U\+007A\).*3 tokens.*unk.*position 2 of 'abz'"):
        Vocab("abc").encode("abz")
    with pytest.raises(KeyError, match="U\\+7A7A"):
        Vocab("abc")["空"]


@pytest.mark.parametrize(
    ("indices", "error", "message"),
    [([3], ValueError, "0 … 2"), ([-1], ValueError, "from -1"), ([0.5], TypeError, "float64")],
)
def test_decode_refuses_what_is_not_an_index(indices, error, message):
    with pytest.raises(error, match=message):
        Vocab("abc").decode(indices)


def test_bad_vocabularies_are_refused():
    with pytest.raises(ValueError, match="order must be"):
        Vocab("abc", order="random")
    with pytest.raises(ValueError, match="must differ"):
        Vocab("abc", unk="<u>", reserved=["<u>"])


def test_corpus_slices_splits_and_keeps_its_vocabulary():
    corpus = Corpus.from_text("abcabcabca", "toy")
    head, tail = corpus.split(0.7)
    assert (head.text(), tail.text()) == ("abcabca", "bca")
    assert head.vocab is corpus.vocab
    assert corpus[2:4].text() == "ca"
    assert np.shares_memory(corpus[2:4].indices, corpus.indices)
    with pytest.raises(TypeError, match="slice"):
        corpus[3]
    with pytest.raises(ValueError, match="between 0 and 1"):
        corpus.split(1.5)
    with pytest.raises(ValueError, match="empty"):
        Corpus.from_text("", "nothing")

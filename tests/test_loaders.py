"""What the loaders return, on the samples everywhere and on the real data where it is."""

import re

import pytest
from conftest import needs_real_data

import d2lutils as d


def test_sample_lyrics_are_long_and_clean():
    corpus = d.load_lyrics("sample-lyrics")
    assert len(corpus) >= 6000
    assert "\n" not in corpus.vocab
    assert all("\u4e00" <= c <= "\u9fff" or c == " " for c in corpus.vocab.idx_to_token)
    for prefix in ("分开", "不分开", "战争中部队"):
        corpus.vocab.encode(prefix)


def test_sample_poems_are_quatrains():
    poems = d.load_tangshi("sample-poems")
    assert len(poems) >= 200
    assert len({poem.text for poem in poems}) == len(poems)
    forms = {len(line) for poem in poems for line in re.split("[，。]", poem.text) if line}
    assert forms == {5, 7}
    assert all(len(re.findall("[，。]", poem.text)) == 4 for poem in poems)
    assert set("日红山夜湖海月君") <= {poem.text[0] for poem in poems}


def test_sample_prose_names_and_sentences():
    prose = d.load_time_machine("sample-prose")
    assert len(prose) >= 10_000
    assert "the time machine" in prose.text()
    splits = d.load_names("sample-names")
    names = "".join(split.text() for split in splits.values()).split()
    assert len(names) == len(set(names)) >= 1000
    assert len(splits["train"].vocab) == 27
    sentences = d.load_sentences()
    assert len(sentences) >= 2000
    assert ["the", "man", "loves", "his", "son"] in sentences


def test_only_so_many_characters():
    assert len(d.load_lyrics("sample-lyrics", 100)) == 100
    with pytest.raises(ValueError, match="num_chars must be at least 1, got 0"):
        d.load_lyrics("sample-lyrics", 0)
    with pytest.raises(ValueError, match='"train", "valid" or "test"'):
        d.load_ptb("dev")


@needs_real_data
def test_lyrics_have_the_documents_vocabularies():
    assert len(d.load_lyrics("jaychou-2018", 10_000).vocab) == d.published("004")["vocab_size"] == 1027
    assert len(d.load_lyrics("jaychou-2017", 20_000).vocab) == d.published("002")["vocab_size"] == 1465
    indices, char_to_idx, idx_to_char, vocab_size = d.load_data_jay_lyrics()
    assert (len(indices), vocab_size) == (10_000, 1027)
    assert "".join(idx_to_char[i] for i in indices[:6]) == "想要有直升机"
    assert char_to_idx[idx_to_char[7]] == 7


@needs_real_data
def test_english_texts_have_their_known_sizes():
    assert len(d.load_time_machine()) == 173_428
    names = d.load_names()
    assert {split: text.text().count("\n") for split, text in names.items()} == {
        "train": 30_032,
        "val": 1000,
        "test": 1000,
    }
    assert [len(d.load_ptb(split)) for split in ("train", "valid", "test")] == [42_068, 3370, 3761]


@needs_real_data
def test_poems_have_their_known_number():
    poems = d.load_quan_tangshi(progress=False)
    assert len(poems) == 57_607
    assert poems[0].author == "太宗皇帝"
    assert poems[0].text.startswith("秦川雄帝宅，函谷壯皇居。")
    assert len(d.load_tangshi()) == 168

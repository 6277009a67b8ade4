"""Tang poems: texts, forms, prosody, batches, the chunked loss, the trained model and the command that writes."""

import json
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from d2lutils import TrainingDiverged, load_tangshi, poetry
from d2lutils.__main__ import main
from d2lutils.poetry import (
    FORMS,
    clean,
    distinct,
    form_of,
    load_poem_model,
    longest_overlap,
    measure,
    poem_corpus,
    poem_lines,
    readings,
    rhymes,
    save_poem_model,
    simplify,
    tones_alternate,
)
from d2lutils.torch import poem_model
from d2lutils.torch.poems import PoemLSTM, evaluate_poems, linear_cross_entropy, poem_batches, poem_loss, train_poems

LI_BAI = "床前明月光，疑是地上霜。举头望明月，低头思故乡。"
DU_FU = "国破山河在，城春草木深。感时花溅泪，恨别鸟惊心。烽火连三月，家书抵万金。白头搔更短，浑欲不胜簪。"
WANG_ZHIHUAN = "白日依山尽，黄河入海流。欲穷千里目，更上一层楼。"
DU_MU = "远上寒山石径斜，白云生处有人家。停车坐爱枫林晚，霜叶红于二月花。"
CUI_HAO = (
    "昔人已乘黄鹤去，此地空余黄鹤楼。黄鹤一去不复返，白云千载空悠悠。"
    "晴川历历汉阳树，芳草萋萋鹦鹉洲。日暮乡关何处是，烟波江上使人愁。"
)


@pytest.fixture(scope="module")
def writer():
    return load_poem_model()


@pytest.fixture(scope="module")
def sample():
    return poem_corpus([poem.text for poem in load_tangshi("sample-poems")], min_freq=1)


@pytest.mark.parametrize(
    ("text", "form"),
    [(LI_BAI, "五绝"), (DU_FU, "五律"), (DU_MU, "七绝"), (CUI_HAO, "七律"), ("", None), ("床前明月光，", None),
     (LI_BAI[:-1], None), (LI_BAI.replace("。", "，"), None), ("，" + LI_BAI, None), (LI_BAI.replace("光", ""), None),
     ("abcde，abcde。abcde，abcde。", None)],
)  # fmt: skip
def test_forms(text, form):
    assert form_of(text) == form


@pytest.mark.parametrize(
    ("raw", "text", "reason"),
    [("床前明月光,疑是地上霜. ", "床前明月光，疑是地上霜。", None),
     ("床前明月光,疑是地上霜?", "床前明月光，疑是地上霜？", None),
     (" 床前明月光，\n疑是地上霜。\n", "床前明月光，疑是地上霜。", None), ("床前□月光，疑是地上霜。", None, "broken"),
     ("床前明月光，疑是（一作：似）地上霜。", None, "broken"), ("床前明月光，疑是地上霜", None, "broken"),
     ("床前明月光\n疑是地上霜。", None, "broken"), ("，床前明月光。", None, "broken"), ("", None, "empty"),
     ("1，", None, "broken")],
)  # fmt: skip
def test_clean(raw, text, reason):
    assert clean(raw) == (text, reason)


def test_corpus_counts_what_it_leaves_out_and_keeps_the_sides_apart(sample):
    poems = [poem.text for poem in load_tangshi("sample-poems")]
    dirty = [*poems, *poems[:5], "", "有□缺。", "短。", poems[0] * 9]
    corpus = poem_corpus(dirty, min_freq=1)
    assert corpus.left_out == {"double": 5, "empty": 1, "broken": 1, "length": 2}
    assert corpus == poem_corpus(dirty, min_freq=1)
    sides = [set(side) for side in (corpus.train, corpus.valid, corpus.test)]
    assert sum(map(len, sides)) == len(set.union(*sides)) == len(set(poems))
    assert corpus.vocab.idx_to_token[:4] == ["<unk>", "<pad>", "<bos>", "<eos>"]
    (encoded,) = corpus.encode(corpus.train[0])
    assert corpus.vocab.text(encoded[1:-1]) == corpus.train[0]
    assert encoded[0] == corpus.vocab["<bos>"]
    assert encoded[-1] == corpus.vocab["<eos>"]


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: poem_corpus([LI_BAI]), ValueError, "only 1 poems are left.*at least 20"),
        (lambda: poem_corpus([LI_BAI] * 30, held_out=0.7), ValueError, "held_out must lie"),
        (lambda: poem_corpus(load_tangshi("sample-poems")), TypeError, "of a Poem take poem.text"),
        (lambda: poem_corpus([LI_BAI], min_chars=0), ValueError, "min_chars must be at least 1"),
        (lambda: simplify([None]), TypeError, "poems must be strings, got NoneType"),
    ],
)
def test_bad_poems(call, error, says):
    with pytest.raises(error, match=says):
        call()


def test_simplify():
    assert simplify("雲想衣裳花想容") == ["云想衣裳花想容"]
    assert simplify(["見", "後"]) == ["见", "后"]


def test_tones_and_rhymes_are_those_of_the_tang():
    assert all(rhymes(text) for text in (LI_BAI, DU_FU, WANG_ZHIHUAN, DU_MU, CUI_HAO))  # 斜 rhymes with 家 and 花
    assert rhymes("床前明月光，疑是地上雪。举头望明月，低头思故乡。") is False
    assert rhymes("床前明月光，疑是地上霜。") is None  # one even line
    assert rhymes("床前明月光，疑是地上〇。举头望明月，低头思故乡。") is None  # no reading
    assert {tone for tone, _ in readings()["月"]} == {"入"}
    assert {"平", "去"} <= {tone for tone, _ in readings()["望"]}
    assert [tones_alternate(line) for line in poem_lines(WANG_ZHIHUAN)] == [True] * 4
    assert tones_alternate("昔人已乘黄鹤去") is False  # the famous exception
    assert tones_alternate("举头望明月") is False
    assert tones_alternate("平平平") is None
    assert len({sound for sounds in readings().values() for sound in sounds}) == 106  # the Pingshui groups
    assert ("入", "咸") in readings()["业"]
    assert rhymes("红豆生南国，春来发几枝。愿君多采撷，此物最相思。")
    assert readings()["间"] & readings()["山"]


def test_measures():
    assert distinct(["春春春，春春。"], 1) == 1 / 5
    assert distinct(["春夏，春夏。"], 2) == 1 / 2
    assert longest_overlap("床前明月光，", "某某\n前明月光。") == 4
    assert longest_overlap("山", "水") == 0
    quality = measure([LI_BAI, WANG_ZHIHUAN], LI_BAI)
    assert (quality.form, quality.rhyme) == (1, 1)
    assert quality.overlap == (len(LI_BAI) + longest_overlap(WANG_ZHIHUAN, LI_BAI)) / 2  # the median of two
    assert measure(["春，夏。"], "").form == 0


@given(st.lists(st.integers(2, 9), min_size=1, max_size=30), st.integers(1, 7), st.integers(0, 9))
def test_batches_hold_every_sequence_once(lengths, batch_size, seed):
    sequences = [np.arange(n) + 10 * place for place, n in enumerate(lengths)]
    found = []
    for X, Y, mask in poem_batches(sequences, batch_size, pad=-7, seed=seed):
        assert X.shape == Y.shape == mask.shape
        for x, y, m in zip(X.T, Y.T, mask.T, strict=True):
            assert (y[~m] == -7).all()
            assert torch.equal(x[1:][m[1:]], y[:-1][m[1:]])
            found.append([x[0].item(), *y[m].tolist()])
    assert sorted(found) == [sequence.tolist() for sequence in sequences]


def test_batches_refuse_what_is_too_short():
    with pytest.raises(ValueError, match="sequence 1 has 1 indices"):
        next(poem_batches([[2, 3], [2]], 2, pad=1))
    with pytest.raises(ValueError, match="no sequences"):
        next(poem_batches([], 2, pad=1))
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        next(poem_batches([[2, 3]], 0, pad=1))


@pytest.mark.parametrize("chunk_size", [1, 3, 100])
@pytest.mark.parametrize("needed", [(0, 1, 2), (0,), (2,)])
def test_chunked_loss_is_cross_entropy(chunk_size, needed):
    torch.manual_seed(0)
    inputs = [torch.randn(7, 4), torch.randn(9, 4), torch.randn(9)]
    y = torch.randint(9, (7,))
    for place in needed:
        inputs[place].requires_grad_()
    H, W, b = inputs
    loss, reference = linear_cross_entropy(*inputs, y, chunk_size), F.cross_entropy(H @ W.T + b, y, reduction="sum")
    torch.testing.assert_close(loss, reference, rtol=1e-6, atol=1e-6)
    asked = [inputs[place] for place in needed]
    for ours, theirs in zip(
        torch.autograd.grad(2 * loss, asked), torch.autograd.grad(2 * reference, asked), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_chunked_loss_refuses_what_does_not_fit():
    H, W, b = torch.randn(3, 4), torch.randn(5, 4), torch.randn(5)
    y = torch.tensor([0, 1, 2])
    for arguments in ((H, W, b, y[:2]), (H, W.T, b, y), (H, W, b[:1], y)):
        with pytest.raises(ValueError, match="do not fit"):
            linear_cross_entropy(*arguments)
    with pytest.raises(ValueError, match="0 … 4, got values from 0 to 5"):
        linear_cross_entropy(H, W, b, torch.tensor([0, 1, 5]))


def test_padded_loss_is_that_of_one_poem_at_a_time(sample):
    torch.manual_seed(0)
    net, sequences = PoemLSTM(len(sample.vocab), 16, 24), sample.encode(sample.train[:12])
    ((X, Y, mask),) = poem_batches(sequences, 12, pad=1)
    padded, total = poem_loss(net, X, Y, mask, chunk_size=50), 0.0
    for sequence in map(torch.from_numpy, sequences):
        total = total + F.cross_entropy(net(sequence[:-1, None])[0][:, 0], sequence[1:], reduction="sum")
    alone = total / sum(len(sequence) - 1 for sequence in sequences)
    assert abs(padded.item() - alone.item()) <= 2e-6
    pairs = zip(*(torch.autograd.grad(loss, net.parameters()) for loss in (padded, alone)), strict=True)
    assert all((a - b).abs().max() <= 1e-5 for a, b in pairs)
    assert evaluate_poems(net, sequences, pad=1, batch_size=5) == pytest.approx(alone.item(), abs=2e-6)
    with pytest.raises(ValueError, match="mask must be bool"):
        poem_loss(net, X, Y, mask & False)


@pytest.mark.parametrize("num_epochs", [1, 4])
def test_training_learns_repeats_itself_and_keeps_the_best(sample, num_epochs):
    train, valid = sample.encode(sample.train), sample.encode(sample.valid)
    runs = []
    for _ in range(2):
        torch.manual_seed(0)
        net = PoemLSTM(len(sample.vocab), 16, 24, dropout=0.1, tied=True)
        before = evaluate_poems(net, valid, pad=1)
        history = train_poems(net, train, valid, pad=1, num_epochs=num_epochs, lr=0.02, batch_size=50)
        runs.append(history.valid_loss)
    assert runs[0] == runs[1]
    assert min(runs[0]) < before
    assert evaluate_poems(net, valid, pad=1) == pytest.approx(min(runs[0]))


def test_training_that_diverges_says_so_and_keeps_the_weights(sample):
    net = PoemLSTM(len(sample.vocab), 8, 8)
    before = [param.clone() for param in net.parameters()]
    with pytest.raises(TrainingDiverged) as caught:
        train_poems(net, sample.encode(sample.train), sample.encode(sample.valid), pad=1, num_epochs=3, lr=1e30)
    assert caught.value.history is not None
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), before, strict=True))


def test_the_writer_is_the_network(writer):
    """NumPy and torch give the same logits, and the shipped weights are small."""
    net = poem_model.build(writer)
    indices, state = writer.vocab.encode(["<bos>", *LI_BAI]), None
    with torch.no_grad():
        expected = net(torch.from_numpy(indices)[:, None])[0][:, 0].numpy()
    for index, row in zip(indices, expected, strict=True):
        logits, state = writer.step(index, state)
        np.testing.assert_allclose(logits, row, atol=1e-4)
    folder = poetry.writer.bundled_dir() / "poem"
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 8e6
    assert abs(writer.about["int8_loss"] / writer.about["float32_loss"] - 1) < 0.005
    assert writer.about["float32_loss"] <= 4.8
    assert len(writer.about["log"]) == writer.about["settings"]["num_epochs"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seed", range(3))
def test_forms_are_kept_exactly(writer, form, seed):
    poem = writer.write("月", form, seed=seed)
    assert form_of(poem) == form
    assert poem[0] == "月"
    characters = "".join(poem_lines(poem))
    assert len(set(characters)) == len(characters)
    assert poem == writer.write("月", form, seed=seed)
    acrostic = writer.write(form=form, acrostic="春夏", seed=seed)
    assert [line[0] for line in poem_lines(acrostic)][:2] == ["春", "夏"]


def test_other_ways_to_write(writer):
    first = writer.write("空山新雨后", "五绝", seed=0)
    assert first.startswith("空山新雨后，")
    assert form_of(first) == "五绝"
    assert writer.write("空山新雨后，天气", "五律", seed=0).startswith("空山新雨后，天气")
    assert writer.write("月", "七绝", temperature=0) == writer.write("月", "七绝", temperature=0, seed=9)
    free = writer.write("江", seed=5, max_chars=12)
    assert free.startswith("江")
    assert len(free) <= 12
    assert not any(mark * 2 in writer.write("江", seed=seed) for seed in range(5) for mark in "，。")
    assert len({writer.write("月", "五绝", top_k=3, seed=seed) for seed in range(5)}) > 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"start": "A"}, "'A' is not a Chinese character"),
        ({"start": "，月"}, "'，' is not a Chinese character"),
        ({"start": "龍"}, "does not know '龍'.*simplified form 龙"),
        ({"start": "㐀"}, "does not know '㐀'.*more common"),
        ({"start": "月", "form": "六绝"}, "no form '六绝'; choose one of 五绝"),
        ({"form": "五绝", "acrostic": "春夏秋冬又"}, "has 5 characters, but 五绝 only 4 lines"),
        ({"acrostic": "春夏"}, "needs a form"),
        ({"start": "春眠不觉晓了", "form": "五绝"}, "does not fit 五绝: 4 lines of 5"),
        ({"start": "春眠不", "form": "五绝", "acrostic": "秋"}, "differ"),
        ({"start": "月", "temperature": -1}, "temperature must be above 0"),
        ({"start": "月", "temperature": 0, "top_k": 5}, "need temperature > 0"),
    ],
)
def test_the_writer_explains(writer, arguments, says):
    with pytest.raises(ValueError, match=says):
        writer.write(**{"seed": 0, **arguments})


def test_damaged_models_are_refused(tmp_path, writer):
    source = poetry.writer.bundled_dir() / "poem"
    with pytest.raises(FileNotFoundError, match=r"about\.json is missing.*make poem-model"):
        load_poem_model(tmp_path)
    shutil.copytree(source, tmp_path / "cut")
    weights = tmp_path / "cut" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(ValueError, match="no whole safetensors file"):
        load_poem_model(tmp_path / "cut")
    shutil.copytree(source, tmp_path / "other")
    about = json.loads((source / "about.json").read_text(encoding="utf-8"))
    (tmp_path / "other" / "about.json").write_text(json.dumps(about | {"characters": about["characters"][::-1]}))
    with pytest.raises(ValueError, match="another vocabulary"):
        load_poem_model(tmp_path / "other")
    (tmp_path / "other" / "about.json").write_text("{")
    with pytest.raises(ValueError, match=r"about\.json is damaged"):
        load_poem_model(tmp_path / "other")


def test_a_trained_net_goes_to_a_file_and_back(tmp_path, sample):
    torch.manual_seed(0)
    net = PoemLSTM(len(sample.vocab), 12, 20, dropout=0.1, tied=True)
    save_poem_model(tmp_path, poem_model.as_tensors(net), sample.vocab.idx_to_token, {}, settings={
        "embed_size": 12, "num_hiddens": 20, "num_layers": 2, "dropout": 0.1, "tied": True})  # fmt: skip
    back = load_poem_model(tmp_path)
    assert back.vocab == sample.vocab
    valid = sample.encode(sample.valid)
    losses = [evaluate_poems(n, valid, pad=1) for n in (net, poem_model.build(back))]
    assert losses[0] == pytest.approx(losses[1], rel=0.005)


def test_the_command(capsys):
    assert main(["poem", "月", "--form", "五绝", "--seed", "1", "--count", "2"]) == 0
    first, second = capsys.readouterr().out.rstrip("\n").split("\n\n")
    assert form_of(first.replace("\n", "")) == form_of(second.replace("\n", "")) == "五绝"
    assert first.startswith("月")
    assert first != second
    assert main(["poem", "--form", "七绝", "--acrostic", "春夏秋冬", "--seed", "3"]) == 0
    lines = poem_lines(capsys.readouterr().out.replace("\n", ""))
    assert [line[0] for line in lines] == list("春夏秋冬")
    for arguments, says in ((["龍"], "龙"), (["--form", "六绝"], "五绝, 七绝"), (["A"], "not a Chinese")):
        assert main(["poem", *arguments]) == 2
        assert says in capsys.readouterr().err

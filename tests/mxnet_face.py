"""The MXNet face against d2l's MXNet module and against definitions; runs in the legacy environment.

test_mxnet.py starts it: ``.venv-mxnet/bin/python -m pytest --noconftest tests/mxnet_face.py``.
"""

import re
from pathlib import Path
from types import SimpleNamespace

import d2l.mxnet as theirs
import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd, nd

import d2lutils
from d2lutils import TrainingDiverged
from d2lutils import mxnet as utils

ROOT = Path(__file__).resolve().parent.parent


def with_gradients(*gradients):
    params = [nd.zeros(np.shape(g)) for g in gradients]
    for param, gradient in zip(params, gradients, strict=True):
        param.attach_grad()
        param.grad[:] = nd.array(gradient)
    return params


def test_every_name_is_there():
    assert [name for name in utils.__all__ if not hasattr(utils, name)] == []


@pytest.mark.parametrize("sampler", ["data_iter_random", "data_iter_consecutive"])
def test_batches_are_the_cores_as_arrays(sampler):
    """(d2l 1.0.3 has no sampler any more: its data sets cut the text themselves.)"""
    seed = {"seed": 0} if sampler == "data_iter_random" else {}
    ours = list(getattr(utils, sampler)(range(61), 2, 6, mx.cpu(), **seed))
    core = list(getattr(d2lutils, sampler)(range(61), 2, 6, **seed))
    assert len(ours) == len(core) > 3
    for (X, Y), (core_X, core_Y) in zip(ours, core, strict=True):
        assert X.dtype == Y.dtype == np.int32
        np.testing.assert_array_equal(X.asnumpy(), core_X)
        np.testing.assert_array_equal(Y.asnumpy(), core_Y)


def test_samplers_speak_of_a_text_that_is_too_short():
    with pytest.raises(ValueError, match=r"5 tokens.*needs 13"):
        utils.data_iter_random(range(5), 2, 6)


def test_one_hot_is_mxnets_and_refuses_what_it_swallows():
    X = nd.array([[0, 2], [1, 1]], dtype="int32")
    np.testing.assert_array_equal(utils.one_hot(X, 3).asnumpy(), nd.one_hot(X, 3).asnumpy())
    assert [step.asnumpy().tolist() for step in utils.to_onehot(X, 3)] == [
        nd.one_hot(x, 3).asnumpy().tolist() for x in X.T
    ]
    with pytest.raises(ValueError, match="0 … 1, got values from 0 to 2"):
        utils.one_hot(X, 2)
    with pytest.raises(ValueError, match="batch_size, num_steps"):
        utils.to_onehot(X[0], 3)


@pytest.mark.parametrize("theta", [0.5, 100.0])
def test_clipping_is_d2ls(theta):
    gradients = np.random.default_rng(0).normal(size=(3, 4)), np.array([3.0, -4.0])
    ours = with_gradients(*gradients)
    d2ls = [param.as_np_ndarray() for param in with_gradients(*gradients)]  # d2l speaks MXNet's newer array
    norm = utils.grad_clipping((param for param in ours), theta, mx.cpu())
    with mx.util.np_shape(True):
        theirs.grad_clipping(SimpleNamespace(params=d2ls), theta)
    assert norm == pytest.approx(np.sqrt(sum((g**2).sum() for g in gradients)), rel=1e-5)
    for a, b in zip(ours, d2ls, strict=True):
        np.testing.assert_allclose(a.grad.asnumpy(), b.grad.asnumpy(), rtol=1e-5)


def test_the_norm_of_many_numbers_is_exact():
    """MXNet's own multi_sum_sq adds one by one in float32 and is 1e-4 off here."""
    gradient = np.random.default_rng(0).normal(scale=0.01, size=(1465, 256))
    assert utils.grad_clipping(with_gradients(gradient), 100.0) == pytest.approx(np.linalg.norm(gradient), rel=1e-6)


def test_clipping_scales_what_is_large_but_finite():
    (param,) = with_gradients([3e30, 4e30])
    assert utils.grad_clipping([param], 5.0) == pytest.approx(5e30, rel=1e-6)
    np.testing.assert_allclose(param.grad.asnumpy(), [3, 4], rtol=1e-5)


def test_clipping_refuses_what_it_cannot_mend():
    with pytest.raises(ValueError, match="no gradient"):
        utils.grad_clipping([nd.zeros(2)], 1.0)
    with pytest.raises(TrainingDiverged, match="nan"):
        utils.grad_clipping(with_gradients([np.nan]), 1.0)
    with pytest.raises(ValueError, match="theta must be above 0, got 0"):
        utils.grad_clipping(with_gradients([1.0]), 0)


def test_sgd_and_try_gpu_are_d2ls():
    assert utils.sgd is theirs.sgd
    assert utils.try_gpu() == mx.cpu()


def document_code():
    """Document 002's own cells, joined."""
    folder = ROOT.parent / "shared" / "documents"
    if not folder.is_dir():
        pytest.skip("DOCUMENTS MISSING: the five documents lie outside the repository")
    text = next(folder.glob("002_*")).read_text(encoding="utf-8")
    return re.findall(r"```\{\.python[^}]*\}\n(.*?)```", text, re.S)


def test_document_002s_program_runs_with_its_import_changed(capsys):
    """Its cells from the document; only the import, the text (a sample), and the size of the run differ."""
    cells = document_code()
    assert "import utils\n" in cells[4]
    namespace = {"corpus_chars": d2lutils.load_lyrics("sample-lyrics", 3000).text()}
    for cell in cells[1:]:
        cell = cell.replace("import utils\n", "from d2lutils import mxnet as utils\n")
        cell = cell.replace("hidden_dim = 256", "hidden_dim = 32").replace("epochs=200", "epochs=4")
        cell = cell.replace("pred_period=20", "pred_period=2").replace("seq3 = '战争中部队'", "seq3 = '开'")
        exec(compile(cell, "document 002", "exec"), namespace)
    printed = capsys.readouterr().out
    first, last = (float(value) for value in re.findall(r"Perplexity ([\d.]+)", printed))
    assert last < first < namespace["vocab_size"] * 2
    assert len(re.findall(r"^ -  分开.{100}$", printed, re.M)) == 2


def test_prediction_names_a_bad_prefix():
    def rnn(inputs, H):
        return [nd.zeros((1, 2)) for _ in inputs], H

    arguments = (rnn, 3, [], 4, mx.cpu(), ["a", "b"], {"a": 0, "b": 1}, lambda X: utils.to_onehot(X, 2))
    with pytest.raises(ValueError, match="prefix is empty"):
        utils.predict_rnn(arguments[0], "", *arguments[1:])
    with pytest.raises(ValueError, match=r"'c' in 'abc' is not in the vocabulary"):
        utils.predict_rnn(arguments[0], "abc", *arguments[1:])


def test_a_loss_that_is_not_finite_stops_the_training():
    def get_params():
        params = [nd.full((2, 2), np.nan)]
        params[0].attach_grad()
        return params

    def rnn(inputs, H, W):
        return [nd.dot(X, W) for X in inputs], H

    with pytest.raises(TrainingDiverged, match=r"step 1 \(epoch 1\): the loss is nan") as caught:
        utils.train_and_predict_rnn(
            rnn, False, 2, 3, 4, 0.1, 1.0, 2, 1, 3, [], get_params, lambda X: utils.to_onehot(X, 2), mx.cpu(),
            [0, 1] * 10, ["a", "b"], {"a": 0, "b": 1},
        )  # fmt: skip
    assert caught.value.step == 1


def tiny_parameters():
    rng = np.random.default_rng(0)
    params = [nd.array(rng.normal(scale=0.5, size=shape)) for shape in ((3, 4), (4, 4), (4, 3))]
    for param in params:
        param.attach_grad()
    return params


def tiny_rnn(inputs, H, W_xh, W_hh, W_hq):
    outputs = []
    for X in inputs:
        H = nd.tanh(nd.dot(X, W_xh) + nd.dot(H, W_hh))
        outputs.append(nd.dot(H, W_hq))
    return outputs, H


@pytest.mark.parametrize("is_random", [True, False])
def test_training_is_the_loop_written_out(is_random):
    """State, targets, order, clipping and counting, against a loop of our own; one mini-batch after the other."""
    text, theta, lr = np.random.default_rng(1).integers(0, 3, 61).tolist(), 0.5, 0.3
    history, _ = utils.train_and_predict_rnn(
        tiny_rnn, is_random, 3, 5, 4, lr, theta, 2, 9, 3, [], tiny_parameters, lambda X: utils.to_onehot(X, 3),
        mx.cpu(), text, ["a", "b", "c"], {"a": 0, "b": 1, "c": 2},
    )  # fmt: skip
    params, expected = tiny_parameters(), []
    for epoch in (1, 2, 3):
        sampler = (
            d2lutils.data_iter_random(text, 2, 5, seed=(0, epoch))
            if is_random
            else d2lutils.data_iter_consecutive(text, 2, 5)
        )
        H, losses = np.zeros((2, 4)), []
        for X, Y in sampler:
            H = np.zeros((2, 4)) if is_random else H
            with autograd.record():
                outputs, state = tiny_rnn([nd.one_hot(nd.array(x), 3) for x in X.T], nd.array(H), *params)
                loss = sum(-nd.log_softmax(o).pick(nd.array(y)).sum() for o, y in zip(outputs, Y.T, strict=True))
            loss.backward()
            H, norm = state.asnumpy(), np.sqrt(sum((p.grad.asnumpy() ** 2).sum() for p in params))
            for param in params:
                param[:] = param - lr * min(1, theta / norm) * param.grad
            losses.append(loss.asscalar() / Y.size)
        expected.append(np.mean(losses))
    assert history.loss == pytest.approx(expected, rel=1e-5)


def test_prediction_carries_the_state_and_takes_the_last_step():
    params, text = tiny_parameters(), [0, 2, 1, 1]
    for _ in range(6):
        outputs, _ = tiny_rnn(utils.to_onehot(nd.array([text], dtype="int32"), 3), nd.zeros((1, 4)), *params)
        text.append(int(outputs[-1].asnumpy().argmax()))
    arguments = (6, params, 4, mx.cpu(), ["a", "b", "c"], {"a": 0, "b": 1, "c": 2}, lambda X: utils.to_onehot(X, 3))
    assert utils.predict_rnn(tiny_rnn, "acbb", *arguments) == "".join("abc"[i] for i in text)


def test_training_names_bad_rates_and_blow_ups_with_the_step():
    def run(rnn, lr):
        return utils.train_and_predict_rnn(
            rnn, False, 1, 5, 4, lr, 1e30, 2, 9, 3, [], tiny_parameters, lambda X: utils.to_onehot(X, 3), mx.cpu(),
            [0, 1, 2] * 20, ["a", "b", "c"], {"a": 0, "b": 1, "c": 2},
        )  # fmt: skip

    with pytest.raises(ValueError, match="learning_rate must be positive and finite, got nan"):
        run(tiny_rnn, float("nan"))

    def poisoned(inputs, H, *params):
        outputs, H = tiny_rnn(inputs, H, *params)
        return [o + nd.sqrt(o * 0) for o in outputs], H  # a finite loss with a gradient that is not

    with pytest.raises(TrainingDiverged, match=r"step 1 \(epoch 1\): the norm of the gradient is nan") as caught:
        run(poisoned, 0.1)
    assert (caught.value.step, caught.value.history.loss) == (1, [])

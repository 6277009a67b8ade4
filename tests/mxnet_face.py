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


def test_clipping_refuses_what_it_cannot_mend():
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


def test_gradients_do_not_flow_between_mini_batches():
    """The state that is carried on must come without its history, or the second backward would fail."""
    seen = []

    def rnn(inputs, H, W):
        seen.append(H)
        outputs = []
        for X in inputs:
            H = nd.tanh(nd.dot(X, W) + H)
            outputs.append(H)
        return outputs, H

    def get_params():
        params = [nd.random_normal(shape=(2, 2))]
        params[0].attach_grad()
        return params

    assert not autograd.is_recording()
    history, _ = utils.train_and_predict_rnn(
        rnn, False, 2, 3, 2, 0.1, 1.0, 2, 9, 3, [], get_params, lambda X: utils.to_onehot(X, 2), mx.cpu(),
        [0, 1, 1] * 10, ["a", "b"], {"a": 0, "b": 1},
    )  # fmt: skip
    assert len(history.loss) == 2
    assert float(seen[0].abs().sum().asscalar()) == 0
    assert float(seen[1].abs().sum().asscalar()) > 0

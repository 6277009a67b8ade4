"""Weights come back bit by bit, and a file that does not fit is refused in words."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from d2lutils import Vocab, load_tensors, save_tensors

VOCAB = Vocab("分开")
TENSORS = {"W": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.zeros(3)}


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "deep" / "weights.safetensors"
    save_tensors(file, TENSORS, VOCAB, step=7)
    return file


def test_what_goes_in_comes_out(path):
    tensors, info = load_tensors(path, {"W": (2, 3), "b": (3,)}, VOCAB)
    assert info["step"] == "7"
    for name, array in TENSORS.items():
        np.testing.assert_array_equal(tensors[name], array)
        assert tensors[name].dtype == array.dtype
    assert [file.name for file in path.parent.iterdir()] == ["weights.safetensors"]


@given(st.sampled_from([np.float32, np.float64, np.int64, np.uint8]), st.lists(st.integers(0, 4), max_size=3))
def test_any_kind_and_shape(tmp_path_factory, dtype, shape):
    file = tmp_path_factory.mktemp("any") / "x"
    array = np.random.default_rng(0).integers(0, 9, shape).astype(dtype)
    save_tensors(file, {"x": array.T})  # not contiguous
    loaded = load_tensors(file)[0]["x"]
    np.testing.assert_array_equal(loaded, array.T)
    assert (loaded.shape, loaded.dtype) == (array.T.shape, array.dtype)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"W": (2, 3)}, r"lacks nothing and has \['b'\] besides"),
        ({"W": (2, 3), "b": (3,), "c": ()}, r"lacks \['c'\]"),
        ({"W": (3, 2), "b": (3,)}, r"W in .* has shape \(2, 3\), the model expects \(3, 2\)"),
    ],
)
def test_another_model_is_refused(path, shapes, message):
    with pytest.raises(ValueError, match=message):
        load_tensors(path, shapes)


def test_another_vocabulary_is_refused(path):
    with pytest.raises(ValueError, match="another vocabulary"):
        load_tensors(path, vocab=Vocab("分离"))


def test_weights_without_a_vocabulary_are_not_taken_for_any(tmp_path):
    save_tensors(tmp_path / "w", TENSORS)
    with pytest.raises(ValueError, match="does not say which vocabulary"):
        load_tensors(tmp_path / "w", vocab=VOCAB)


def test_a_flipped_bit_is_noticed(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="damaged after it was saved"):
        load_tensors(path)


@pytest.mark.parametrize("tensors", [{"__metadata__": np.ones(2)}, {1: np.ones(2)}, {"W": np.array(["a"])}])
def test_what_could_not_be_read_again_is_not_written(path, tensors):
    before = path.read_bytes()
    with pytest.raises(ValueError, match="cannot save"):
        save_tensors(path, tensors)
    assert path.read_bytes() == before


def test_other_kinds_of_files_are_named(tmp_path, path):
    torch.save({"W": torch.zeros(2)}, tmp_path / "a.pt")
    np.savez(tmp_path / "a.npz", W=np.zeros(2))
    (tmp_path / "a.params").write_bytes(b"\x12\x01" + bytes(30))
    (tmp_path / "short").write_bytes(path.read_bytes()[:-1])
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "a.json").write_text(json.dumps({"W": [0]}), encoding="utf-8")
    for name, message in {
        "a.pt": "torch.load",
        "a.npz": "numpy.load",
        "a.params": "mxnet.nd.load",
        "short": "cut short",
        "empty": "cut short",
        "a.json": "cut short or is something else",
    }.items():
        with pytest.raises(ValueError, match=message):
            load_tensors(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        load_tensors(tmp_path / "nothing")


def test_a_failed_write_leaves_the_old_file(path, monkeypatch):
    before = path.read_bytes()
    with pytest.raises(ValueError, match="no tensors"):
        save_tensors(path, {})

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        save_tensors(path, TENSORS)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert len(list(path.parent.iterdir())) == 1

"""Weights in one file that every framework can read: safetensors, written in one step, checked when read.

Arrays go in and come out as NumPy; the caller converts a face's tensors (``tensor.numpy()``, ``array.asnumpy()``).
"""

import hashlib
import json
import os
from pathlib import Path

import numpy as np

__all__ = ["load_tensors", "save_tensors"]

# What files of other kinds begin with, and how they are read instead.
_OTHERS = {
    b"PK": "a zip, as torch.save and numpy.savez write it; load it with torch.load or numpy.load",
    b"\x80": "a pickle; load it with the program that wrote it",
    b"\x12\x01": "MXNet parameters; load them with mxnet.nd.load",
}


def save_tensors(path, tensors, vocab=None, **info):
    """Write named arrays to a file. The file appears whole or not at all.

    Args:
        path: where to, by custom ``….safetensors``; its folder is made if it is missing.
        tensors: dict from name to array (anything ``numpy.asarray`` takes; on the CPU and without gradient).
        vocab: Vocab that the weights belong to, remembered by its checksum.
        info: short facts to keep (settings, step, …), stored as strings.

    Raises:
        ValueError: nothing to write.
    """
    from safetensors.numpy import save

    if not tensors:
        raise ValueError("there are no tensors to save; give {name: array}")
    arrays = {name: np.asarray(array, order="C") for name, array in tensors.items()}
    for name, array in arrays.items():
        if not isinstance(name, str) or name == "__metadata__" or array.dtype.kind not in "biuf":
            raise ValueError(f"cannot save {name!r} of type {array.dtype}; names are strings, values real numbers")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    info = {key: str(value) for key, value in info.items()}
    if vocab is not None:
        info["vocab_sha256"] = _vocab_sha256(vocab)
    info["content_sha256"] = _content_sha256(arrays, info)
    data = save(arrays, info)
    part = path.with_name(f"{path.name}.part")  # what a killed process left behind is overwritten next time
    try:
        with open(part, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # on the disk before the old file goes
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def load_tensors(path, shapes=None, vocab=None):
    """Read what :func:`save_tensors` wrote.

    Args:
        path: the file.
        shapes: dict from name to shape that the model expects, or None to take whatever is there.
        vocab: Vocab of the model, or None not to check.

    Returns:
        dict from name to NumPy array, and the info as a dict of strings.

    Raises:
        FileNotFoundError: no such file. ValueError: it is cut short, of another framework, of other names or shapes,
            or belongs to another vocabulary.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}; run the cell that saves it, or check the path")
    try:
        with safe_open(path, "numpy") as file:
            info = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, OSError, TypeError, AttributeError) as error:  # the last two: types NumPy lacks
        raise ValueError(f"{path} {_what_is_wrong(path)} ({error})") from None
    if info.pop("content_sha256", None) not in (None, _content_sha256(tensors, info)):
        raise ValueError(
            f"{path} was damaged after it was saved: its contents do not match their checksum; save it anew"
        )
    _check_shapes(path, tensors, shapes)
    if vocab is not None and "vocab_sha256" not in info:
        raise ValueError(f"{path} does not say which vocabulary it belongs to; save it with vocab=, or load without")
    if vocab is not None and info["vocab_sha256"] != _vocab_sha256(vocab):
        raise ValueError(
            f"{path} was saved with another vocabulary (this one has {len(vocab)} tokens); its rows would stand for "
            "other tokens. Build the vocabulary from the same text and settings, or train anew"
        )
    return tensors, info


def _check_shapes(path, tensors, shapes):
    if shapes is None:
        return
    missing, surplus = sorted(set(shapes) - set(tensors)), sorted(set(tensors) - set(shapes))
    if missing or surplus:
        raise ValueError(
            f"{path} belongs to another model: it lacks {missing or 'nothing'} and has {surplus or 'nothing'} besides; "
            "build the model that it was saved from"
        )
    for name, shape in shapes.items():
        if tensors[name].shape != tuple(shape):
            raise ValueError(
                f"{name} in {path} has shape {tensors[name].shape}, the model expects {tuple(shape)}; build the model "
                "with the sizes that were saved"
            )


def _what_is_wrong(path):
    with open(path, "rb") as file:
        head = file.read(2)
    kind = next((kind for start, kind in _OTHERS.items() if head.startswith(start)), None)
    return f"is {kind}" if kind else "is no whole safetensors file: it was cut short or is something else; save it anew"


def _vocab_sha256(vocab):
    return hashlib.sha256(json.dumps(list(vocab.idx_to_token)).encode()).hexdigest()


def _content_sha256(arrays, info):
    digest = hashlib.sha256(json.dumps(info, sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.asarray(arrays[name], order="C")
        digest.update(f"{name} {array.dtype} {array.shape}".encode() + array.tobytes())
    return digest.hexdigest()

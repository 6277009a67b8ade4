"""Plain data as JSON, both ways, between the grader and the process that runs a submission. Nothing is unpickled."""

import base64
import json
import math

import numpy as np

from ..exercises.expect import Wrong
from ..exercises.registry import Unanswered, guarded

__all__ = ["Proxy", "answer", "decode", "encode"]

KINDS = "biufcU"  # of arrays that travel: numbers and text
LARGEST = 8 << 20  # bytes of an array that travels


class Opaque:
    """Something that does not travel; equal to nothing, so that no check passes with it."""

    def __init__(self, kind, text):
        self.kind, self.text = kind, text

    def __repr__(self):
        return self.text


def encode(value):
    """JSON text of numbers, text, arrays and containers of these."""
    return json.dumps(_pack(value))


def decode(text):
    """The inverse of :func:`encode`; ValueError if the text is not of its making."""
    try:
        return _unpack(json.loads(text))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a value from the other side: {type(error).__name__}") from error


def answer(name, arguments, space):
    """In the submission's process: call (or read) ``space[name]`` and encode what comes of it."""
    args, kwargs = decode(arguments)
    if name not in space:
        return encode(["unanswered", f"没有找到 {name}：那一格没有跑通，或者改了名字。"])
    try:
        return encode(["value", guarded(space[name], name)(*args, **kwargs)])
    except Wrong as wrong:
        return encode(["wrong", str(wrong), wrong.hint])
    except Unanswered:
        return encode(["unanswered"])


class Proxy:
    """In the grader's process: a function whose calls are answered by ``ask(arguments) -> encoded outcome``."""

    is_guarded = True  # the other side copies, converts and catches

    def __init__(self, ask):
        self.ask = ask

    def __call__(self, *args, **kwargs):
        try:
            kind, *rest = decode(self.ask(encode([args, kwargs])))
        except ValueError as error:
            raise Wrong(f"答案传不过来（{error}）。") from None
        if kind == "unanswered":
            raise Unanswered(*map(str, rest[:1]))
        if kind == "wrong":
            raise Wrong(*map(str, rest[:2]))
        return rest[0]


def _pack(value):
    if isinstance(value, np.ndarray) and value.dtype == object:
        value = value.tolist()
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in KINDS:
        if value.nbytes > LARGEST:
            return {"other": ["ndarray", f"形状为 {value.shape} 的数组，太大了"]}
        array = np.ascontiguousarray(value)
        data = base64.b64encode(array.tobytes()).decode()
        return {"array": [array.dtype.str, np.shape(value), data]}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return [_pack(item) for item in value]
    if isinstance(value, tuple | set | frozenset):
        return {"tuple" if isinstance(value, tuple) else "set": [_pack(item) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[_pack(key), _pack(item)] for key, item in value.items()]}
    return {"other": [type(value).__name__, repr(value)[:200]]}


def _unpack(value):
    if isinstance(value, list):
        return [_unpack(item) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, data),) = value.items()
    if kind == "array":
        dtype, shape, data = data
        if np.dtype(dtype).kind not in KINDS:
            raise ValueError(f"arrays of {dtype} do not travel")
        if math.prod(max(int(size), 1) for size in shape) > LARGEST:  # also of an array without elements
            raise ValueError(f"shape {shape} is too large")
        return np.frombuffer(base64.b64decode(data), dtype).reshape(shape).copy()[()]
    if kind == "dict":
        return {_unpack(key): _unpack(item) for key, item in data}
    if kind == "other":
        return Opaque(*map(str, data))
    return {"tuple": tuple, "set": set}[kind](_unpack(item) for item in data)

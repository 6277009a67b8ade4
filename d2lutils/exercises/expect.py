"""The words of a check: each returns quietly or raises :class:`Wrong` with a message and a hint that teaches."""

import numpy as np

__all__ = ["Wrong", "close", "equal", "items", "numbers", "that"]


SINGLE = 2e-4  # relative tolerance of an answer computed in float32


class Wrong(Exception):
    """An answer that is not right. ``str(wrong)`` says what is wrong, ``wrong.hint`` why it usually happens."""

    def __init__(self, message, hint=""):
        super().__init__(message)
        self.hint = hint


def that(condition, message, hint=""):
    """Ask for a property; the message says what was seen."""
    if not condition:
        raise Wrong(message, hint)


def items(got, count, hint="", what="返回值"):
    """``got`` as a list of ``count`` things; a tuple, a list or an array along its first axis will do."""
    if not isinstance(got, tuple | list | np.ndarray) or (isinstance(got, np.ndarray) and got.ndim == 0):
        raise Wrong(f"{_spaced(what)}应是 {count} 样东西的列表或元组，得到 {type(got).__name__}：{_short(got)}。", hint)
    if len(got) != count:
        raise Wrong(f"{_spaced(what)}应有 {count} 样，得到 {len(got)} 样。", hint)
    return list(got)


def numbers(got, shape=None, hint="", what="返回值"):
    """``got`` as a float array of the wanted shape.

    Args:
        got: what the answer returned. shape: the wanted one, None for any. hint: of a wrong shape. what: its name.
    """
    try:
        array = np.asarray(got)
        if array.dtype.kind not in "biufO" or np.ma.is_masked(got):
            raise TypeError
        array = array.astype(float)
    except (TypeError, ValueError):
        raise Wrong(f"{_spaced(what)}应是实数或实数的数组，得到 {type(got).__name__}：{_short(got)}。", hint) from None
    if shape is not None and array.shape != tuple(shape):
        raise Wrong(f"{_spaced(what)}的形状不对：应为 {tuple(shape)}，得到 {array.shape}。", hint)
    return array


def close(got, expected, hint="", slips=(), what="返回值", rtol=1e-6):
    """Ask for numbers equal up to ``rtol`` times the largest expected one.

    Args:
        got, expected: numbers or arrays. hint: if no slip explains the difference. what: how the message calls it.
        slips: pairs (value that a usual slip gives, the hint for it), looked at in turn.
    """
    array, expected = numbers(got, what=what), np.asarray(expected, dtype=float)
    rtol = max(rtol, SINGLE) if getattr(got, "dtype", None) == np.float32 else rtol
    for value, cause in slips:
        value = np.asarray(value, dtype=float)
        if (
            array.shape == value.shape
            and _near(array, value, rtol)
            and not (value.shape == expected.shape and _near(value, expected, rtol))
        ):
            raise Wrong(_difference(array, expected, what, rtol), cause)
    if array.shape != expected.shape or not _near(array, expected, rtol):
        raise Wrong(_difference(array, expected, what, rtol), hint)


def equal(got, expected, hint="", slips=(), what="返回值"):
    """Ask for the same integers, text or sequence; lists, tuples and integer arrays count alike."""
    got, expected = _bare(got), _bare(expected)
    if got == expected:
        return
    causes = [cause for value, cause in slips if _bare(value) == got]
    raise Wrong(_first_difference(got, expected, what), causes[0] if causes else hint)


def _near(array, expected, rtol):
    scale = np.abs(expected[np.isfinite(expected)]).max(initial=1e-300) if expected.size else 1
    return np.allclose(array, expected, rtol=0, atol=rtol * scale, equal_nan=True)


def _difference(array, expected, what, rtol):
    if array.shape != expected.shape:
        return f"{_spaced(what)}的形状不对：应为 {expected.shape}，得到 {array.shape}。"
    bad = ~np.isclose(array, expected, rtol=0, atol=rtol * np.abs(expected).max(initial=1e-300), equal_nan=True)
    place = tuple(map(int, np.argwhere(bad)[0])) if bad.any() else ()
    where = f"{_spaced(what)}不对，第一处在 {list(place)}" if place else f"{_spaced(what)}不对"
    return f"{where}：应为 {expected[place]:.6g}，得到 {array[place]:.6g}。"


def _first_difference(got, expected, what):
    if isinstance(got, list) and isinstance(expected, list):
        if len(got) != len(expected):
            return f"{_spaced(what)}应有 {len(expected)} 项，得到 {len(got)} 项：{_short(got)}。"
        place = next(i for i, (a, b) in enumerate(zip(got, expected, strict=True)) if a != b)
        return f"{_spaced(what)}的第 {place} 项（从 0 数）应为 {_short(expected[place])}，得到 {_short(got[place])}。"
    return f"{_spaced(what)}应为 {_short(expected)}，得到 {_short(got)}。"


def _spaced(what):
    """A space between a Latin letter and the Chinese that follows."""
    return f"{what} " if what[-1:].isascii() else what


def _bare(value):
    """Arrays and tuples as lists, NumPy numbers as Python's, all the way down."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_bare(item) for item in value]
    return {key: _bare(item) for key, item in value.items()} if isinstance(value, dict) else value


def _short(value, most=60):
    text = repr(value)
    return text if len(text) <= most else text[: most - 1] + "…"

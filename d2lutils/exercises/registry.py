"""What an exercise is, and how an answer to it is examined. The chapters' modules beside this one hold the checks."""

import copy
import importlib
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from .expect import Wrong

__all__ = ["CHAPTERS", "Chapter", "Exercise", "Result", "chapter", "examine", "exercises", "find", "guarded"]

CHAPTERS = ("rnn", "bptt", "gru", "gru-mxnet", "engine", "mlp", "word2vec", "word2vec-ptb", "tangshi")
KINDS = {"code": "编程", "experiment": "实验", "question": "笔答"}
MOST = 100_000  # items taken from an answer that is a generator


class Unanswered(Exception):
    """The stub is still as it was."""


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    Attributes:
        chapter: name of its notebook. number: counted from 1. name: of the function or value that answers it.
        title: Chinese. kind: a key of ``KINDS``. stars: difficulty, 1 to 3. minutes: expected time.
        examiner: ``examiner(answer, rng)`` raises :class:`~d2lutils.exercises.expect.Wrong`; None for a question.
        stronger: the hint of the second wrong try. predictions: what may be predicted; empty unless an experiment.
    """

    chapter: str
    number: int
    name: str
    title: str
    kind: str
    stars: int
    minutes: int
    examiner: object = None
    stronger: str = ""
    predictions: tuple = ()

    @property
    def id(self):
        return f"{self.chapter}-{self.number}"


@dataclass(frozen=True)
class Result:
    """What an examination found: ``status`` is "passed", "unanswered" or "wrong"; message and hint are Chinese."""

    status: str
    message: str = ""
    hint: str = ""


class Chapter:
    """The exercises of a chapter, in the order in which its module names them.

    Args:
        name: of the notebook, one of ``CHAPTERS``. title: Chinese.
    """

    def __init__(self, name, title):
        self.name, self.title, self.exercises = name, title, []

    def code(self, title, stars, minutes, stronger):
        """Decorator: ``def NAME(answer, rng)`` examines the reader's function (or value) NAME."""
        return lambda examiner: self._add(examiner.__name__, title, "code", stars, minutes, examiner, stronger)

    def experiment(self, title, stars, minutes, stronger, predictions):
        """Decorator as :meth:`code`; the examiner returns which of ``predictions`` the measurement shows."""
        more = (stronger, tuple(predictions))
        return lambda examiner: self._add(examiner.__name__, title, "experiment", stars, minutes, examiner, *more)

    def question(self, name, title, stars, minutes):
        """A question on paper: a worked answer in the book, no check."""
        self._add(name, title, "question", stars, minutes)

    def _add(self, name, title, kind, stars, minutes, examiner=None, stronger="", predictions=()):
        number = len(self.exercises) + 1
        self.exercises.append(
            Exercise(self.name, number, name, title, kind, stars, minutes, examiner, stronger, predictions)
        )
        return examiner


def chapter(name):
    """The :class:`Chapter` of a notebook; ValueError names those that exist."""
    if name not in CHAPTERS:
        raise ValueError(f"没有 {name!r} 这一章的练习；有：{'、'.join(CHAPTERS)}")
    return importlib.import_module(f".{name.replace('-', '_')}", __package__).chapter


def exercises(name=None):
    """All exercises in the book's order, or those of one chapter."""
    return [item for each in ([name] if name else CHAPTERS) for item in chapter(each).exercises]


def find(id):
    """The exercise with an id like ``rnn-1``; ValueError says what ids there are."""
    name, _, number = str(id).rpartition("-")
    for item in exercises(name) if name in CHAPTERS else ():
        if str(item.number) == number:
            return item
    known = f"{name}-1 到 {name}-{len(exercises(name))}" if name in CHAPTERS else "、".join(f"{n}-1" for n in CHAPTERS)
    raise ValueError(f"没有编号为 {id!r} 的练习；这里有 {known}")


def examine(exercise, answer, prediction=None, seed=None):
    """Examine an answer on fresh random input; never raises for what the answer does.

    Args:
        exercise: an :class:`Exercise` that has a check. answer: the reader's function or value. prediction: None does
            not ask for one. seed: None takes fresh entropy.

    Returns:
        A :class:`Result`.
    """
    if answer is ... or prediction is ...:
        return Result("unanswered")
    if prediction is not None and exercise.predictions and str(prediction) not in exercise.predictions:
        choices = "、".join(f"“{choice}”" for choice in exercise.predictions)
        return Result("unanswered", f"预测应是 {choices} 之一，得到 {prediction!r}。")
    try:
        with np.errstate(all="ignore"):
            call = answer if getattr(answer, "is_guarded", False) else guarded(answer, exercise.name)
            outcome = exercise.examiner(call, np.random.default_rng(seed))
    except Unanswered as why:
        return Result("unanswered", str(why))
    except Wrong as wrong:
        return Result("wrong", str(wrong), wrong.hint)
    except (Exception, SystemExit) as error:  # the answer is of a kind that the examiner did not think of
        said = f"返回值的样子不对，检查它时出现 {type(error).__name__}：{error}。"
        return Result("wrong", said, "对照题目里写的返回值：几样东西、什么类型、什么形状。")
    if not exercise.predictions or prediction is None:
        return Result("passed")
    told = "和你的预测一样。" if prediction == outcome else f"你的预测是“{prediction}”。想一想为什么，再看参考答案。"
    return Result("passed", f"实测是“{outcome}”，{told}")


def guarded(answer, name):
    """The answer as a function that works on copies, returns plain values and fails in words."""

    def call(*args, **kwargs):
        if answer is ...:
            raise Unanswered
        if not callable(answer):
            if args or kwargs:
                raise Wrong(
                    f"这里要交的是函数 {name} 本身，得到的是 {type(answer).__name__}。",
                    f"写 {name}，不要写 {name}(…)。",
                )
            return _plain(answer, name)
        try:
            value = answer(*copy.deepcopy(args), **copy.deepcopy(kwargs))
            return _plain(list(islice(value, MOST)) if isinstance(value, Iterator | deque | range) else value, name)
        except (Wrong, Unanswered, KeyboardInterrupt):
            raise
        except NotImplementedError:
            raise Unanswered from None
        except BaseException as error:
            said = f"{type(error).__name__}：{error}".rstrip("：")
            raise Wrong(
                f"{name} 抛出了 {said[:200]}{_line(answer)}。", _advice(error, inside=bool(_line(answer)))
            ) from None

    return call


def _line(answer):
    """In which line of the answer the exception being handled arose."""
    trace, found = sys.exc_info()[2], None
    code = getattr(answer, "__code__", None)
    while trace:
        if code and trace.tb_frame.f_code is code:
            found = trace.tb_lineno - code.co_firstlineno + 1
        trace = trace.tb_next
    return f"（在函数的第 {found} 行）" if found else ""


def _advice(error, inside):
    if isinstance(error, TypeError) and "argument" in str(error) and not inside:
        return "函数的参数要和题目给的一样，个数和次序都不要改。"
    if isinstance(error, (ValueError, IndexError)):
        return "把中间每个数组的 shape 打印出来，看哪一步和你想的不一样。"
    return "先在自己的例子上跑通，再来检查。"


def _plain(value, name):
    """Tensors as NumPy arrays; Ellipsis, also inside a tuple, means unanswered, None a missing return."""
    if value is ...:
        raise Unanswered
    if value is None:
        raise Wrong(f"{name} 没有返回值（得到 None）。", "是不是忘了写 return？")
    if isinstance(value, (tuple, list)):
        kind = tuple if isinstance(value, tuple) else list
        return kind(_plain(item, name) if item is ... or hasattr(item, "detach") else item for item in value)
    if hasattr(value, "detach"):
        return value.detach().cpu().numpy()
    return value.asnumpy() if hasattr(value, "asnumpy") else value

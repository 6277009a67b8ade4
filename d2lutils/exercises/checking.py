"""What the reader passed, kept in a local file; ``check`` and ``progress`` are all that a reader calls."""

import contextlib
import html
import json
import os
from collections import Counter
from datetime import date
from pathlib import Path

from .registry import CHAPTERS, KINDS, chapter, examine, exercises, find

__all__ = ["check", "progress"]

_wrong_tries = Counter()  # of this session


def check(id, answer=..., prediction=None):
    """Check an answer on fresh random input and say the outcome in Chinese. Never raises for what the answer does.

    Args:
        id: of the exercise, e.g. "rnn-1". answer: the reader's function or value; ``...`` is a stub. prediction: of an
            experiment, what the reader expects.
    """
    try:
        exercise = find(id)
    except ValueError as error:
        return print(f"✗ {error}")
    if exercise.kind == "question":
        return print(f"○ {id}：这一题写在纸上，没有自动检查；写完再展开参考答案。")
    if exercise.predictions and prediction is None and answer is not ...:
        return print(f'○ {id} 还没有作答：先写下预测，再写 check("{id}", {exercise.name}, prediction)。')
    result = examine(exercise, answer, prediction)
    if result.status == "passed":
        _wrong_tries.pop(id, None)
        _remember(id)
        return print(f"✓ {id} 通过。{result.message}")
    if result.status == "unanswered":
        what = "先写下预测，再把 ... 换成你的程序" if exercise.predictions else "把 ... 换成你的程序"
        return print(f"○ {id} 还没有作答：{result.message or f'{what}，再运行这一格。'}")
    _wrong_tries[id] += 1
    lines = [f"✗ {id} 不对：{result.message}", f"  提示：{result.hint}" if result.hint else ""]
    if _wrong_tries[id] > 1 and exercise.stronger:
        lines.append(f"  再提示：{exercise.stronger}")
    print("\n".join(filter(None, lines)))


def _path():
    """The file: ``D2LUTILS_PROGRESS`` (a folder gets ``progress.json``) or one in the user's data folder."""
    if own := os.environ.get("D2LUTILS_PROGRESS"):
        path = Path(os.path.expanduser(own))
        return path / "progress.json" if path.is_dir() else path
    from platformdirs import user_data_path

    return user_data_path("d2lutils", appauthor=False) / "progress.json"


def _passed():
    """Dates by id; a file that cannot be read is put aside, not overwritten."""
    path = _path()
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["passed"]
        return {str(id): str(day) for id, day in found.items()}
    except OSError:  # not there yet, or in a folder that cannot be read
        return {}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        aside = path.with_suffix(".broken")
        with contextlib.suppress(OSError):
            path.replace(aside)
        print(f"进度文件读不懂，已改名为 {aside}，从头记起。")
        return {}


def _remember(id):
    """Note a passed exercise; a folder that cannot be written costs a sentence, not the pass."""
    passed, path = _passed(), _path()
    if id in passed:
        return
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps({"passed": {**passed, id: date.today().isoformat()}}, indent=1), encoding="utf-8")
        part.replace(path)
    except OSError as error:
        print(f"（进度没有记下来：{error}）")


class Progress:
    """What is passed, a row a chapter; shows itself as a picture of boxes in a notebook, as text elsewhere."""

    def __init__(self, passed):
        self.passed = passed
        self.rows = [(chapter(name).title, [e for e in exercises(name) if e.examiner]) for name in CHAPTERS]

    def __repr__(self):
        lines = [
            f"{''.join('■' if e.id in self.passed else '□' for e in checks):<8} {self._count(checks)}  {title}"
            for title, checks in self.rows
        ]
        return "\n".join([*lines, self._total()])

    def _repr_html_(self):
        rows = "".join(
            f"<tr><td style='text-align:left'>{title}</td><td style='text-align:left'>"
            f"{''.join(map(self._box, checks))}</td><td>{self._count(checks)}</td></tr>"
            for title, checks in self.rows
        )
        return f"<table><tbody>{rows}</tbody></table><p>{self._total()}</p>"

    def _box(self, exercise):
        day = self.passed.get(exercise.id)
        tip = f"{exercise.id} {exercise.title}（{KINDS[exercise.kind]}）{day or ''}"
        color, box = ("#007a55", "■") if day else ("#767676", "□")
        return f'<span title="{html.escape(tip)}" style="color:{color}">{box}</span> '

    def _count(self, checks):
        return f"{sum(e.id in self.passed for e in checks)} / {len(checks)}"

    def _total(self):
        checks = [e for _, row in self.rows for e in row]
        return f"一共通过 {self._count(checks)}。"


def progress():
    """What this reader passed so far, as a small table."""
    return Progress(_passed())

"""Submitted notebooks of every kind, made from the solutions of the chapter ``rnn``."""

import json

import exercise_pages
from conftest import ROOT

CHECKED = [f"rnn-{number}" for number in range(1, 7)]
ALL, NONE = dict.fromkeys(CHECKED, "passed"), dict.fromkeys(CHECKED, "unanswered")
LOST = dict.fromkeys(CHECKED, "lost")

# What each kind adds in front of right answers (or instead of one), and what becomes of it.
TRICKS = {
    "right": "",
    "crashes": "1 / 0",
    "loops": "while True: pass",
    "fills memory": "hoard = []\nwhile True: hoard.append(bytearray(1 << 28))",
    "prints a gigabyte": "for _ in range(1000): print('x' * 1_000_000)",
    "deletes its folder": "import shutil, os\nshutil.rmtree(os.getcwd(), True); shutil.rmtree({folder!r}, True)",
    "writes a huge file": "open('f', 'wb').write(bytes(200 << 20))",
    "writes into the book": "import d2lutils\nopen(d2lutils.__file__, 'a').write('#')",
    "uses the network": "import socket\nsocket.create_connection(('127.0.0.1', {port}), 2).send(b'x')",
    "looks at the others": "import pathlib\nassert list(pathlib.Path({folder!r}).rglob('*.ipynb'))",
    "looks for sockets": "import glob\nassert len(glob.glob('/tmp/tmp*')) > 1",
    "looks for the solutions": "import glob\nassert glob.glob({root!r} + '/book/*/*')",
    "looks for secrets": "import os\nassert os.environ['CLASS_SECRET']",
    "turns the kernel's knobs": "open('/proc/sys/kernel/core_pattern', 'r+').close()",
    "fills the root": "open('/dev/f', 'w')",
    "unmounts": "import os\nassert os.system('mount -o remount,rw,bind / || umount {folder}') == 0",
    "talks to its standard output": "import os\nos.write(1, b'{{}}')\nos.write(2, b'x')",
}
FAILING = {
    "starts many processes": ("import os, time\nfor _ in range(500):\n    if os.fork() == 0: time.sleep(900)", LOST),
    "fills memory with its children": (
        "import os, time\nfor _ in range(9):\n    if os.fork() == 0:\n        hoard = b'x' * (500 << 20)\n"
        "        time.sleep(900)\ntime.sleep(3)",
        LOST,
    ),
    "exits": ("import os\nos._exit(3)", LOST),
    "cannot be interrupted": ("import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass", LOST),
    "piles up files": (
        "import os\nfrom ipykernel.kernelapp import IPKernelApp\n"
        "folder = os.path.dirname(IPKernelApp.instance().abs_connection_file)\n"
        "for i in range(99): open(os.path.join(folder, str(i)), 'w').close()",
        LOST,
    ),
    "kills its kernel": ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", LOST),
}
CHEATS = {
    "imports the reference": "from d2lutils.exercises.rnn import rnn_states\n"
    "rnn_forward = lambda *a: (rnn_states(*a)[1:], rnn_states(*a)[-1])",
    "speaks in broken tongues": "def one_hot_steps(X, V):\n"
    "    raise ValueError('\\ud800 x\\u2028y\\x85z' + 'A' * 10**6)",
    "replaces the check": "import d2lutils.exercises as e\ne.examine = lambda *a, **k: e.Result('passed')",
    "replaces the messenger": "from d2lutils.grading import values\nvalues.answer = lambda *a: '[\"value\", 1]'",
    "replaces NumPy's eyes": "import numpy as np\nnp.allclose = np.isclose = lambda *a, **k: True",
    "answers with a chameleon": "class Yes:\n    __eq__ = lambda *a: True\n    __len__ = lambda *a: 6\n"
    "one_hot_steps = rnn_forward = clip_gradients = consecutive_batches = lambda *a: Yes()\n"
    "sequence_perplexity = share_continued = lambda *a: Yes()",
    "answers with a gigabyte": "one_hot_steps = lambda X, V: np.ones((1 << 27,))",
    "answers never": "def one_hot_steps(X, V):\n    while True: pass",
}
BROKEN = {"empty": "", "no JSON": "{", "a list": "[]", "no notebook": '{"cells": 3}', "binary": "\x00\x01\udcff"}


def notebook(*cells):
    """The text of a notebook of these code cells."""
    made = [{"cell_type": "code", "source": text, "metadata": {}, "outputs": []} for text in cells]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def parts(solved=True):
    """The student's cells: imports, then answer and check in turn."""
    found, stubs = exercise_pages.solutions("rnn")
    cells = ["import numpy as np\nfrom d2lutils.exercises import check, progress"]
    for id in CHECKED:
        cells += [(found if solved else stubs)[id], f'check("{id}", 0)']
    return cells


def submissions(count, folder, port):
    """``count`` triples (name, text, what results it should get), every kind in turn."""
    right = parts()
    made = [(kind, notebook(right[0], trick.format(folder=str(folder), port=port, root=str(ROOT)), *right[1:]), ALL)
            for kind, trick in TRICKS.items()]  # fmt: skip
    made += [(kind, notebook(trick, *right), result) for kind, (trick, result) in FAILING.items()]
    stubs = parts(solved=False)
    made += [(kind, notebook(*stubs, trick), None) for kind, trick in CHEATS.items()]
    made += [(kind, text, {}) for kind, text in BROKEN.items()]
    made += [
        ("stubs", notebook(*stubs), NONE),
        ("no exercises", notebook("print(1)"), {}),
        ("one wrong", notebook(*right, "def one_hot_steps(X, V):\n    return X"), {**ALL, "rnn-1": "wrong"}),
        ("=SUM(1)", notebook(*right), ALL),
        ("\u2028 \x85", notebook(*right), ALL),
        ("李雷 的/练习", notebook(*right), ALL),
    ]
    cheap = (
        "right",
        "crashes",
        "stubs",
        "one wrong",
        "=SUM(1)",
        "李雷 的/练习",
        "replaces the check",
        "no JSON",
        "exits",
    )
    again = [each for each in made if each[0] in cheap]
    while len(made) < count:
        kind, text, result = again[len(made) % len(again)]
        made.append((f"{kind} {len(made)}", text, result))
    return made

"""Plausible wrong answers to the exercises of the chapter ``tangshi``, each with a piece of the hint it should get."""

from functools import cache

import numpy as np

from d2lutils import poetry


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(X, layers, swap=False, squash=True, keep=True, carry=False, top=False):
    H, source = None, X
    for W_x, W_h, b in layers:
        if H is None or not carry:
            H, C = np.zeros((2, X.shape[1], len(W_h)))
        outputs = []
        for X_t in source if top else X:
            I, F, G, O = np.split(X_t @ W_x + H @ W_h + b, 4, axis=1)  # noqa: E741
            G, O = (O, G) if swap else (G, O)  # noqa: E741
            C = sigmoid(F) * C * keep + sigmoid(I) * np.tanh(G)
            H = sigmoid(O) * (np.tanh(C) if squash else C)
            outputs.append(H)
        X = np.stack(outputs)
    return X


def padded(sequences, pad, fill=None, transpose=False, same=False, mask=None):
    longest, lengths = max(map(len, sequences)), np.array([len(s) for s in sequences])
    table = np.full((longest, len(sequences)), pad if fill is None else fill)
    for i, sequence in enumerate(sequences):
        table[: len(sequence), i] = sequence
    X, Y = table[:-1], table[:-1] if same else table[1:]
    right = np.arange(longest - 1)[:, None] < lengths - 1
    right = right if mask is None else mask(X, Y, right)
    return (X.T, Y.T, right.T) if transpose else (X, Y, right)


def chunked(H, W, b, y, chunk_size, add=True, minus=1, tail=True, stable=True, flip=False):
    total, dH, dW, db = 0, np.zeros_like(H), 0, 0
    for i in range(0, len(H) if tail else len(H) // chunk_size * chunk_size, chunk_size):
        h, target = H[i : i + chunk_size], y[i : i + chunk_size]
        rows, S = np.arange(len(h)), h @ W.T + b
        S = S - S.max(1, keepdims=True) if stable else S
        P = np.exp(S) / np.exp(S).sum(1, keepdims=True)
        total -= np.log(P[rows, target]).sum()
        P[rows, target] -= minus
        dH[i : i + chunk_size] = P @ W
        dW, db = (dW if add else 0) + P.T @ h, (db if add else 0) + P.sum(0)
    return total, dH, dW.T if flip else dW, db


def plain(H, W, b, y, chunk_size):
    return chunked(H, W, b, y, len(H))


def descent(scores, label, lr, num_steps, relu=True, masked=True, after=False):
    losses = []
    for _ in range(num_steps + after):
        shown = np.maximum(scores, 0) if relu else scores
        P = np.exp(shown) / np.exp(shown).sum()
        losses.append(-np.log(P[label]))
        P[label] -= 1
        scores = scores - lr * P * ((shown > 0) if masked and relu else 1)
    return np.array(losses[after:])


def probs(logits, allowed, top_p, first=True, mask=True, inclusive=True, again=True, stable=True):
    logits = np.where(allowed, logits, -np.inf) if mask and first else logits
    p = np.exp(logits - logits.max() * stable)
    p /= p.sum()
    order = np.argsort(-p)
    mass = np.cumsum(p[order])
    kept = order[mass - p[order] < top_p] if inclusive else order[mass <= top_p]
    out = np.zeros_like(p)
    out[kept] = p[kept]
    out = out if first or not mask else out * allowed
    return out / out.sum() if again else out


@cache
def writer():
    return poetry.load_poem_model()


def poems(firsts, form, seed, **more):
    return {first: writer().write(first, form, **{"seed": seed, **more}) for first in firsts}


def random_poem(first, form, seed):
    """The form is right, the characters are any of the vocabulary."""
    rng = np.random.default_rng([seed, ord(first)])
    num_lines, length = poetry.FORMS[form]
    tokens = [token for token in writer().vocab.idx_to_token[100:] if len(token) == 1]
    lines = ["".join(rng.choice(tokens, length)) for _ in range(num_lines)]
    lines[0] = first + lines[0][1:]
    return "".join(line + "，。"[i % 2] for i, line in enumerate(lines))


WRONG = {
    "tangshi-2": [
        (lambda X, layers: lstm(X, layers, swap=True), "第三组是候选"),
        (lambda X, layers: lstm(X, layers, squash=False), "再?过一次 tanh"),
        (lambda X, layers: lstm(X, layers, keep=False), "C 要传给下一步"),
        (lambda X, layers: lstm(X, layers, carry=True), "带进了第二层"),
        (lambda X, layers: lstm(X, layers, top=True), "不是原来的 X"),
        (lambda X, layers: lstm(X, layers)[-1], "每一步的隐状态"),
    ],
    "tangshi-3": [
        (lambda sequences, pad: padded(sequences, pad, transpose=True), "时间在最前"),
        (lambda sequences, pad: padded(sequences, pad, fill=0), "不是 0"),
        (lambda sequences, pad: padded(sequences, pad, same=True), "移一位"),
        (lambda sequences, pad: padded(sequences, pad, mask=lambda X, Y, right: pad != X), "看 Y，不看 X"),
        (lambda sequences, pad: padded(sequences, pad, mask=lambda X, Y, right: np.ones(Y.shape, bool)), "怎样猜 pad"),
    ],
    "tangshi-4": [
        (lambda *args: chunked(*args, add=False), "要累加"),
        (lambda *args: chunked(*args, minus=0), "要减 1"),
        (lambda *args: chunked(*args, tail=False), "不满一块"),
        (lambda *args: chunked(*args, flip=True), "和 W 一样"),
        (lambda *args: chunked(*args, stable=False), "溢出"),
        (plain, "同时存在过"),
    ],
    "tangshi-5": [
        (lambda *args: descent(*args, relu=False), "没有过 ReLU"),
        (lambda *args: descent(*args, masked=False), r"\(scores > 0\)"),
        (lambda *args: descent(*args, after=True), "先记下损失"),
    ],
    "tangshi-7": [
        (lambda *args: probs(*args, mask=False), "没有用 allowed"),
        (lambda *args: probs(*args, first=False), "次序反了|重新归一"),
        (lambda *args: probs(*args, inclusive=False), "也要留下"),
        (lambda *args: probs(*args, again=False), "重新归一"),
        (lambda logits, allowed, top_p: probs(logits, allowed, 1.0), "没有取 top-p"),
        (lambda *args: probs(*args, stable=False), "减去最大值"),
        (
            lambda logits, allowed, top_p: probs(np.where(allowed, logits, 0), allowed | True, top_p),
            "还会有概率|次序反了",
        ),
    ],
    "tangshi-8": [
        (lambda firsts, form, seed: poems(firsts, form, 0), "seed=seed"),
        (lambda firsts, form, seed: poems(firsts, form, seed, temperature=0), "温度不要是 0"),
        (lambda firsts, form, seed: poems(firsts, None, seed), "form 传给"),
        (lambda firsts, form, seed: poems(firsts, form, None), "两次写得不一样"),
        (lambda firsts, form, seed: {c: writer().write(form=form, seed=seed) for c in firsts}, "首字作"),
        (lambda firsts, form, seed: poems("日红山夜湖海月", "五绝", seed), "不多不少|form 传给"),
        (lambda firsts, form, seed: list(poems(firsts, form, seed).values()), "应返回字典"),
        (lambda firsts, form, seed: {c: random_poem(c, form, seed) for c in firsts}, "随便拼"),
    ],
}

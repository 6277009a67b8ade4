"""Plausible wrong answers to the exercises of the chapter ``mlp``, each with a piece of the hint it should get."""

import numpy as np


def cut(text, T):
    return [(text[i : i + T], text[i + T]) for i in range(len(text) - T)]


def smooth(row, delta):
    return (row + delta) / (row.sum() + delta * len(row))


def longest(counts, context):
    row = counts[0]
    for n in range(1, len(counts)):
        longer = counts[n][tuple(context[-n:])]
        row = longer if longer.sum() > 0 else row
    return row


def wrong_end(counts, context, delta):
    row = counts[0]
    for n in range(1, len(counts)):
        longer = counts[n][tuple(context[:n])]
        row = longer if longer.sum() > 0 else row
    return smooth(row, delta)


def word_by_word(counts, context, delta):
    probs = smooth(counts[0], delta)
    for n in range(1, len(counts)):
        row = counts[n][tuple(context[-n:])]
        probs = np.where(row > 0, smooth(row, delta), probs)
    return probs


def one_step_back(counts, context, delta):
    row = counts[-1][tuple(context)]
    return smooth(row if row.sum() > 0 else counts[-2][tuple(context[1:])], delta)


def straight_to_the_bottom(counts, context, delta):
    row = counts[-1][tuple(context)]
    return smooth(row if row.sum() > 0 else counts[0], delta)


def two_tables(counts, context, delta):
    for row in (counts[2][context], counts[1][context[1]]):
        if row.sum() > 0:
            return smooth(row, delta)
    return smooth(counts[0], delta)


def without_delta_when_empty(counts, context, delta):
    row = longest(counts, context)
    return smooth(row, delta) if row.sum() > 0 else row


def forward(params, X, join=lambda vectors: vectors.reshape(len(vectors), -1), activate=np.tanh):
    E, W_1, b_1, W_2, b_2 = params
    return activate(join(E[X]) @ W_1 + b_1) @ W_2 + b_2


def softmax(scores):
    exps = np.exp(scores - scores.max(1, keepdims=True))
    return exps / exps.sum(1, keepdims=True)


def entropy(scores, y, P=softmax, scale=1, sign=1):
    probs, rows = P(scores), np.arange(len(y))
    loss = -np.log(probs[rows, y]).mean()
    dO = probs.copy()
    dO[rows, y] -= 1
    return loss, sign * dO / len(y) * scale


def unstable(scores):
    return np.exp(scores) / np.exp(scores).sum(1, keepdims=True)


def shortcut(params, X, dO, deep=1, direct=1, slope=True, add=True, over=1):
    E, W_1, b_1, W_2, _, W_3 = params
    x = E[X].reshape(len(X), -1)
    H = np.tanh(x @ W_1 + b_1)
    dA = dO @ W_2.T * (1 - H * H if slope else 1)
    dx = (deep * dA @ W_1.T + direct * dO @ W_3.T).reshape(*X.shape, -1)
    dE = np.zeros_like(E)
    if add:
        np.add.at(dE, X, dx)
    else:
        dE[X] += dx
    return x.T @ dO / over, dE


def both(X, dX, vocab_size):
    right, wrong = np.zeros((2, vocab_size, dX.shape[-1]))
    np.add.at(right, X, dX)
    wrong[X] += dX
    return right, wrong


def same_table(X, dX, vocab_size):
    right = wrong = np.zeros((vocab_size, dX.shape[-1]))
    np.add.at(right, X, dX)
    wrong[X] += dX
    return np.abs(right - wrong).max(1)


WRONG = {
    "mlp-1": [
        (lambda names, T: cut("." * T + "".join(n + "." for n in names), T), "上一个名字"),
        (lambda names, T: [p for n in names for p in cut("." * T + n, T)], "名字的结尾"),
        (lambda names, T: [p for n in names for p in cut(n + ".", T)], "开头没有补"),
        (lambda names, T: [p for n in names for p in cut("." + n + ".", T)], "只补了一个"),
        (lambda names, T: [(w, c) for n in names for c, w in cut("." * T + n + ".", T)], "次序反了"),
    ],
    "mlp-2": [
        (lambda counts, context, delta: smooth(counts[-1][tuple(context)], delta), "不回退的平滑"),
        (lambda counts, context, delta: longest(counts, context) / longest(counts, context).sum(), "没有加 δ"),
        (lambda counts, context, delta: smooth(counts[len(context) - 1][tuple(context[1:])], delta), "最长的那张表"),
        (wrong_end, "丢错了一头"),
        (word_by_word, "加起来不是 1"),
        (straight_to_the_bottom, "一下子退到了底"),
        (one_step_back, "最短的上下文是空的"),
        (two_tables, "表的张数|IndexError"),
        (without_delta_when_empty, "只剩 δ"),
    ],
    "mlp-3": [
        (lambda params, X: forward(params, X, activate=lambda a: a), "少了 tanh"),
        (lambda params, X: softmax(forward(params, X)), "已经是概率"),
        (lambda params, X: forward(params, X, lambda v: v.transpose(0, 2, 1).reshape(len(v), -1)), "拼接的次序乱了"),
        (lambda params, X: forward(params, X.T, lambda v: v.reshape(v.shape[1], -1)), "不用转置"),
        (lambda params, X: forward(params, X[:, ::-1]), "从旧到新"),
        (lambda params, X: forward(params, X, lambda v: v.sum(1)), "shape"),
        (lambda params, X: forward([*params[:4], 0], X), "少了偏置 b_2"),
    ],
    "mlp-4": [
        (lambda scores, y: (entropy(scores, y)[0] * len(y), entropy(scores, y)[1]), "不是平均"),
        (lambda scores, y: entropy(scores, y, scale=len(y)), "少除了 n"),
        (lambda scores, y: entropy(scores, y, sign=-1), "符号反了"),
        (lambda scores, y: (entropy(scores, y)[0], softmax(scores) / len(y)), "在答案处减 1"),
        (lambda scores, y: entropy(scores, y, P=unstable), "溢出了"),
        (entropy, "下溢成 0"),
        (lambda scores, y: entropy(scores, y)[0], "返回损失和梯度"),
    ],
    "mlp-5": [
        (lambda params, X, dO: shortcut(params, X, dO, direct=0), "近路也要送回"),
        (lambda params, X, dO: shortcut(params, X, dO, deep=0), "经过隐藏层的"),
        (lambda params, X, dO: shortcut(params, X, dO, slope=False), "少了 tanh 的导数"),
        (lambda params, X, dO: shortcut(params, X, dO, add=False), r"只留下最后一次"),
        (lambda params, X, dO: shortcut(params, X, dO, over=len(X)), "不要再除一次"),
        (lambda params, X, dO: (shortcut(params, X, dO)[0].T, 0), "转置了"),
        (lambda params, X, dO: shortcut(params, X, dO)[::-1], "输入的转置乘 dO"),
    ],
    "mlp-6": [
        (lambda X, dX, V: np.subtract(*both(X, dX, V)).any(1), "不只是差不差"),
        (lambda X, dX, V: np.abs(np.subtract(*both(X, dX, V))).sum(1), "不是求和"),
        (lambda X, dX, V: np.abs(np.subtract(*both(X, dX, V))), "每一行一个数"),
        (lambda X, dX, V: np.abs(both(X, dX, V)[0]).max(1), "这是累加的结果"),
        (same_table, "指着同一个数组"),
        (lambda X, dX, V: both(X, dX, V)[1].max(1) - both(X, dX, V)[0].max(1), "相减"),
    ],
}

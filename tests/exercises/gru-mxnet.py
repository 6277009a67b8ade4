"""Plausible wrong answers to the exercises of the chapter ``gru-mxnet``, each with a piece of its hint."""

import math

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gluon(X, H, W_x, W_h, b_x, b_h, swap=False, form="right", keep=True):
    X_parts, H_parts = np.split(X @ W_x.T, 3, axis=1), np.split(H @ W_h.T, 3, axis=1)
    (b_xr, b_xz, b_xn), (b_hr, b_hz, b_hn) = np.split(b_x, 3), np.split(b_h, 3)
    R, Z = sigmoid(X_parts[0] + H_parts[0] + b_xr + b_hr), sigmoid(X_parts[1] + H_parts[1] + b_xz + b_hz)
    if swap:
        R, Z = Z, R
    x, W_n = X_parts[2] + b_xn, np.split(W_h, 3)[2]
    inside = {
        "right": x + R * (H_parts[2] + b_hn),
        "outside": x + R * H_parts[2] + b_hn,
        "early": x + (R * H) @ W_n.T + b_hn,
        "all": R * (x + H_parts[2] + b_hn),
    }
    H_tilde = np.tanh(inside[form])
    return Z * H + (1 - Z) * H_tilde if keep else (1 - Z) * H + Z * H_tilde


def fancy_add(X, G, vocab_size):
    dW = np.zeros((vocab_size, G.shape[-1]))
    dW[X] += G
    return dW, G.sum((0, 1))


def added(X, G, vocab_size):
    dW = np.zeros((vocab_size, G.shape[-1]))
    np.add.at(dW, X, G)
    return dW


def guessed_size(X, G, vocab_size):
    return added(X, G, X.max() + 1), G.sum((0, 1))


def norm_of(grads):
    return math.sqrt(sum((g**2).sum() for g in grads))


def clipped(grads, theta):
    return [g * min(1, theta / norm_of(grads)) for g in grads]


def summed(grads, num_labels):
    return [g * num_labels for g in grads]


def flat_only(a, b):
    if not isinstance(b, np.ndarray):
        return 0.0
    return np.abs(a - b).max() / np.abs(b).max() if a.shape == b.shape else np.inf


def nested(a, b, leaf):
    if isinstance(b, dict):
        return max(nested(a[key], b[key], leaf) for key in b)
    if isinstance(b, list | tuple):
        return max(nested(x, y, leaf) for x, y in zip(a, b, strict=True))
    return leaf(a, b)


def relative(a, b):
    return np.abs(a - b).max() / np.abs(b).max()


def no_nan(a, b):
    if a.shape != b.shape:
        return np.inf
    return relative(a, b)


def no_shape(a, b):
    return relative(a, b) if np.isfinite(relative(a, b)) else np.inf


def error(sums, values):
    return np.mean([abs(float(s) - math.fsum(row)) for s, row in zip(sums, values, strict=True)])


def running(values):
    return np.cumsum(values, axis=1)[:, -1]


def pairwise(values):
    while values.shape[1] > 1:
        values = values[:, ::2] + values[:, 1::2]
    return values[:, 0]


WRONG = {
    "gru-mxnet-1": [
        (lambda stacked: [part.T for part in np.split(stacked, 3)], "次序没有换"),
        (lambda stacked: [np.split(stacked, 3)[i] for i in (1, 0, 2)], "还要转置"),
        (lambda stacked: [p.reshape(p.shape[::-1]) for p in np.split(stacked, 3)], "reshape 只改形状"),
        (
            lambda stacked: [np.split(stacked, 3)[i].reshape(stacked.shape[1], -1) for i in (1, 0, 2)],
            "reshape 只改形状",
        ),
        (lambda stacked: np.split(stacked, 3)[0].T, "返回三份"),
    ],
    "gru-mxnet-2": [
        (lambda *a: gluon(*a, form="outside"), "里面"),
        (lambda *a: gluon(*a, form="early"), "先乘 R 后乘权重"),
        (lambda *a: gluon(*a, form="all"), "只管来自 H"),
        (lambda *a: gluon(*a, swap=True), "认反了"),
        (lambda *a: gluon(*a, keep=False), "正好反了"),
        (lambda *a: gluon(*a[:5], 0 * a[5]), "没有用上"),
    ],
    "gru-mxnet-3": [
        (fancy_add, "np.add.at"),
        (lambda X, G, V: (added(X, G, V) / X.size, G.sum((0, 1))), "不要再除以个数"),
        (guessed_size, "没有出现的字也占一行"),
        (lambda X, G, V: (added(X, G, V), G.mean((0, 1))), "求和，不是平均"),
        (lambda X, G, V: (added(X, G, V), G.sum(0)), "两个轴都要加掉"),
    ],
    "gru-mxnet-4": [
        (lambda grads, n, theta, lr: [-lr * g for g in clipped(grads, theta)], "大 num_labels 倍"),
        (lambda grads, n, theta, lr: [-lr * n * g for g in clipped(grads, theta)], "次序反了"),
        (lambda grads, n, theta, lr: [-lr * g / n for g in clipped(summed(grads, n), theta)], "不要再除以 num_labels"),
        (lambda grads, n, theta, lr: [lr * g for g in clipped(summed(grads, n), theta)], "符号反了"),
        (lambda grads, n, theta, lr: clipped(summed(grads, n), theta), "还要乘 −lr"),
        (lambda grads, n, theta, lr: [-lr * theta * g / norm_of(grads) for g in grads], "不缩短，更不放大"),
        (lambda grads, n, theta, lr: [-lr * clipped([n * g], theta)[0] for g in grads], "各自裁剪"),
    ],
    "gru-mxnet-5": [
        (flat_only, "里层的字典"),
        (lambda a, b: nested(a, b, lambda a, b: np.abs(a - b).max()), "绝对差别"),
        (lambda a, b: nested(a, b, lambda a, b: np.abs(a - b).mean()), "取最大|平均"),
        (lambda a, b: nested(a, b, lambda a, b: (a - b).max() / np.abs(b).max()), "绝对值"),
        (lambda a, b: nested(a, b, lambda a, b: (np.abs(a - b) / np.abs(b)).max()), "逐个元素地相除"),
        (lambda a, b: nested(a, b, lambda a, b: np.abs(a - b).max() / np.abs(a).max()), "以 b 为准"),
        (lambda a, b: nested(a, b, no_nan), "NaN 与谁比都是假"),
        (lambda a, b: nested(a, b, no_shape), "悄悄地广播"),
    ],
    "gru-mxnet-6": [
        (lambda v: (error(v.sum(1), v), error(pairwise(v), v)), "np.sum 自己就会分段"),
        (lambda v: (error(running(v), v), error(v.sum(1), v)), "np.sum 是分段相加"),
        (lambda v: (error(running(v.astype(float)), v), error(pairwise(v), v)), "双精度"),
        (lambda v: (error(pairwise(v), v), error(running(v), v)), "次序反了"),
        (lambda v: (np.mean(running(v) - [math.fsum(r) for r in v]), error(pairwise(v), v)), "先取绝对值"),
    ],
}

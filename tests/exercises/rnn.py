"""Plausible wrong answers to the exercises of the chapter ``rnn``, each with a piece of the hint it should get."""

import numpy as np


def no_recurrence(X, H, W_xh, W_hh, b_h):
    states = np.stack([np.tanh(X_t @ W_xh + H @ W_hh + b_h) for X_t in X])
    return states, states[-1]


def from_zero(X, H, W_xh, W_hh, b_h):
    states, H = [], np.zeros_like(H)
    for X_t in X:
        H = np.tanh(X_t @ W_xh + H @ W_hh + b_h)
        states.append(H)
    return np.stack(states), H


def linear(X, H, W_xh, W_hh, b_h):
    states = []
    for X_t in X:
        H = X_t @ W_xh + H @ W_hh + b_h
        states.append(H)
    return np.stack(states), H


def norm_of(grads):
    return np.sqrt(sum((g**2).sum() for g in grads))


def rows_first(text, batch_size, num_steps):
    size = batch_size * num_steps
    for i in range(0, len(text) - size, size):
        X, Y = text[i : i + size], text[i + 1 : i + size + 1]
        yield X.reshape(batch_size, num_steps), Y.reshape(batch_size, num_steps)


def same_labels(text, batch_size, num_steps):
    length = len(text) // batch_size
    rows = text[: batch_size * length].reshape(batch_size, length)
    for i in range(0, length - num_steps, num_steps):
        yield rows[:, i : i + num_steps], rows[:, i : i + num_steps]


def overlapping(text, batch_size, num_steps):
    length = len(text) // batch_size
    rows = text[: batch_size * length].reshape(batch_size, length)
    for i in range(length - num_steps):
        yield rows[:, i : i + num_steps], rows[:, i + 1 : i + num_steps + 1]


def nll(logits, labels):
    log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return -np.take_along_axis(log_probs, labels[..., None], -1)[..., 0]


WRONG = {
    "rnn-1": [
        (lambda X, V: np.eye(V)[X], "先转置"),
        (lambda X, V: np.eye(V)[X].reshape(*X.T.shape, V), "不会交换两个轴"),
        (lambda X, V: X.T, "不是独热编码"),
        (lambda X, V: np.eye(X.max() + 1)[X.T], "不要从 X 里猜"),
    ],
    "rnn-2": [(no_recurrence, "给 H 重新赋值"), (from_zero, "从全 0 开始"), (linear, "少了 tanh")],
    "rnn-3": [
        (lambda grads, theta: [g * min(1, theta / np.linalg.norm(g)) for g in grads], "各自裁剪"),
        (lambda grads, theta: [np.clip(g, -theta, theta) for g in grads], "方向会变"),
        (lambda grads, theta: [g * theta / norm_of(grads) for g in grads], "原样不动"),
        (lambda grads, theta: grads, "没有缩短"),
    ],
    "rnn-4": [
        (rows_first, "首尾相接"),
        (same_labels, "右移一位"),
        (overlapping, "接着上一批的末尾"),
    ],
    "rnn-5": [
        (lambda logits, labels: nll(logits, labels).mean(), "还要取 exp"),
        (lambda logits, labels: np.exp(nll(logits, labels)).mean(), "先平均再取 exp"),
        (lambda logits, labels: np.exp(nll(logits, labels).sum(0)).mean(), "均匀|词典大小"),
        (lambda logits, labels: np.exp(nll(logits, labels).mean()), "溢出"),
        (lambda logits, labels: np.exp(nll(logits - logits.max(), labels).mean()), "各减去自己的最大值"),
    ],
    "rnn-6": [
        (lambda starts, T: (starts[:-1] + T == starts[1:]).sum(), "占比应是 1"),
        (lambda starts, T: (starts[:-1] + T == starts[1:]).any(1).mean(), "按行算"),
        (lambda starts, T: (starts[:-1] == starts[1:]).mean(), "占比应是 1"),
    ],
}

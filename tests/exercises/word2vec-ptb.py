"""Plausible wrong answers to the exercises of the chapter ``word2vec-ptb``, with a piece of the hint for each."""

import numpy as np


def share(counts, threshold):
    return counts / counts.sum() / threshold


def band(owners, sizes, window, cross=False, center=False, fixed=False, shift=True):
    L = len(sizes)
    distance = np.arange(L + 2 * window) - np.arange(L)[:, None] - window * shift
    near = np.abs(distance) <= (window if fixed else sizes[:, None])
    same = cross | (owners == owners[window : window + L, None])
    return near & same & (center | (distance != 0))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def segment(v, u, u_noise, mask, num_noise, count=True, divide=True, sign=1, half=False, whole=False, plain=False):
    M = len(u_noise) if divide else 1
    weight = (mask.sum(1, keepdims=True) if count else 1) * num_noise / M
    S, S_noise = v @ u.T, v @ u_noise.T
    loss = (np.logaddexp(0, -S) * mask).sum() + (np.logaddexp(0, sign * S_noise) * weight).sum()
    G = (sigmoid(S) - 1) * (1 if whole else mask)
    G_noise = sigmoid(S_noise) * weight
    dv = G @ u + (0 if half else G_noise @ u_noise)
    return loss, dv, G.T @ v, (sigmoid(S_noise) if plain else G_noise).T @ v


def ranked(scores, word, k, exclude=True):
    return [i for i in np.argsort(-scores) if not exclude or i != word][:k]


def cosines(vectors, word, zero=1):
    norms = np.linalg.norm(vectors, axis=1)
    units = vectors / np.where(norms > 0, norms, zero)[:, None]
    return units @ units[word]


def ratio(g, separate, shared, rows=True, weight=True):
    L, Kc = separate.shape[1:]
    scale = (L if rows else 1) * Kc / shared.shape[1] if weight else 1
    return (scale * g[shared].sum(1)).var() / g[separate].sum((1, 2)).var()


WRONG = {
    "word2vec-ptb-1": [
        (lambda counts, t: np.minimum(1, np.sqrt(1 / share(counts, t))), "论文印的"),
        (lambda counts, t: (np.sqrt(share(counts, t)) + 1) / share(counts, t), "超过 1"),
        (lambda counts, t: np.minimum(1, (np.sqrt(counts / t) + 1) * t / counts), "不是次数"),
        (lambda counts, t: np.maximum(0, 1 - (np.sqrt(share(counts, t)) + 1) / share(counts, t)), "丢掉的概率"),
    ],
    "word2vec-ptb-2": [
        (lambda sizes, m: [(sizes == k).mean() for k in range(1, m + 1)], "恰好等于 k"),
        (lambda sizes, m: [(sizes > k).mean() for k in range(1, m + 1)], "用 >="),
        (lambda sizes, m: [(sizes >= k).mean() for k in range(m)], "从 1 数起"),
        (lambda sizes, m: [(m + 1 - k) / m for k in range(1, m + 1)], "长远的平均"),
        (lambda sizes, m: [(sizes >= k).mean() for k in range(1, sizes.max() + 1)], "从 sizes 里猜"),
    ],
    "word2vec-ptb-3": [
        (lambda *args: band(*args, cross=True), "跨过了句子"),
        (lambda *args: band(*args, center=True), "距离 0"),
        (lambda *args: band(*args, fixed=True), "自己的窗口大小"),
        (lambda *args: band(*args, shift=False), r"i \+ window 列"),
        (lambda *args: band(*args)[:, : len(args[1])], "一行一个中心词"),
    ],
    "word2vec-ptb-4": [
        (lambda *args: segment(*args, count=False), "少了这一行的样本数"),
        (lambda *args: segment(*args, divide=False), "除以噪声词的个数"),
        (lambda *args: segment(*args, sign=-1), "推远"),
        (lambda *args: segment(*args, half=True), "少了噪声的那一半"),
        (lambda *args: segment(*args, whole=True), "G 要乘 mask"),
        (lambda *args: segment(*args, plain=True), "也要乘 weight"),
    ],
    "word2vec-ptb-5": [
        (lambda vectors, word, k: ranked(vectors @ vectors[word], word, k), "按内积排"),
        (lambda vectors, word, k: ranked(cosines(vectors, word), word, k, False), "总是它自己"),
        (lambda vectors, word, k: ranked(-np.linalg.norm(vectors - vectors[word], axis=1), word, k), "按距离排"),
        (lambda vectors, word, k: ranked(-cosines(vectors, word), word, k), "次序反了"),
        (lambda vectors, word, k: ranked(cosines(vectors, word, zero=0), word, k), "NaN"),
    ],
    "word2vec-ptb-6": [
        (lambda *args: 1 / ratio(*args), "反了"),
        (lambda *args: ratio(*args, rows=False), "一行的份"),
        (lambda *args: ratio(*args, weight=False), "忘了加权"),
        (lambda g, separate, shared: g[shared].var() / g[separate].var(), "单个词的方差"),
    ],
}

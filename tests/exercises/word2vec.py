"""Plausible wrong answers to the exercises of the chapter ``word2vec``, each with a piece of the hint it should get."""

import heapq

import numpy as np


def pairs(words, m, keep=lambda words, t, j: j != t):
    around = [(t, j) for t in range(len(words)) for j in range(max(0, t - m), min(len(words), t + m + 1))]
    return [(words[t], words[j]) for t, j in around if keep(words, t, j)]


def negative_start(words, m):
    return [(w, c) for t, w in enumerate(words) for c in words[t - m : t] + words[t + 1 : t + m + 1]]


def fixed_window(words, m):
    return pairs(words, 2)


def softmax(scores):
    exps = np.exp(scores - scores.max(-1, keepdims=True))
    return exps / exps.sum(-1, keepdims=True)


def cbow(V, U, context, c, sign=1, share=True, add=True, row=False, expected=True):
    v_bar = V[context].mean(0)
    error = sign * (softmax(U @ v_bar) - (np.arange(len(U)) == c))
    part = (error @ U if expected else -U[c]) / (len(context) if share else 1)
    dV, dU = np.zeros_like(V), np.outer(error, v_bar)
    if add:
        np.add.at(dV, context, part)
    else:
        dV[context] += part
    if row:
        dU[np.arange(len(U)) != c] = 0
    return dV, dU


def sampling(v_c, U, o, noise, sign=1, add=True, stable=True, fakes=True):
    words = [o, *noise] if fakes else [o]
    label = np.arange(len(words)) == 0
    scores = np.where(label, -1, 1) * (U[words] @ v_c)
    loss = np.logaddexp(0, scores).sum() if stable else -np.log(1 / (1 + np.exp(scores))).sum()
    error = sign * (1 / (1 + np.exp(-U[words] @ v_c)) - label)
    dU = np.zeros_like(U)
    if add:
        np.add.at(dU, words, np.outer(error, v_c))
    else:
        dU[words] += np.outer(error, v_c)
    return loss, error @ U[words], dU


def loss_of(v_c, U, o, noise):
    scores = U[noise] @ v_c
    return np.logaddexp(0, -U[o] @ v_c), np.logaddexp(0, scores), np.logaddexp(0, -scores)


def real_only_gradient(v_c, U, o, noise):
    loss, _, dU = sampling(v_c, U, o, noise)
    return loss, sampling(v_c, U, o, noise, fakes=False)[1], dU


def lengths(frequency):
    heap = [(f, [i]) for i, f in enumerate(frequency)]
    heapq.heapify(heap)
    out = np.zeros(len(frequency))
    while len(heap) > 1:
        (f, left), (g, right) = heapq.heappop(heap), heapq.heappop(heap)
        out[left + right] += 1
        heapq.heappush(heap, (f + g, left + right))
    return out


def without_root(frequency):
    return frequency @ lengths(frequency) - 1


def chain(frequency):
    order = np.sort(frequency)
    return sum(order[: k + 1].sum() for k in range(1, len(order)))


def hessian(v_c, U, center=True):
    P = softmax(U @ v_c)
    mean = P @ U if center else 0
    return -((U - mean).T * P) @ (U - mean)


def unstable_hessian(v_c, U):
    P = np.exp(U @ v_c) / np.exp(U @ v_c).sum()
    return -((U - P @ U).T * P) @ (U - P @ U)


def bias(truth, P_c, P_n, K, model=lambda truth, P_n, K: truth / P_n / K, axis=1, weigh=True):
    P = model(truth, P_n, K)
    P = P / P.sum(axis, keepdims=True) if axis is not None else P
    return ((P_c[:, None] if weigh else 1) * truth * np.log(truth / P)).sum()


def reversed_bias(truth, P_c, P_n, K):
    P = truth / P_n
    P /= P.sum(1, keepdims=True)
    return (P_c[:, None] * P * np.log(P / truth)).sum()


WRONG = {
    "word2vec-1": [
        (lambda words, m: pairs(words, m, lambda w, t, j: True), "自己不算上下文"),
        (lambda words, m: pairs(words, m, lambda w, t, j: w[t] != w[j]), "可能再次出现"),
        (lambda words, m: pairs(words, m, lambda w, t, j: t != j and m <= t < len(w) - m), "窗口截短"),
        (lambda words, m: pairs(words, m, lambda w, t, j: t != j and j < t + m), "右边少看了一个"),
        (lambda words, m: [pair[::-1] for pair in pairs(words, m)], "次序反了"),
        (negative_start, "负下标"),
        (fixed_window, "由 m 给出"),
    ],
    "word2vec-2": [
        (lambda *args: cbow(*args, share=False), "没有除以上下文的个数"),
        (lambda *args: cbow(*args, sign=-1), "符号反了"),
        (lambda *args: cbow(*args, add=False), "分到两份"),
        (lambda *args: cbow(*args, row=True), "每个词都在分母里"),
        (lambda *args: cbow(*args, expected=False), "没有减去预期"),
        (lambda V, U, context, c: (cbow(V, U, context, c)[0], cbow(V, U, context, c)[1] / len(context)), "不用再除"),
        (lambda *args: cbow(*args)[::-1], "先求损失对 v_bar"),
    ],
    "word2vec-3": [
        (lambda *args: sampling(*args, sign=-1), "预测减标签"),
        (lambda *args: sampling(*args, add=False), "抽到几次就累加几次"),
        (lambda *args: sampling(*args, fakes=False), "只有真的一对"),
        (lambda *args: (loss_of(*args)[0] + loss_of(*args)[2].sum(), *sampling(*args)[1:]), r"希望它们的分数低"),
        (lambda *args: (loss_of(*args)[0] + loss_of(*args)[1].mean(), *sampling(*args)[1:]), "不是取平均"),
        (lambda v_c, U, o, noise: sampling(v_c, U, o, sorted(set(noise))), "抽到几次就算几次"),
        (lambda v_c, U, o, noise: sampling(v_c, U, o, [n for n in noise if n != o]), "不挑"),
        (real_only_gradient, "假的也要加上"),
        (lambda *args: sampling(*args, stable=False), "logaddexp"),
    ],
    "word2vec-4": [
        (lambda frequency: -(frequency * np.log2(frequency)).sum(), "这是熵"),
        (lambda frequency: lengths(frequency).mean(), "按频率加权"),
        (lambda frequency: np.log2(len(frequency)), "平衡的树"),
        (lambda frequency: frequency @ lengths(np.ones(len(frequency))), "没有看频率"),
        (without_root, "都要经过根"),
        (lambda frequency: 1 + frequency @ lengths(frequency), "数的是结点"),
    ],
    "word2vec-5": [
        (lambda v_c, U: -hessian(v_c, U), "差一个负号"),
        (lambda v_c, U: hessian(v_c, U, center=False), "还没有减去平均"),
        (lambda v_c, U: -np.cov(U.T), "权重不相等"),
        (lambda v_c, U: -np.cov(U.T, bias=True), "权重不相等"),
        (lambda v_c, U: np.diag(softmax(U @ v_c)), "形状"),
        (unstable_hessian, "溢出"),
    ],
    "word2vec-6": [
        (lambda *args: bias(*args, weigh=False), "按中心词的频率"),
        (lambda *args: bias(*args, axis=0), "按行归一"),
        (lambda *args: bias(*args, axis=None), "每一行的概率之和"),
        (lambda *args: bias(*args, model=lambda truth, P_n, K: truth * P_n), "不是乘"),
        (lambda *args: bias(*args, model=lambda truth, P_n, K: truth), "没有用到它"),
        (lambda truth, P_c, P_n, K: bias(truth, P_c, P_c @ truth, K), "由参数给出"),
        (reversed_bias, "方向反了"),
    ],
}

"""Plausible wrong answers to the exercises of the chapter ``bptt``, each with a piece of the hint it should get."""

import numpy as np


def slope(H):
    return 1 - H**2


def scaled(radius):
    return lambda W, rho: W * rho / radius(W)


def walk(delta, states, W):
    lengths = [np.linalg.norm(delta)]
    for H in states:
        delta = (delta * slope(H)) @ W
        lengths.append(np.linalg.norm(delta))
    return lengths


def multiplied_first(delta, states, W_hh):
    lengths = [np.linalg.norm(delta)]
    for H in states[::-1]:
        delta = (delta @ W_hh.T) * slope(H)
        lengths.append(np.linalg.norm(delta))
    return lengths


def backward(X, H, dH, W, slope=slope, path=1, late=0, keep=1, transport=True):
    gamma, dW_xh, dW_hh, db_h = np.zeros_like(H[0]), 0, 0, 0
    for t in range(len(X), 0, -1):
        gamma = (dH[t - 1] + path * gamma @ W) * slope(H[t])
        dW_xh = keep * dW_xh + X[t - 1].T @ gamma
        dW_hh = keep * dW_hh + H[t - 1 + late].T @ gamma
        db_h = keep * db_h + gamma.sum(0)
    return dW_xh, dW_hh, db_h, gamma @ W if transport else gamma


def truncated(is_cut, late=0, after=False):
    def answer(H, dH, W_hh, K):
        gamma, dW_hh = np.zeros_like(H[0]), 0
        for t in range(len(dH), 0, -1):
            if is_cut(t, len(dH), K) and not after:
                gamma = gamma * 0
            gamma = (dH[t - 1] + gamma @ W_hh.T) * slope(H[t])
            dW_hh = dW_hh + H[t - 1 + late].T @ gamma
            if is_cut(t, len(dH), K) and after:
                gamma = gamma * 0
        return dW_hh

    return answer


def each_k_steps(H, dH, W_hh, K):
    total = 0
    for last in range(1, len(dH) + 1):
        delta = dH[last - 1]
        for t in range(last, max(last - K, 0), -1):
            gamma = delta * slope(H[t])
            total, delta = total + H[t - 1].T @ gamma, gamma @ W_hh.T
    return total


def left(reverse=True, slope=slope, turned=True, carry=1):
    def answer(W_hh, drive, delta):
        H, states = np.zeros(len(W_hh)), []
        for x in drive:
            H = np.tanh(carry * H @ W_hh + x)
            states.append(H)
        for H in states[::-1] if reverse else states:
            delta = (delta * slope(H)) @ (W_hh.T if turned else W_hh)
        return np.linalg.norm(delta)

    return answer


WRONG = {
    "bptt-1": [
        (lambda H, W: slope(H) * W.T, "对着列广播"),
        (lambda H, W: np.diag(slope(H)) @ W, "第 a 列，不是第 a 行"),
        (lambda H, W: W @ np.diag(slope(H)), "行和列反了"),
        (lambda H, W: W.T, "少了 tanh 的导数"),
        (lambda H, W: slope(np.tanh(H))[:, None] * W.T, "已经是 tanh 的输出"),
        (lambda H, W: (1 - H)[:, None] * W.T, "忘了平方"),
    ],
    "bptt-2": [
        (scaled(lambda W: 1), "先除以它"),
        (scaled(lambda W: np.linalg.norm(W, 2)), "最大的奇异值"),
        (scaled(np.linalg.norm), "平方和的平方根"),
        (scaled(lambda W: np.linalg.eigvals(W).real.max()), "比的是模"),
        (scaled(lambda W: np.abs(np.linalg.eigvals(W).real).max()), "比的是模"),
        (lambda W, rho: W / np.abs(np.linalg.eigvals(W)).max(), "还要乘 rho"),
    ],
    "bptt-3": [
        (lambda delta, states, W: walk(delta, states, W.T), r"states\[::-1\]"),
        (lambda delta, states, W: walk(delta, states[::-1], W), "W_hh 的转置"),
        (lambda delta, states, W: walk(delta, states[::-1], W.T)[1:], "出发时的长度"),
        (lambda delta, states, W: walk(delta, states[::-1] * 0, W.T), "少了 tanh 的导数"),
        (multiplied_first, "先乘 1 - H²"),
    ],
    "bptt-4": [
        (lambda X, H, dH, W: backward(X, H, dH, W.T, path=0), "影响下一步"),
        (lambda X, H, dH, W: backward(X, H, dH, W), "W_hh 的转置"),
        (lambda X, H, dH, W: backward(X, H, dH, W.T, slope=np.ones_like), "少了 tanh 的导数"),
        (lambda X, H, dH, W: backward(X, H, dH, W.T, slope=lambda H: 1 - H), "忘了平方"),
        (lambda X, H, dH, W: backward(X, H, dH, W.T, late=1), r"不是 H\[t\]"),
        (lambda X, H, dH, W: backward(X, H, dH, W.T, keep=0), "各步之和"),
        (lambda X, H, dH, W: backward(X, H, dH, W.T, transport=False), "回到 H_0 还要乘"),
        (lambda X, H, dH, W: [g / dH.shape[1] for g in backward(X, H, dH, W.T)], "不要除以批量大小"),
        (lambda X, H, dH, W: backward(X, H, dH, W.T)[:3], "返回四样"),
    ],
    "bptt-5": [
        (truncated(lambda t, T, K: False), "没有剪断"),
        (truncated(lambda t, T, K: True), "每一步都剪断"),
        (truncated(lambda t, T, K: (t - 1) % K == 0), "差了一步"),
        (truncated(lambda t, T, K: t % K == 0, after=True), "差了一步"),
        (truncated(lambda t, T, K: (T - t) % K == 0), "从末尾开始数"),
        (truncated(lambda t, T, K: t % K == 0, late=1), r"H\[t - 1\]"),
        (each_k_steps, "各走 K 步"),
    ],
    "bptt-6": [
        (left(reverse=False), "最后一步的状态开始"),
        (left(slope=np.ones_like), "少了 tanh 的导数"),
        (left(turned=False), "W_hh 的转置"),
        (left(carry=0), "接着上一步"),
        (lambda W, drive, delta: left()(W, drive, delta) / np.linalg.norm(delta), "不必除以"),
    ],
}

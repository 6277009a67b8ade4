"""Checks of the exercises on backpropagation through time (chapter ``bptt``)."""

import numpy as np

from .expect import close, items, that
from .reference import jacobian
from .registry import Chapter
from .rnn import rnn_states

__all__ = ["chapter"]

chapter = Chapter("bptt", "通过时间反向传播")


@chapter.code(
    "一步的雅可比矩阵",
    stars=1,
    minutes=10,
    stronger="第 a 行统统乘 1 - H[a]**2，所以要把它竖起来：(1 - H**2)[:, None] * W_hh.T。",
)
def step_jacobian(answer, rng):
    num_hiddens = int(rng.integers(4, 7))
    W_hh, drive = rng.normal(size=(num_hiddens, num_hiddens)), rng.normal(size=num_hiddens)
    previous = rng.uniform(-1, 1, num_hiddens)
    H = np.tanh(drive + previous @ W_hh)
    right = jacobian(lambda state: np.tanh(drive + state @ W_hh), previous)
    slope = 1 - H**2
    slips = [
        (right.T, "行和列反了：第 a 行是输出的第 a 个数，第 b 列是输入的第 b 个数。"),
        (W_hh.T * slope, "1 - H² 要乘在行上，你乘在了列上：(h,) 的数组和矩阵相乘，NumPy 把它对着列广播。"),
        (slope[:, None] * W_hh, "少了转置：H_t 的第 a 个数用的是 W_hh 的第 a 列，不是第 a 行。"),
        (W_hh.T, "少了 tanh 的导数 1 - H²。"),
        (W_hh, "少了 tanh 的导数，也少了转置。"),
        (
            (1 - np.tanh(H) ** 2)[:, None] * W_hh.T,
            "H 已经是 tanh 的输出了，不要再取一次 tanh：导数就是 1 - H²。",
        ),
        ((1 - H)[:, None] * W_hh.T, "tanh 的导数是 1 - H²，你忘了平方。"),
    ]
    close(
        answer(H, W_hh),
        right,
        "用差商核对：旧状态的第 b 个数动一点点，新状态的第 a 个数动多少？",
        slips,
        "雅可比矩阵",
        1e-5,
    )


def _with_eigenvalues(rng, block):
    """A matrix similar to ``block``, not orthogonally: its singular values are others."""
    size = len(block)
    left, right = (np.linalg.qr(rng.normal(size=(size, size)))[0] for _ in range(2))
    basis = left * np.linspace(1, 4, size) @ right
    return basis @ block @ np.linalg.inv(basis)


@chapter.code(
    "缩放到指定的谱半径",
    stars=1,
    minutes=8,
    stronger="np.abs(np.linalg.eigvals(W)).max() 是谱半径；W 乘 rho / 谱半径。",
)
def with_spectral_radius(answer, rng):
    angle, length = rng.uniform(1.7, 2.0), rng.uniform(3, 4)
    block = np.diag(rng.uniform(0.5, 1.5, 6))
    block[:2, :2] = length * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    block[2, 2] = 2
    W, rho = _with_eigenvalues(rng, block), rng.uniform(0.7, 0.95)
    values = np.linalg.eigvals(W)
    real = "特征值可以是负数或复数，比的是模：先 np.abs，再取最大。"
    slips = [
        (W * rho, "W 原来的谱半径不是 1：要先除以它。"),
        (W / np.abs(values).max(), "这样谱半径是 1，还要乘 rho。"),
        (W * rho / np.linalg.norm(W, 2), "你除的是最大的奇异值。谱半径是特征值的最大的模，一般比它小。"),
        (W * rho / np.linalg.norm(W), "你除的是所有元素平方和的平方根。谱半径是特征值的最大的模。"),
        (W * rho / values.real.max(), real),
        (W * rho / np.abs(values.real).max(), real),
        (W * rho / np.abs(W).max(), "你除的是最大的元素。谱半径要从特征值算：np.linalg.eigvals。"),
        (
            W * rho * np.abs(values).max(),
            "方向反了：要除以原来的谱半径，不是乘。",
        ),
    ]
    got = answer(W, rho)
    close(got, W * rho / np.abs(values).max(), "整个矩阵乘同一个数，特征值也都乘这个数。", slips, "缩放后的矩阵")


@chapter.code(
    "往回走，量长度",
    stars=2,
    minutes=12,
    stronger="for H in states[::-1]: delta = (delta * (1 - H**2)) @ W_hh.T；每步都把 np.linalg.norm(delta) 收进列表。",
)
def walk_back(answer, rng):
    num_steps, num_hiddens = 6, 5
    W_hh, delta = rng.normal(size=(num_hiddens, num_hiddens)), rng.normal(size=num_hiddens) * 2
    states = np.tanh(rng.normal(size=(num_steps, num_hiddens)))

    def walk(states, W, start=delta, slope_first=True, bent=True):
        vectors = [start]
        for H in states:
            slope = 1 - H**2 if bent else np.ones_like(H)
            vectors.append((vectors[-1] * slope) @ W if slope_first else (vectors[-1] @ W) * slope)
        return np.linalg.norm(vectors, axis=1)

    product, right = np.eye(num_hiddens), [np.linalg.norm(delta)]
    for H in states[::-1]:
        product = product @ np.diag(1 - H**2) @ W_hh.T
        right.append(np.linalg.norm(delta @ product))
    right = np.array(right)
    slips = [
        (right[1:], "少了出发时的长度：一共是 T + 1 个数，第一个是 delta 自己的长度。"),
        (right[:-1], "少走了一步：states 有几个，就走几步，连出发时一共 T + 1 个数。"),
        (right / right[0], "不要除以出发时的长度：第一个数就是 delta 自己的长度。"),
        (right**2, "长度要开方：np.linalg.norm，不是平方和。"),
        (right[::-1], "次序反了：出发时的长度放在最前面。"),
        (walk(states, W_hh.T), "往回走要从最后一步的状态开始：states[::-1]。"),
        (walk(states[::-1], W_hh), "往回走乘的是 W_hh 的转置。"),
        (walk(states[::-1], W_hh.T, slope_first=False), "次序反了：先乘 1 - H²，再乘 W_hh 的转置。"),
        (walk(states[::-1], W_hh.T, bent=False), "少了 tanh 的导数 1 - H²。"),
    ]
    close(answer(delta, states, W_hh), right, "一步一步地和 J = diag(1 - H²) W_hhᵀ 对照。", slips, "各步的长度")
    Q = np.linalg.qr(W_hh)[0]
    got = answer(delta, np.zeros((9, num_hiddens)), Q)
    close(got, np.full(10, right[0]), "正交矩阵不改变长度，状态为 0 时 tanh 的导数是 1。", [], "正交矩阵的各步长度")


def _slope(H):
    return 1 - H**2


def _backward(X, H, dH, W_hh, cut=(), slope=_slope, path=True, turned=True, summed=True, reverse=True, shift=1):
    """Gradients of W_xh, W_hh, b_h and the first state; all that follows ``cut`` makes the usual slips.

    ``cut``: at these steps (from 1) nothing comes from the step after.
    """
    gamma, dW_xh, dW_hh, db_h = np.zeros_like(H[0]), 0, 0, 0
    W = W_hh.T if turned else W_hh
    for t in range(len(X), 0, -1) if reverse else range(1, len(X) + 1):
        delta = dH[t - 1] + (gamma @ W if path and t not in cut else 0)
        gamma = delta * slope(H[t])
        dW_xh = summed * dW_xh + X[t - 1].T @ gamma
        dW_hh = summed * dW_hh + H[t - shift].T @ gamma
        db_h = summed * db_h + gamma.sum(0)
    return dW_xh, dW_hh, db_h, gamma @ W


@chapter.code(
    "整段的反向传播",
    stars=3,
    minutes=35,
    stronger="从 t = T 到 1：delta = dH[t-1] + gamma @ W_hh.T；gamma = delta * (1 - H[t]**2)；三个梯度各自累加。"
    "最后 dH_0 = gamma @ W_hh.T。",
)
def rnn_backward(answer, rng):
    num_steps, batch_size, num_inputs, num_hiddens = 5, 2, 3, 4
    X, H_0 = rng.normal(size=(num_steps, batch_size, num_inputs)), rng.uniform(-1, 1, (batch_size, num_hiddens))
    W_xh, W_hh, b_h = (rng.normal(size=s) for s in ((num_inputs, num_hiddens), (num_hiddens, num_hiddens), num_hiddens))
    dH = rng.normal(size=(num_steps, batch_size, num_hiddens))
    H = rnn_states(X, H_0, W_xh, W_hh, b_h)

    def loss(W_xh=W_xh, W_hh=W_hh, b_h=b_h, H_0=H_0):
        return (dH * rnn_states(X, H_0, W_xh, W_hh, b_h)[1:]).sum()

    right = [
        jacobian(lambda W: loss(W_xh=W), W_xh),
        jacobian(lambda W: loss(W_hh=W), W_hh),
        jacobian(lambda b: loss(b_h=b), b_h),
        jacobian(lambda start: loss(H_0=start), H_0),
    ]
    args = X, H, dH, W_hh
    wrong = [
        (_backward(*args, path=False), "只算了自己的输出这一条路。H_t 还影响下一步：加上 gamma @ W_hh.T。"),
        (_backward(*args, turned=False), "往回走乘的是 W_hh 的转置。"),
        (_backward(*args, slope=np.ones_like), "少了 tanh 的导数：gamma = delta * (1 - H[t]**2)。"),
        (_backward(*args, slope=lambda H: 1 - H), "tanh 的导数是 1 - H²，你忘了平方。"),
        (_backward(*args, reverse=False), "要从最后一步往回算：t = T, …, 1。"),
        (_backward(*args, summed=False), "只留下了最后算的一步。参数每一步都用到，它的梯度是各步之和：累加。"),
        (_backward(*args, shift=0), "W_hh 乘的是上一步的状态：H[t - 1].T @ gamma，不是 H[t]。"),
        ([each / num_steps for each in right], "损失是各步之和，不要除以时间步数。"),
        ([each / batch_size for each in right], "损失是各样本之和，不要除以批量大小。"),
    ]
    names = "W_xh 的梯度", "W_hh 的梯度", "b_h 的梯度", "H_0 的梯度"
    got = items(answer(*args), 4, "返回四样：dW_xh, dW_hh, db_h, dH_0。")
    for i, name in enumerate(names):
        slips = [(values[i], cause) for values, cause in wrong]
        if i == 3:
            slips.append(
                (_backward(*args)[3] @ np.linalg.inv(W_hh.T), "这是 A_1 的梯度 gamma；回到 H_0 还要乘 W_hh 的转置。")
            )
        hint = (
            "对照公式 Σ X_tᵀ γ_t，从最后一步往回打印每一步的 delta 和 gamma。",
            "对照公式 Σ H_{t-1}ᵀ γ_t。H[0] 是最初的状态，H[t] 是第 t 步之后的状态。",
            "对照公式 Σ 1ᵀ γ_t：对时间步、对样本求和，形状 (h,)。",
            "走完第 1 步以后，再乘一次 W_hh 的转置，形状 (n, h)。",
        )[i]
        close(got[i], right[i], hint, slips, name, 1e-5)


@chapter.code(
    "截断的梯度",
    stars=2,
    minutes=20,
    stronger="从 t = T 往回走，每到 t % K == 0（一段的最后一步），先把 gamma 清零，别的照旧。",
)
def truncated_gradient(answer, rng):
    num_steps, batch_size, num_hiddens, K = 10, 2, 3, 4
    W_hh = rng.normal(size=(num_hiddens, num_hiddens))
    drive = rng.normal(size=(num_steps, batch_size, num_hiddens)) * 0.5
    H = rnn_states(drive, rng.uniform(-1, 1, (batch_size, num_hiddens)), np.eye(num_hiddens), W_hh, 0)
    dH = rng.normal(size=drive.shape)

    def segments(starts):
        ends = [*starts[1:], num_steps]
        parts = zip(starts, ends, strict=True)
        return sum(_backward(drive[a:b], H[a : b + 1], dH[a:b], W_hh)[1] for a, b in parts)

    def window():
        total = 0
        for t in range(1, num_steps + 1):
            first, last = max(0, t - K), np.zeros((num_steps, 1, 1))
            last[t - 1] = 1
            total = total + _backward(drive[first:t], H[first : t + 1], (dH * last)[first:t], W_hh)[1]
        return total

    own = segments(list(range(num_steps)))
    late = "剪的位置差了一步：K = 4 时剪在第 4、5 步之间，第 8、9 步之间。留心 t 是从 0 数还是从 1 数。"
    slips = [
        (segments([0]), "没有剪断：走到一段的最后一步时，从下一段来的 gamma 要换成 0。"),
        (own, "每一步都剪断了。同一段之内，梯度照常往回走。"),
        (segments([0, 3, 7]), late),
        (segments([0, 1, 5, 9]), late),
        (segments([0, 5, 9]), late),
        (segments([0, 2, 6]), "你从末尾开始数段了。段从头数起，最后一段可以短一些。"),
        (window(), "你让每一步的损失各走 K 步。这里是把文本切成段，在段与段之间剪断，段首的损失一步也走不了。"),
        (_backward(drive, H, dH, W_hh, shift=0)[1], "W_hh 乘的是上一步的状态：H[t - 1].T @ gamma，也没有剪断。"),
        (
            _backward(drive, H, dH, W_hh, cut=(4, 8), shift=0)[1],
            "W_hh 乘的是上一步的状态：H[t - 1].T @ gamma，不是 H[t]。",
        ),
        (_backward(drive, H, dH, W_hh, cut=(4, 8), slope=np.ones_like)[1], "少了 tanh 的导数 1 - H²。"),
        (_backward(drive, H, dH, W_hh, cut=(4, 8), turned=False)[1], "往回走乘的是 W_hh 的转置。"),
    ]
    hint = "先写完整的反向传播（K 不小于 T 时就是它），再加上剪断的一行。"
    close(answer(H, dH, W_hh, K), segments([0, 4, 8]), hint, slips, "K = 4 的梯度")
    close(answer(H, dH, W_hh, num_steps + 3), segments([0]), "K 比 T 大时，一刀也没有剪。", [], "K = 13 的梯度")
    close(answer(H, dH, W_hh, 1), own, "K = 1 时，每一步的损失只管自己这一步。", [], "K = 1 的梯度")


@chapter.experiment(
    "推得越猛，梯度越长吗",
    stars=2,
    minutes=20,
    stronger="先往前：H = np.tanh(H @ W_hh + x)，收集状态；再往回：delta = (delta * (1 - H**2)) @ W_hh.T。",
    predictions=("变小", "不变", "变大"),
)
def length_left(answer, rng):
    num_steps, num_hiddens = 40, 32
    W_hh = rng.normal(size=(num_hiddens, num_hiddens))
    W_hh *= 1.2 / np.abs(np.linalg.eigvals(W_hh)).max()
    noise, delta = rng.normal(size=(num_steps, num_hiddens)), rng.normal(size=num_hiddens)

    def left(drive, W=W_hh.T, reverse=True, bent=True, slope_first=True):
        H, states, vector = np.zeros(num_hiddens), [], delta
        for x in drive:
            H = np.tanh(H @ W_hh + x)
            states.append(H)
        for H in states[::-1] if reverse else states:
            slope = 1 - H**2 if bent else 1
            vector = (vector * slope) @ W if slope_first else (vector @ W) * slope
        return np.linalg.norm(vector)

    right = left(noise / 2)
    fresh = [1 - np.tanh(x / 2) ** 2 for x in noise]
    no_memory = delta
    for slope in fresh[::-1]:
        no_memory = (no_memory * slope) @ W_hh.T
    slips = [
        (left(noise / 2, reverse=False), "往回走要从最后一步的状态开始。"),
        (left(noise / 2, bent=False), "少了 tanh 的导数 1 - H²。"),
        (left(noise / 2, W=W_hh), "往回走乘的是 W_hh 的转置。"),
        (left(noise / 2, slope_first=False), "次序反了：先乘 1 - H²，再乘 W_hh 的转置。"),
        (np.linalg.norm(no_memory), "往前走的时候，每一步的 H 要接着上一步的 H。"),
        (right / np.linalg.norm(delta), "返回最后的长度，不必除以出发时的长度。"),
        (right**2, "长度要开方：np.linalg.norm。"),
    ]
    close(
        answer(W_hh, noise / 2, delta), right, "先往前走，留下每一步的状态；再带着 delta 往回走。", slips, "剩下的长度"
    )
    still = "没有输入，状态一直是 0，tanh 的导数是 1：和没有激活函数一样。"
    close(answer(W_hh, noise * 0, delta), left(noise * 0), still, [], "没有输入时剩下的长度")
    ratio = answer(W_hh, noise * 2, delta) / right
    that(np.isfinite(ratio), f"强度为 2 时，得到的不是有限的数：{ratio}。", "看看往前走的一段有没有用 tanh。")
    return "变小" if ratio < 0.5 else "变大" if ratio > 2 else "不变"


chapter.question("gru-jacobian", "门控循环单元的雅可比矩阵", stars=3, minutes=30)

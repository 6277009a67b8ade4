"""Checks of the exercises on the GRU in MXNet (chapter ``gru-mxnet``, document 002); they need NumPy only."""

import math

import numpy as np

from .expect import close, items, numbers, that
from .reference import sigmoid
from .registry import Chapter

__all__ = ["chapter"]

chapter = Chapter("gru-mxnet", "门控循环单元：MXNet 版")


@chapter.code(
    "从 gluon 的排法拆回三份",
    stars=1,
    minutes=10,
    stronger="np.split(stacked, 3) 沿第 0 轴切成三份，依次是重置门、更新门、候选；各取 .T，再按更新、重置、候选返回。",
)
def from_gluon(answer, rng):
    num_inputs, num_hiddens = 4, int(rng.integers(5, 8))
    stacked = rng.normal(size=(3 * num_hiddens, num_inputs))
    reset, update, new = (stacked[i * num_hiddens : (i + 1) * num_hiddens] for i in range(3))
    got = items(answer(stacked), 3, "返回三份：return W_xz, W_xr, W_xh。")
    shape_hint = "gluon 的权重是 (3h, d)：沿第 0 轴切三份，每份 (h, d)；从零实现的是 (d, h)，所以每份还要转置。"
    right = {"W_xz": update.T, "W_xr": reset.T, "W_xh": new.T}
    for one, (name, expected), place in zip(got, right.items(), (reset, update, new), strict=True):
        numbers(one, (num_inputs, num_hiddens), shape_hint, name)
        slips = [
            (place.T, "次序没有换：gluon 摞的是重置门、更新门、候选，从零实现的参数以更新门打头。"),
            (expected.T.reshape(expected.shape), "reshape 只改形状，数的次序就乱了；这里要的是转置：.T。"),
            (place.reshape(expected.shape), "reshape 只改形状，数的次序就乱了；这里要的是转置：.T。"),
            *((stacked[i::3].T, "每一份是相连的 h 行，不是隔两行取一行。") for i in range(3)),
        ]
        close(one, expected, "先沿第 0 轴切成三份，再转置，再换次序。", slips, name)
    bias = rng.normal(size=3 * num_hiddens)
    reset, update, new = bias.reshape(3, num_hiddens)
    for one, (name, expected) in zip(
        items(answer(bias), 3), {"b_z": update, "b_r": reset, "b_h": new}.items(), strict=True
    ):
        close(one, expected, "偏置 (3h,) 也要能拆：一维数组的 .T 就是它自己。", [], name)


def _gluon_step(X, H, W_x, W_h, b_x, b_h, kind=""):
    """A step of gluon's GRU; ``kind`` names a slip."""
    X_r, X_z, X_n = np.split(X @ W_x.T + b_x, 3, axis=1)
    H_r, H_z, H_n = np.split(H @ W_h.T + b_h, 3, axis=1)
    W_n, b_n = np.split(W_h, 3)[2], np.split(b_h, 3)[2]
    if kind == "order":
        X_r, X_z, H_r, H_z = X_z, X_r, H_z, H_r
    R, Z = sigmoid(X_r + H_r), sigmoid(X_z + H_z)
    inside = {
        "outside": X_n + R * (H_n - b_n) + b_n,
        "early": X_n + (R * H) @ W_n.T + b_n,
        "all": R * (X_n + H_n),
        "one bias": X_n + R * (H_n - b_n),
    }
    H_tilde = np.tanh(inside.get(kind, X_n + R * H_n))
    return (1 - Z) * H + Z * H_tilde if kind == "Z" else Z * H + (1 - Z) * H_tilde


@chapter.code(
    "gluon 的一步，两份偏置",
    stars=2,
    minutes=20,
    stronger="X 的一份和 H 的一份先各自乘完、加上自己的偏置，再切三份；候选是 tanh(x_n + R * h_n)。",
)
def gluon_gru_step(answer, rng):
    n, d, h = 3, 4, 5
    X, H, W_x, W_h, b_x, b_h = (rng.normal(size=s) for s in ((n, d), (n, h), (3 * h, d), (3 * h, h), 3 * h, 3 * h))
    args = X, H, W_x, W_h, b_x, b_h
    got = numbers(answer(*args), (n, h), "返回新的状态 H，形状 (n, h)，和旧的一样。", "新的状态")
    hints = {
        "outside": "候选的第二份偏置放错了地方：gluon 先算 H 乘权重加偏置，再整个乘 R，所以它在 R ⊙ (…) 里面。",
        "early": "R 要等 H 乘完权重、加完偏置再乘。先乘 R 后乘权重是另一种定义，结果不同。",
        "all": "R 只管来自 H 的那一份；来自 X 的那一份不乘 R。",
        "one bias": "候选少了来自 H 的偏置：R ⊙ (H 的一份 + 偏置)。",
        "order": "重置门和更新门认反了：gluon 的三份依次是重置门、更新门、候选。",
        "Z": "Z 是保留旧状态的份额：Z ⊙ H + (1 − Z) ⊙ 候选，你的正好反了。",
    }
    slips = [(_gluon_step(*args, kind=kind), hint) for kind, hint in hints.items()]
    slips.append((_gluon_step(X, H, W_x, W_h, b_x, 0 * b_h), "h2h_bias 没有用上：每一份都有两个偏置。"))
    close(got, _gluon_step(*args), "先把两份乘积加上各自的偏置，再切三份，逐个打印。", slips, "新的状态")


@chapter.code(
    "查表加偏置的反向",
    stars=3,
    minutes=25,
    stronger="rows = X.reshape(-1)，G 也排成 (T·n, h)；np.add.at(dW, rows, G) 把同一行的几份都加上；db = 一行 1 乘 G。",
)
def project_gradients(answer, rng):
    num_steps, n, h, vocab_size = 5, 4, 3, 7
    X = rng.integers(0, vocab_size - 1, (num_steps, n))  # the last token never appears
    G = rng.normal(size=(num_steps, n, h))
    dW, db = items(answer(X, G, vocab_size), 2, "返回两样：return dW, db。")
    numbers(dW, (vocab_size, h), "dW 和 W 一样大：(V, h)，这一批里没有出现的字也占一行（全是 0）。", "dW")
    one_hot = np.eye(vocab_size)[X.reshape(-1)]
    flat = G.reshape(-1, h)
    right, last = one_hot.T @ flat, np.zeros((vocab_size, h))
    for k, g in zip(X.reshape(-1), flat, strict=True):
        last[k] = g
    counts = one_hot.sum(0)[:, None]
    slips = [
        (last, "同一个字出现几次，几份梯度都要加起来。dW[X] += G 对重复的下标只算一次，要用 np.add.at。"),
        (right / np.maximum(counts, 1), "同一个字的几份梯度是相加，不是平均：前向时那一行被用了几次，就有几份。"),
        (right / len(flat), "这里的 G 已经是损失对输出的导数，不要再除以个数。"),
    ]
    close(dW, right, "第 k 行是所有读到字 k 的位置上 G 的和；用独热矩阵想：独热矩阵的转置乘 G。", slips, "dW")
    numbers(db, (h,), "b 的形状是 (h,)，db 也是：时间和批量两个轴都要加掉。", "db")
    slips = [
        (flat.mean(0), "是求和，不是平均：b 被加到了每一行上，每一行都有一份。"),
        (right.mean(0), "是求和，不是平均：b 被加到了每一行上，每一行都有一份。"),
        (G[-1].sum(0), "b 在每个时间步都用到了，不只是最后一步。"),
    ]
    close(db, flat.sum(0), "一行 1 乘 G：全部 T·n 行相加。", slips, "db")


def _joint_norm(grads):
    return math.sqrt(sum((g**2).sum() for g in grads))


@chapter.code(
    "求和的损失与平均的损失",
    stars=2,
    minutes=15,
    stronger="先把每个梯度乘 num_labels，再裁剪（合起来的范数超过 theta 才缩短），最后乘 -lr；别的什么也不除。",
)
def summed_loss_update(answer, rng):
    theta, lr, num_labels = 5.0, 0.2, int(rng.integers(900, 1200))
    raw = [size * rng.normal(size=shape) for shape, size in (((3, 4), 1), ((2, 5), 2), (6, 3))]
    grads = [0.5 * g / _joint_norm(raw) for g in raw]  # of the mean loss: norm 0.5, below theta; of the sum: above it
    summed = [num_labels * g for g in grads]
    clipped = [g * theta / _joint_norm(summed) for g in summed]
    got = items(answer(grads, num_labels, theta, lr), 3, "给几个梯度，就返回几个改变量，次序、形状都相同。")
    for i, (one, g, c) in enumerate(zip(got, grads, clipped, strict=True)):
        each = num_labels * g
        each = each * min(1, theta / np.linalg.norm(each))
        slips = [
            (-lr * g, "平均损失的梯度没有超过 theta，你就没有裁剪；要裁的是求和损失的梯度，它大 num_labels 倍。"),
            (-lr * num_labels * g, "次序反了：先乘 num_labels，再拿合起来的范数与 theta 比。现在一点也没有缩短。"),
            (
                -lr * c / num_labels,
                "最后不要再除以 num_labels：文档的更新是 sgd(params, lr, 1)，一步的长度上限是 lr·theta。",
            ),
            (lr * c, "符号反了：往梯度的反方向走。"),
            (c, "还要乘 −lr：要的是参数的改变量，不是裁剪后的梯度。"),
            (-c, "还要乘学习率 lr。"),
            (-lr * each, "你把每个梯度各自裁剪了；所有参数合在一起算一个范数。"),
        ]
        close(one, -lr * c, "裁剪后，全部改变量合起来的长度应正好是 lr·theta。", slips, f"第 {i} 个改变量")
    small = [g * 0.2 * theta / num_labels for g in grads]  # the summed gradient has norm 0.1 theta
    for i, (one, g) in enumerate(zip(items(answer(small, num_labels, theta, lr), 3), small, strict=True)):
        slips = [(-lr * theta * g / _joint_norm(small), "求和以后也没有超过 theta 的梯度不缩短，更不放大。")]
        close(one, -lr * num_labels * g, "求和以后没有超过 theta，就不缩短。", slips, f"（短的）第 {i} 个改变量")


def _gap(a, b):
    return np.abs(a - b).max() / np.abs(b).max()


@chapter.code(
    "两份结果差多少",
    stars=3,
    minutes=25,
    stronger="字典和列表就对每一项调用自己，取 max；数组先比 shape，再用 |a−b| 的最大值除以 |b| 的最大值。",
)
def largest_difference(answer, rng):
    def perturbed(array, place, change):
        array = array.copy()
        array.flat[place] += change
        return array

    def seen(a, b, what):
        value = float(numbers(answer(a, b), (), "返回一个数：所有数组里最大的那个相对差别。", what))
        that(value >= 0, f"{what}应是不小于 0 的数，得到 {value}。", "差别要取绝对值。")
        return value

    W, b = rng.uniform(1, 3, (3, 4)), rng.uniform(1e-3, 3e-3, 5)
    size = rng.uniform(0.01, 0.02)
    a = perturbed(W, W.argmin(), size * W.max())
    slips = [
        (size * W.max(), "这是绝对差别；要除以 b 中最大的绝对值，数量级不同的数组才能放在一起比。"),
        ((np.abs(a - W) / W).max(), "你逐个元素地相除再取最大；很小的元素会把比值放大。先各取最大，再相除。"),
        (size / W.size, "这是平均；一个数错了，平均就看不出来。要取最大。"),
        (size * W.max() / W.size, "这是平均；一个数错了，平均就看不出来。要取最大。"),
    ]
    close(seen(a, W, "一个数组的差别"), size, "max|a − b| / max|b|。", slips, "一个数组的差别")
    a = perturbed(W, W.argmax(), -size * W.max())
    slips = [
        (0, "差别要取绝对值：偏小和偏大一样要紧。"),
        (size * W.max() / a.max(), "分母是 b 的最大值：以 b 为准。"),
    ]
    close(seen(a, W, "偏小时的差别"), size, "max|a − b| / max|b|。", slips, "偏小时的差别")
    theirs = {
        "输出": [W, rng.uniform(100, 300, (2, 2))],
        "梯度": {"W_xz": W * 10, "b_z": b},
        "损失": rng.uniform(3, 6, 7),
    }
    small = {**theirs, "梯度": {"W_xz": W * 10, "b_z": perturbed(b, b.argmin(), size * b.max())}}
    pooled = size * np.abs(b).max()
    slips = [
        (0, "藏在里层的字典里的差别没有看到：遇到字典和列表，要对里面的每一项再调用自己。"),
        (pooled, "这是绝对差别；b_z 本来就很小，要除以它自己的最大值。"),
        (pooled / np.abs(theirs["输出"][1]).max(), "每个数组除以自己的最大值，不要除以全部数组里最大的那个。"),
        (size / 5, "各数组的差别要取最大，不是平均。"),
    ]
    close(seen(small, theirs, "嵌套结果的差别"), size, "每个数组各算各的，最后取最大。", slips, "嵌套结果的差别")
    that(
        seen(theirs, theirs, "自己比自己") == 0,
        "自己比自己，差别应是 0。",
        "看看是不是把次序弄错了，比了两个不同的数组。",
    )
    broken = {**theirs, "损失": perturbed(theirs["损失"], 5, np.nan)}
    value = float(numbers(answer(broken, theirs), (), "返回一个数。", "有 NaN 时的差别"))
    that(
        value == np.inf,
        f"有 NaN 时应返回 np.inf，得到 {value:.6g}。",
        "NaN 与谁比都是假，max 因此会漏掉它，错误的结果反而通过了检查。算出的差别不是有限的数，就返回 np.inf。",
    )
    column = {**theirs, "梯度": {"W_xz": W * 10, "b_z": b[:, None] * np.ones(5)}}
    value = float(numbers(answer(column, theirs), (), "返回一个数。", "形状不同时的差别"))
    that(
        value == np.inf,
        f"一个是 (5, 5)、一个是 (5,) 时应返回 np.inf，得到 {value:.6g}。",
        "形状不同的数组相减会悄悄地广播。先比 shape，不同就返回 np.inf。",
    )


@chapter.experiment(
    "单精度求和：逐个加与两两加",
    stars=2,
    minutes=20,
    stronger="逐个加：np.cumsum(values, axis=1)[:, -1]；两两加：反复 v = v[:, ::2] + v[:, 1::2]，直到只剩一列。",
    predictions=("逐个加更准", "两种差不多准", "两两加的误差不到逐个加的十分之一"),
)
def summation_errors(answer, rng):
    values = (rng.normal(size=(16, 32768)) ** 2).astype(np.float32)
    exact = np.array([math.fsum(row) for row in values])

    def error(sums):
        return np.abs(sums.astype(float).reshape(-1) - exact).mean()

    def folded(v, halves):
        while (m := v.shape[1]) > 1:
            v = v[:, : m // 2] + v[:, m // 2 :] if halves else v[:, ::2] + v[:, 1::2]
        return v

    one_by_one, pairs = error(np.cumsum(values, axis=1)[:, -1]), error(folded(values, False))
    got = items(answer(values), 2, "返回两个数：逐个加的平均误差，两两加的平均误差。")
    running, pairwise = (float(numbers(one, (), "每种加法给一个数：16 行误差的平均。")) for one in got)
    backwards = error(np.cumsum(values[:, ::-1], axis=1)[:, -1])
    slips = [
        (pairs, "两个数的次序反了：先逐个加，后两两加。"),
        (error(values.sum(axis=1)), "np.sum 自己就会分段相加，不是逐个加。用 np.cumsum 的最后一列，或者写循环。"),
        (one_by_one / exact.mean(), "要的是绝对误差，不用除以和。"),
        (np.mean(np.cumsum(values, axis=1)[:, -1] - exact), "误差先取绝对值再平均，正负才不会抵消。"),
        (backwards, "从左加到右，次序不要反。"),
    ]
    double = "中间用了双精度，误差就几乎没有了：累加的变量要一直是 float32。"
    that(abs(running) > 1e-3 * one_by_one, f"逐个加的平均误差约为 {one_by_one:.2g}，得到 {running:.2g}。", double)
    close(
        running,
        one_by_one,
        "从 0 开始，一个一个加，每加一次就舍入成 float32；再与 math.fsum 比。",
        slips,
        "逐个加的误差",
    )
    that(abs(pairwise) > 1e-2 * pairs, f"两两加的平均误差约为 {pairs:.2g}，得到 {pairwise:.2g}。", double)
    other = error(folded(values, True))
    slips = [
        (one_by_one, "两两加和逐个加不该一样：每一轮把相邻的两列相加，长度减半。"),
        (error(values.sum(axis=1)), "np.sum 是分段相加，不完全是两两相加；请自己写那个循环。"),
    ]
    wanted = other if abs(pairwise - other) < abs(pairwise - pairs) else pairs
    close(pairwise, wanted, "反复把相邻的两列相加，直到只剩一列，一直用 float32。", slips, "两两加的误差")
    return "两两加的误差不到逐个加的十分之一" if pairwise < running / 10 else "两种差不多准"


chapter.question("second_bias", "放开第二份偏置", stars=2, minutes=20)

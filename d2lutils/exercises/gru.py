"""Checks of the exercises on gated recurrent units (chapter ``gru``, document 002)."""

import numpy as np

from .expect import close, items
from .reference import jacobian, sigmoid
from .registry import Chapter

__all__ = ["chapter"]

chapter = Chapter("gru", "门控循环单元")


def _weights(rng, num_inputs, num_hiddens, groups):
    """For each gate W_x (q, h), W_h (h, h), b (h,), one after the other."""
    shapes = [(num_inputs, num_hiddens), (num_hiddens, num_hiddens), (num_hiddens,)] * groups
    return [rng.normal(size=shape) for shape in shapes]


@chapter.code(
    "门控循环单元的一步",
    stars=1,
    minutes=12,
    stronger="Z、R 用 σ；H_tilde = np.tanh(X @ W_xh + R * (H @ W_hh) + b_h)；最后 Z * H + (1 - Z) * H_tilde。",
)
def gru_step(answer, rng):
    batch_size, num_inputs, num_hiddens = 2, 3, 5
    params = _weights(rng, num_inputs, num_hiddens, 3)
    X, H = rng.normal(size=(batch_size, num_inputs)), rng.uniform(-1, 1, (batch_size, num_hiddens))

    def step(W_xz, W_hz, b_z, W_xr, W_hr, b_r, W_xh, W_hh, b_h, kind=""):
        Z, R = sigmoid(X @ W_xz + H @ W_hz + b_z), sigmoid(X @ W_xr + H @ W_hr + b_r)
        product = {"before": (R * H) @ W_hh, "open": H @ W_hh}.get(kind, R * (H @ W_hh))
        bend = sigmoid if kind == "sigmoid" else np.tanh
        H_tilde = bend(R * (H @ W_hh + b_h) + X @ W_xh if kind == "bias" else X @ W_xh + product + b_h)
        if kind == "all":
            H_tilde = np.tanh(R * (X @ W_xh + H @ W_hh) + b_h)
        return (
            (1 - Z) * H + Z * H_tilde if kind == "swapped" else H_tilde if kind == "new" else Z * H + (1 - Z) * H_tilde
        )

    no_bias = [p if p.ndim == 2 else 0 * p for p in params]
    slips = [
        (step(*params, kind="swapped"), "Z 和 1 - Z 反了：Z 接近 1 是保留旧状态，Z 越大，更新得越少。"),
        (step(*params, kind="before"), "你先重置、后乘 W_hh。本章后重置：R * (H @ W_hh)，括号不能省。"),
        (step(*params, kind="open"), "没有用重置门：候选里的 H @ W_hh 要逐元素乘 R。"),
        (step(*params, kind="all"), "R 只管旧状态那一项，不管 X @ W_xh。"),
        (step(*params, kind="bias"), "R 只乘 H @ W_hh，不乘偏置 b_h。"),
        (step(*params, kind="sigmoid"), "候选用 tanh，取值在 -1 到 1 之间；只有门才用 σ。"),
        (step(*params, kind="new"), "这是候选。新状态在旧状态和候选之间按 Z 取。"),
        (step(*params[3:6], *params[:3], *params[6:]), "两扇门的参数反了：params 里先是更新门 z，再是重置门 r。"),
        (step(*no_bias), "少了偏置。"),
    ]
    close(answer(X, H, params), step(*params), "Z、R、候选、新状态，一行一行地对照公式。", slips, "新状态")


def _run(XW, H, W_h, kind=""):
    """States (T, n, h) of the fused form; ``kind`` is a usual slip."""
    h, states, start = H.shape[-1], [], H
    for XW_t in XW:
        HW = (start if kind == "start" else H) @ W_h
        gates = sigmoid(XW_t[..., : 2 * h] + HW[..., : 2 * h])
        Z, R = gates[..., :h], gates[..., h:]
        if kind == "order":
            Z, R = R, Z
        inner, outer = HW[..., 2 * h :], XW_t[..., 2 * h :]
        H_tilde = np.tanh({"open": outer + inner, "all": R * (outer + inner)}.get(kind, outer + R * inner))
        if kind == "before":
            H_tilde = np.tanh(outer + (R * H) @ W_h[:, 2 * h :])
        H = (1 - Z) * H + Z * H_tilde if kind == "swapped" else Z * H + (1 - Z) * H_tilde
        states.append(H)
    return np.stack(states)


@chapter.code(
    "三组权重合一",
    stars=2,
    minutes=20,
    stronger="HW = H @ W_h；XW_t + HW 的前 2h 列取 σ，切成 Z、R；候选是 np.tanh(XW_t[:, 2*h:] + R * HW[:, 2*h:])。",
)
def gru_fused(answer, rng):
    num_steps, batch_size, num_hiddens = 4, 3, 5
    XW = rng.normal(size=(num_steps, batch_size, 3 * num_hiddens))
    W_h = rng.normal(size=(num_hiddens, 3 * num_hiddens))
    H = rng.uniform(-1, 1, (batch_size, num_hiddens))
    right = _run(XW, H, W_h)
    slips = [
        (
            _run(XW, H, W_h, "order"),
            "两扇门反了：头 h 列是更新门 Z，接着 h 列是重置门 R（nn.GRU 的次序才是先 R 后 Z）。",
        ),
        (_run(XW, H, W_h, "open"), "候选里没有用重置门：R 只乘 HW 的那一份，所以那一段 XW 和 HW 不能先加起来。"),
        (_run(XW, H, W_h, "all"), "R 只乘 HW 的那一份，不乘 XW：这一段不能先加起来。"),
        (_run(XW, H, W_h, "swapped"), "Z 和 1 - Z 反了：Z 接近 1 是保留旧状态。"),
        (_run(XW, H, W_h, "before"), "你先重置、后乘权重。后重置才能三个矩阵一次乘完。"),
        (_run(XW, H, W_h, "start"), "每一步用的都是最初的 H：循环里要给 H 重新赋值。"),
        (right[-1], "只返回了最后的状态；每一步的状态都要，形状 (T, n, h)。"),
        (right.transpose(1, 0, 2), "形状是 (T, n, h)：时间步在最前面。"),
    ]
    close(answer(XW, H, W_h), right, "先在一个时间步上和 gru_step 对数字：Z、R、候选。", slips, "每一步的状态")
    XW[..., :num_hiddens], XW[..., num_hiddens : 2 * num_hiddens] = -40, 40
    W_h[:, : 2 * num_hiddens] = 0
    plain, state = [], H
    for XW_t in XW:
        state = np.tanh(XW_t[:, 2 * num_hiddens :] + state @ W_h[:, 2 * num_hiddens :])
        plain.append(state)
    close(answer(XW, H, W_h), np.stack(plain), "Z = 0、R = 1 时，应当就是普通的循环层。", [], "Z = 0、R = 1 时的状态")


@chapter.code(
    "长短期记忆的一步",
    stars=2,
    minutes=15,
    stronger="先 C = F * C + I * np.tanh(X @ W_xc + H @ W_hc + b_c)，H 是旧的；再 H = O * np.tanh(C)，C 是新的。",
)
def lstm_step(answer, rng):
    batch_size, num_inputs, num_hiddens = 2, 3, 4
    params = _weights(rng, num_inputs, num_hiddens, 4)
    X = rng.normal(size=(batch_size, num_inputs))
    H, C = rng.uniform(-1, 1, (batch_size, num_hiddens)), rng.normal(size=(batch_size, num_hiddens)) * 2

    def step(params, bend=np.tanh, kind=""):
        groups = zip(params[::3], params[1::3], params[2::3], strict=True)
        A_i, A_f, A_o, A_c = (X @ W_x + H @ W_h + b for W_x, W_h, b in groups)
        enter, keep, show = sigmoid(A_i), sigmoid(A_f), sigmoid(A_o)
        new = (1 - enter if kind == "tied" else keep) * C + enter * bend(A_c)
        shown = {"bare": new, "old": np.tanh(C), "sigmoid": sigmoid(new)}.get(kind, np.tanh(new))
        return (1 if kind == "closed" else show) * shown, new

    i, f, o, c = (params[k : k + 3] for k in (0, 3, 6, 9))
    no_bias = [p if p.ndim == 2 else 0 * p for p in params]
    hidden, memory = step(params)
    order = "params 里的次序是输入门 i、遗忘门 f、输出门 o、候选 c，各三个。"
    wrong = [
        ((memory, hidden), "次序反了：先返回 H，再返回 C。"),
        (step(f + i + o + c), f"I 和 F 反了：F 乘旧的记忆，I 乘候选。{order}"),
        (step(i + f + c + o), order),
        (step(params, sigmoid), "候选用 tanh，只有三扇门才用 σ。"),
        (step(params, kind="tied"), "这是 GRU 的做法：一扇门管两头。LSTM 的 F 和 I 是两扇各自的门。"),
        (step(no_bias), "少了偏置。"),
        (step(params, kind="bare"), "露出之前还要过一次 tanh：H = O * np.tanh(C)。"),
        (step(params, kind="old"), "H 里用的是新的 C，不是传进来的旧的 C。"),
        (step(params, kind="sigmoid"), "H = O * np.tanh(C)，不是 σ(C)。"),
        (step(params, kind="closed"), "少了输出门：H = O * np.tanh(C)。"),
    ]
    got = items(answer(X, H, C, params), 2, "返回两样：新的 H 和新的 C。")
    hint = "对照公式：C = F * C + I * C_tilde，门和候选都从 X 和旧的 H 算。"
    close(got[1], memory, hint, [(value[1], cause) for value, cause in wrong], "新的记忆 C")
    close(got[0], hidden, "H = O * np.tanh(C)，C 是新的。", [(value[0], cause) for value, cause in wrong], "新的状态 H")


@chapter.code(
    "求和换成求平均",
    stars=1,
    minutes=10,
    stronger="记 N = batch_size * num_steps。梯度缩小到 1/N：学习率乘 N 补回来，阈值也要跟着除以 N。",
)
def mean_settings(answer, rng):
    batch_size, num_steps = int(rng.integers(3, 6)), int(rng.integers(7, 10))
    lr, theta, N = rng.uniform(0.2, 0.4), rng.uniform(2, 4), batch_size * num_steps
    got = items(answer(lr, theta, batch_size, num_steps), 2, "返回两个数：新的学习率和新的阈值。")
    rate = [
        (lr, "学习率没有变：梯度小了，没有裁剪的时候，步子也会跟着小。"),
        (lr / N, "反了：梯度变小了，学习率要变大才走得一样远。"),
        (lr * batch_size, "平均遍及批量和时间步：一共 batch_size * num_steps 个字。"),
        (lr * num_steps, "平均遍及批量和时间步：一共 batch_size * num_steps 个字。"),
        (theta / N, "次序反了：先返回学习率，再返回阈值。"),
    ]
    close(got[0], lr * N, "没有裁剪的时候，一步是学习率乘梯度：梯度小到几分之几，学习率就大几倍。", rate, "学习率")
    threshold = [
        (theta, "阈值没有变：梯度小了，原来要裁剪的，现在够不着阈值了。"),
        (theta * N, "反了：梯度变小了，阈值要跟着变小，裁剪才发生在同样的时候。"),
        (theta / batch_size, "平均遍及批量和时间步：一共 batch_size * num_steps 个字。"),
        (theta / num_steps, "平均遍及批量和时间步：一共 batch_size * num_steps 个字。"),
    ]
    close(got[1], theta / N, "阈值和梯度比大小：梯度小到几分之几，阈值也要小到几分之几。", threshold, "阈值")


@chapter.code(
    "先重置的反向传播",
    stars=3,
    minutes=40,
    stronger="先算 gamma_h、gamma_z；再 P = gamma_h @ W_hh.T，它是 R ⊙ H 的梯度：gamma_r = P * H * R * (1 - R)，"
    "传给旧状态的一份是 P * R。",
)
def reset_before_backward(answer, rng):
    batch_size, num_hiddens = 2, 4
    W_hz, W_hr, W_hh = (rng.normal(size=(num_hiddens, num_hiddens)) for _ in range(3))
    A_z, A_r, A_h = (rng.normal(size=(batch_size, num_hiddens)) for _ in range(3))
    H, delta = rng.uniform(-1, 1, (batch_size, num_hiddens)), rng.normal(size=(batch_size, num_hiddens))
    zero = np.zeros_like(H)

    def gates(H, z=zero, r=zero, h=zero):
        Z, R = sigmoid(A_z + H @ W_hz + z), sigmoid(A_r + H @ W_hr + r)
        return Z, R, np.tanh(A_h + (R * H) @ W_hh + h)

    def loss(H, **moved):
        Z, _, H_tilde = gates(H, **moved)
        return (delta * (Z * H + (1 - Z) * H_tilde)).sum()

    Z, R, H_tilde = gates(H)
    gamma_z, gamma_r, gamma_h = (jacobian(lambda a, name=name: loss(H, **{name: a}), zero) for name in "zrh")
    right = jacobian(loss, H)
    bend, P = 1 - H_tilde**2, gamma_h @ W_hh.T
    to_z, to_r = gamma_z @ W_hz.T, gamma_r @ W_hr.T
    wrong_z = [
        (-gamma_z, "符号反了：Z 变大，H_t 从候选向旧状态靠，所以是 H - H_tilde。"),
        (delta * (H - H_tilde), "还要过 σ：乘 Z(1 - Z)。"),
        (delta * H * Z * (1 - Z), "Z 出现了两次：Z ⊙ H 和 (1 - Z) ⊙ H_tilde，两份都要求导。"),
    ]
    wrong_h = [
        (delta * (1 - Z), "还要过 tanh：乘 1 - H_tilde²。"),
        (delta * Z * bend, "候选前面的系数是 1 - Z，不是 Z。"),
        (delta * bend, "少了候选前面的系数 1 - Z。"),
    ]
    wrong_r = [
        (
            gamma_h * (H @ W_hh) * R * (1 - R),
            "这是后重置的公式。先重置时 R 乘在 W_hh 之前，要先用 W_hh 的转置把梯度传回来。",
        ),
        (P * R * (1 - R), "R 乘的是旧状态：对 R 求导时还有一个因子 H。"),
        (P * H, "还要过 σ：乘 R(1 - R)。"),
        ((gamma_h @ W_hh) * H * R * (1 - R), "往回走乘的是 W_hh 的转置。"),
        (P * (1 - R), "R 乘的是旧状态：对 R 求导得到 H；再过 σ，乘 R(1 - R)。"),
    ]
    wrong_H = [
        (right - delta * Z, "少了直路 delta ⊙ Z：H_t 里有一项 Z ⊙ H，不经过任何权重。"),
        (delta * Z + to_z + to_r + P, "(R ⊙ H) 传回 H，还要乘 R。"),
        (delta * Z + to_z + to_r + (gamma_h * R) @ W_hh.T, "这是后重置的公式。先重置时，先乘 W_hh 的转置，再乘 R。"),
        (delta * Z + P * R, "两扇门也看旧状态：加上 gamma_z @ W_hz.T 和 gamma_r @ W_hr.T。"),
        (delta * Z + to_z + P * R, "重置门也看旧状态：加上 gamma_r @ W_hr.T。"),
        (delta * Z + to_r + P * R, "更新门也看旧状态：加上 gamma_z @ W_hz.T。"),
        (delta * Z + to_z + to_r, "候选也看旧状态：加上它的一份。"),
        (delta * Z, "这只是直路。旧状态还经过两扇门和候选，一共四条路。"),
        (delta * Z + gamma_z @ W_hz + gamma_r @ W_hr + (gamma_h @ W_hh) * R, "往回走乘的是权重的转置。"),
        (delta * Z + gamma_z @ W_hz + gamma_r @ W_hr + P * R, "往回走乘的是权重的转置，W_hz、W_hr 也不例外。"),
    ]
    got = items(
        answer(delta, H, Z, R, H_tilde, W_hz, W_hr, W_hh), 4, "返回四样：gamma_z, gamma_r, gamma_h, delta_prev。"
    )
    parts = {
        "gamma_z": (0, gamma_z, wrong_z, "它是 L 对 Z 的 σ 里面那个数的导数。"),
        "gamma_h": (2, gamma_h, wrong_h, "它是 L 对候选的 tanh 里面那个数的导数。"),
        "gamma_r": (1, gamma_r, wrong_r, "从 gamma_h 往回：乘 W_hh 的转置，到 R ⊙ H；再到 R；再过 σ。"),
        "delta_prev": (3, right, wrong_H, "旧状态有四条路：直路、更新门、重置门、候选。四份相加。"),
    }
    for name, (place, value, slips, hint) in parts.items():
        close(got[place], value, hint, slips, name, 1e-5)


@chapter.experiment(
    "更新门的偏置与记忆",
    stars=2,
    minutes=20,
    stronger="两个状态用同样的 XW_t 各走一步，再比 np.linalg.norm(H_a - H_b) 与起初的 0.01 倍；第一步之后算 1。",
    predictions=("不到两倍", "大约五倍", "二十倍以上"),
)
def steps_to_forget(answer, rng):
    num_steps, num_hiddens = 80, 32
    W_h = rng.normal(size=(num_hiddens, 3 * num_hiddens)) * 0.01
    XW = rng.normal(size=(num_steps, 3 * num_hiddens)) * 0.01
    H_a, H_b = rng.uniform(-1, 1, (2, num_hiddens))

    def gaps(b_z, kind=""):
        moved = XW.copy()
        moved[:, :num_hiddens] += b_z
        run_a, run_b = (_run(moved[:, None], H[None], W_h, kind)[:, 0] for H in (H_a, H_b))
        return moved, np.linalg.norm(run_a - run_b, axis=1)

    def first(gap, limit):
        return int((gap < limit).argmax()) + 1

    start, counts = np.linalg.norm(H_a - H_b), {}
    for b_z in (2, 0):
        moved, gap = gaps(b_z)
        steps = first(gap, 0.01 * start)
        slips = [
            (first(gaps(b_z, "swapped")[1], 0.01 * start), "Z 和 1 - Z 反了：Z 接近 1 是保留旧状态。"),
            (first(gaps(b_z, "order")[1], 0.01 * start), "两扇门反了：头 h 列是更新门 Z，接着 h 列是重置门 R。"),
            (steps - 1, "少数了一步：走完第一步算 1。"),
            (first(gap, 0.01), "和起初的距离比，不是和 0.01 比。"),
            (first(gap, 0.1 * start), "百分之一是 0.01，不是 0.1。"),
            (first(gap, 0.5 * start), "要等到只剩百分之一，不是一半。"),
        ]
        hint = "两个状态各自往前走，每一步之后量一次距离。"
        close(answer(moved, H_a, H_b, W_h), steps, hint, slips, f"偏置为 {b_z} 时的步数")
        counts[b_z] = steps
    ratio = counts[2] / counts[0]
    return "不到两倍" if ratio < 2 else "大约五倍" if ratio < 10 else "二十倍以上"


chapter.question("reset-before", "先重置为什么省不下一次乘法", stars=2, minutes=20)

"""Plausible wrong answers to the exercises of the chapter ``gru``, each with a piece of the hint it should get."""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def step(mix=lambda Z, H, new: Z * H + (1 - Z) * new, inner=lambda R, H, W: R * (H @ W), bend=np.tanh, order=(0, 3)):
    def answer(X, H, params):
        z, r = order
        Z = sigmoid(X @ params[z] + H @ params[z + 1] + params[z + 2])
        R = sigmoid(X @ params[r] + H @ params[r + 1] + params[r + 2])
        W_xh, W_hh, b_h = params[6:]
        return mix(Z, H, bend(X @ W_xh + inner(R, H, W_hh) + b_h))

    return answer


def swapped(Z, H, new):
    return (1 - Z) * H + Z * new


def fused(inner=lambda XW, R, HW: XW + R * HW, swap=False, carry=True, mix=lambda Z, H, new: Z * H + (1 - Z) * new):
    def answer(XW, H, W_h):
        h, states, first = H.shape[-1], [], H
        for XW_t in XW:
            HW = (H if carry else first) @ W_h
            gates = sigmoid(XW_t[:, : 2 * h] + HW[:, : 2 * h])
            Z, R = (gates[:, h:], gates[:, :h]) if swap else (gates[:, :h], gates[:, h:])
            H = mix(Z, H, np.tanh(inner(XW_t[:, 2 * h :], R, HW[:, 2 * h :])))
            states.append(H)
        return np.stack(states)

    return answer


def lstm(order=(0, 3, 6, 9), bend=np.tanh, show=lambda gate, C, old: gate * np.tanh(C), tied=False):
    def answer(X, H, C, params):
        A = [X @ params[k] + H @ params[k + 1] + params[k + 2] for k in order]
        enter, keep, gate = (sigmoid(a) for a in A[:3])
        new = (1 - enter if tied else keep) * C + enter * bend(A[3])
        return show(gate, new, C), new

    return answer


def backward(delta, H, Z, R, H_tilde, W_hz, W_hr, W_hh, kind=""):
    gamma_z = delta * (H - H_tilde) * (1 if kind == "no sigmoid" else Z * (1 - Z))
    gamma_h = delta * (1 if kind == "no factor" else 1 - Z) * (1 - H_tilde**2)
    P = gamma_h @ W_hh.T
    gamma_r = gamma_h * (H @ W_hh) * R * (1 - R) if kind == "after" else P * H * R * (1 - R)
    if kind == "no state":
        gamma_r = P * R * (1 - R)
    back = P if kind == "no R" else (gamma_h * R) @ W_hh.T if kind == "half after" else P * R
    doors = gamma_z @ W_hz + gamma_r @ W_hr if kind == "no transpose" else gamma_z @ W_hz.T + gamma_r @ W_hr.T
    doors = 0 if kind == "no doors" else doors
    straight = 0 if kind == "no straight" else delta * Z
    return (-gamma_z if kind == "sign" else gamma_z), gamma_r, gamma_h, straight + doors + back


def back(kind):
    return lambda *args: backward(*args, kind=kind)


def forget(mix=lambda Z, H, new: Z * H + (1 - Z) * new, swap=False, share=0.01, relative=True, start=1):
    def answer(XW, H_a, H_b, W_h):
        H, states = np.stack((H_a, H_b)), fused(swap=swap, mix=mix)
        first = np.linalg.norm(H_a - H_b) if relative else 1
        for t, XW_t in enumerate(XW, start):
            H = states(np.stack((XW_t, XW_t))[None], H, W_h)[0]
            if np.linalg.norm(H[0] - H[1]) < share * first:
                return t

    return answer


WRONG = {
    "gru-1": [
        (step(mix=swapped), "Z 和 1 - Z 反了"),
        (step(inner=lambda R, H, W: (R * H) @ W), "括号不能省"),
        (step(inner=lambda R, H, W: H @ W), "没有用重置门"),
        (step(bend=sigmoid), "候选用 tanh"),
        (step(mix=lambda Z, H, new: new), "这是候选"),
        (step(order=(3, 0)), "先是更新门 z"),
    ],
    "gru-2": [
        (fused(swap=True), "先 R 后 Z"),
        (fused(inner=lambda XW, R, HW: XW + HW), "没有用重置门"),
        (fused(inner=lambda XW, R, HW: R * (XW + HW)), "不乘 XW"),
        (fused(carry=False), "重新赋值"),
        (fused(mix=swapped), "Z 和 1 - Z 反了"),
        (lambda XW, H, W_h: fused()(XW, H, W_h)[-1], "每一步的状态都要"),
    ],
    "gru-3": [
        (lstm(order=(3, 0, 6, 9)), "I 和 F 反了"),
        (lstm(order=(0, 3, 9, 6)), "params 里的次序"),
        (lstm(bend=sigmoid), "候选用 tanh"),
        (lstm(tied=True), "两扇各自的门"),
        (lstm(show=lambda gate, C, old: gate * C), "还要过一次 tanh"),
        (lstm(show=lambda gate, C, old: gate * np.tanh(old)), "新的 C"),
        (lstm(show=lambda gate, C, old: np.tanh(C)), "少了输出门"),
        (lambda *args: lstm()(*args)[::-1], "先返回 H"),
    ],
    "gru-4": [
        (lambda lr, theta, n, T: (lr, theta / (n * T)), "学习率没有变"),
        (lambda lr, theta, n, T: (lr * n * T, theta), "阈值没有变"),
        (lambda lr, theta, n, T: (lr / n / T, theta / n / T), "学习率要变大"),
        (lambda lr, theta, n, T: (lr * n, theta / n), "batch_size . num_steps 个字"),
        (lambda lr, theta, n, T: (lr * n * T, theta * n * T), "阈值要跟着变小"),
        (lambda lr, theta, n, T: (theta / n / T, lr * n * T), "次序反了"),
    ],
    "gru-5": [
        (back("sign"), "符号反了"),
        (back("no sigmoid"), "还要过 σ"),
        (back("no factor"), "少了候选前面的系数"),
        (back("after"), "这是后重置的公式"),
        (back("no state"), "还有一个因子 H"),
        (back("no straight"), "少了直路"),
        (back("no R"), "还要乘 R"),
        (back("half after"), "这是后重置的公式"),
        (back("no doors"), "两扇门也看旧状态"),
        (back("no transpose"), "W_hz、W_hr 也不例外"),
    ],
    "gru-6": [
        (forget(mix=swapped), "Z 和 1 - Z 反了"),
        (forget(swap=True), "两扇门反了"),
        (forget(start=0), "少数了一步"),
        (forget(relative=False), "和起初的距离比"),
        (forget(share=0.5), "不是一半"),
    ],
}

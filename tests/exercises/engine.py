"""Plausible wrong answers to the exercises of the chapter ``engine``, each with a piece of the hint it should get."""

from itertools import pairwise

import numpy as np


def windows(corpus, num_steps, stride=1, more=0, shift=1):
    starts = range(0, len(corpus) - num_steps + more, stride)
    return [np.array([corpus[i + k : i + k + num_steps] for i in starts]) for k in (0, shift)]


def one_window_too_many(corpus, num_steps):
    X = np.array([corpus[i : i + num_steps] for i in range(len(corpus) - num_steps + 1)])
    return X, X[1:]


COMPUTE = {
    "add": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "exp": np.exp,
    "tanh": np.tanh,
}


def always_first_input(tape, inputs):
    values = []
    for op, parents in tape:
        values.append(inputs[0] if op == "input" else COMPUTE[op](*(values[i] for i in parents)))
    return values


def flipped(tape, inputs):
    values, rest = [], iter(inputs)
    for op, parents in tape:
        values.append(next(rest) if op == "input" else COMPUTE[op](*(values[i] for i in parents[::-1])))
    return values


def from_inputs(tape, inputs):
    """Takes all inputs to stand in front."""
    values = list(inputs)
    for op, parents in tape[len(inputs) :]:
        values.append(0.0 if op == "input" else COMPUTE[op](*(values[i] for i in parents)))
    return values


def only_last(tape, inputs):
    values, rest = [], iter(inputs)
    for op, parents in tape:
        values.append(next(rest) if op == "input" else COMPUTE[op](*(values[i] for i in parents)))
    return values[-1]


def neighbours_only(tape, order):
    return all(a not in tape[b][1] for a, b in pairwise(order))


def reversed_comparison(tape, order):
    place = {number: k for k, number in enumerate(order)}
    return all(place[number] > place[i] for number, (_, parents) in enumerate(tape) for i in parents)


def discovered(tape, order):
    """Asks only that some user of each node went before it."""
    seen = {order[0]}
    for number in order:
        if number not in seen:
            return False
        seen |= set(tape[number][1])
    return len(order) == 1 or order[0] == len(tape) - 1


def slopes_of(op, x, y, slip=""):
    if op == "mul" and slip == "mul":
        return x
    if op == "div" and slip == "div":
        return 1 / x[1], y / x[1]
    if op == "tanh" and slip == "tanh":
        return (1 - x[0] ** 2,)
    if op == "exp" and slip == "exp":
        return (x[0],)
    return {
        "add": lambda: (1, 1),
        "mul": lambda: (x[1], x[0]),
        "div": lambda: (1 / x[1], -y / x[1]),
        "tanh": lambda: (1 - y**2,),
        "exp": lambda: (y,),
        "input": tuple,
    }[op]()


def backward(slip="", assign=False, forward=False, seed=1.0):
    def tape_gradients(tape, values):
        grads = [0.0] * len(tape)
        grads[-1] = seed
        numbers = range(len(tape)) if forward else range(len(tape))[::-1]
        for number in numbers:
            op, parents = tape[number]
            for i, slope in zip(
                parents, slopes_of(op, [values[i] for i in parents], values[number], slip), strict=True
            ):
                grads[i] = grads[number] * slope + (0 if assign else grads[i])
        return grads

    return tape_gradients


def only_inputs(tape, values):
    grads = backward()(tape, values)
    return [g for g, (op, _) in zip(grads, tape, strict=True) if op == "input"]


def leading(grad, shape):
    return grad.sum(tuple(range(grad.ndim - len(shape))))


def no_keepdims(grad, shape):
    grad = leading(grad, shape)
    return grad.sum(tuple(i for i, size in enumerate(shape) if size == 1))


def averaged(grad, shape):
    grad = grad.mean(tuple(range(grad.ndim - len(shape))))
    return grad.mean(tuple(i for i, size in enumerate(shape) if size == 1), keepdims=True)


def one_copy(grad, shape):
    grad = grad[(0,) * (grad.ndim - len(shape))]
    return grad[tuple(slice(0, 1) if size == 1 else slice(None) for size in shape)]


def adam(correct="both", inside=False, momentum=True, sign=-1, eps=1e-8):
    def adam_changes(grads, lr):
        mean, square, changes = 0, 0, []
        for t, g in enumerate(grads, 1):
            mean, square = 0.9 * mean + 0.1 * g, 0.999 * square + 0.001 * g**2
            m = mean / (1 - 0.9**t) if correct in ("both", "mean") else mean
            s = square / (1 - 0.999**t) if correct == "both" else square
            root = np.sqrt(s + eps) if inside else np.sqrt(s) + eps
            changes.append(sign * lr * (m if momentum else g) / root)
        return np.stack(changes)

    return adam_changes


WRONG = {
    "engine-1": [
        (lambda corpus, T: windows(corpus, T, stride=T), "不是挪一整个窗口"),
        (one_window_too_many, "没有下一个字符"),
        (lambda corpus, T: windows(corpus, T, more=-1), "少了最后一个"),
        (lambda corpus, T: windows(corpus, T, shift=0), "右移一位"),
        (lambda corpus, T: [w.T for w in windows(corpus, T)], "一行是一个窗口"),
    ],
    "engine-2": [
        (always_first_input, "第二个 input"),
        (flipped, "除法的次序反了"),
        (only_last, "全部返回|样东西"),
        (from_inputs, "到 values 里取值"),
    ],
    "engine-3": [
        (lambda tape, order: list(order) == sorted(order, reverse=True), "不必从大到小"),
        (lambda tape, order: True, "往回走要反过来"),
        (reversed_comparison, "编号从大到小总是可以"),
        (discovered, "那一份梯度还没有交来"),
        (neighbours_only, "不只看相邻"),
        (lambda tape, order: [True], "最后写 return True"),
    ],
    "engine-4": [
        (backward(assign=True), r"写 \+="),
        (backward(forward=True), "走的次序反了"),
        (backward("mul"), "另一个因子"),
        (backward("div"), "少了负号"),
        (backward("tanh"), "y 是算出来的值"),
        (backward("exp"), "它自己的值"),
        (backward(seed=0.0), "全是 0"),
        (only_inputs, "每个节点一个梯度"),
    ],
    "engine-5": [
        (leading, "长为 1 的轴"),
        (no_keepdims, "keepdims"),
        (averaged, "不是平均"),
        (one_copy, "只取了一份"),
        (lambda grad, shape: grad.sum(0), "形状应正好是 shape"),
    ],
    "engine-6": [
        (adam(correct="none"), "没有修正"),
        (adam(correct="mean"), "square 也要修正"),
        (adam(inside=True), "开方之后"),
        (adam(momentum=False), "不是当前的梯度"),
        (adam(sign=1), "符号反了"),
        (adam(eps=0), "少了分母里的 eps"),
        (lambda grads, lr: -lr * grads, "逐步打印"),
    ],
}

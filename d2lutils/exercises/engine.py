"""Checks of the exercises on automatic differentiation (chapter ``engine``, document 000)."""

import numpy as np

from .expect import close, equal, items, numbers, that
from .registry import Chapter

__all__ = ["chapter"]

chapter = Chapter("engine", "动态图与 RNN 语言模型")


@chapter.code(
    "所有的窗口",
    stars=1,
    minutes=10,
    stronger="共 len(corpus_indices) - num_steps 行；第 i 行的 X 是 corpus_indices[i : i + num_steps]，Y 右移一位。",
)
def sliding_windows(answer, rng):
    num_steps, length = 5, int(rng.integers(21, 30))
    corpus = rng.permutation(100)[:length]
    count = length - num_steps
    X, Y = items(answer(corpus, num_steps), 2, "返回两个数组：return X, Y。")
    for got, what in ((X, "X"), (Y, "Y")):
        array = numbers(got, None, "一行一个窗口，各行一样长。", what)
        that(
            array.ndim == 2 and array.shape[1] == num_steps,
            f"{what}的形状不对：应为 {(count, num_steps)}，得到 {array.shape}。",
            "一行是一个窗口，每行 num_steps 个字符。",
        )
        causes = {
            len(range(0, length - num_steps, num_steps)): "每次只往后挪一个字符，不是挪一整个窗口。",
            len(range(0, length - num_steps + 1, num_steps)): "每次只往后挪一个字符，不是挪一整个窗口。",
            count + 1: "最后一个窗口的后面没有下一个字符可作答案，不能要：共有 N − T 个窗口。",
            count - 1: "少了最后一个窗口：range 的终点本来就不含在内。",
        }
        hint = causes.get(len(array), "共有 N − T 个窗口，每次往后挪一个字符。")
        that(len(array) == count, f"{what}应有 {count} 行，得到 {len(array)} 行。", hint)
    windows = corpus[np.arange(count)[:, None] + np.arange(num_steps)]
    close(X, windows, "第 i 行从第 i 个字符开始。", [], "X")
    slips = [
        (windows, "Y 和 X 一样了：答案是下一个字符，要右移一位。"),
        (windows + 1, "右移一位是位置加 1，不是符号的序号加 1。"),
    ]
    close(Y, corpus[np.arange(count)[:, None] + np.arange(num_steps) + 1], "Y 比 X 晚一个字符。", slips, "Y")


# Three tapes; inputs also stand in the middle, one number is used as both parents, one is not used at all.
TAPES = (
    (
        ("input", ()),
        ("mul", (0, 0)),
        ("input", ()),
        ("tanh", (1,)),
        ("add", (1, 3)),
        ("div", (4, 2)),
        ("mul", (5, 3)),
    ),
    (
        ("input", ()),
        ("input", ()),
        ("exp", (0,)),
        ("exp", (1,)),
        ("add", (2, 3)),
        ("mul", (0, 1)),
        ("div", (2, 4)),
    ),
    (
        ("input", ()),
        ("tanh", (0,)),
        ("tanh", (1,)),
        ("input", ()),
        ("add", (1, 2)),
        ("div", (3, 4)),
        ("add", (5, 5)),
    ),
)


def _run(tape, inputs, kind=""):
    """Values of all nodes; ``kind`` names a slip."""
    values, rest = [], iter(inputs)
    for op, parents in tape:
        if op == "input":
            values.append(inputs[0] if kind == "first" else next(rest))
            continue
        x = [values[i] for i in parents]
        if kind == "flip":
            x = x[::-1]
        if op in ("add", "mul", "div"):
            a, b = x
            values.append(a + b if op == "add" else a * b if op == "mul" else a / b)
        else:
            values.append(np.exp(x[0]) if op == "exp" else np.tanh(x[0]))
    return values


def _inputs(tape, rng):
    signs = rng.permutation([1.0, -1.0])
    return [float(s * rng.uniform(0.4, 1.2)) for s in signs[: sum(op == "input" for op, _ in tape)]]


@chapter.code(
    "照着磁带往前算",
    stars=1,
    minutes=12,
    stronger="从空列表 values 开始，逐行看：input 就取下一个输入，否则从 values 里取 parents 的值来算；都接到末尾。",
)
def run_tape(answer, rng):
    for tape in TAPES:
        inputs = _inputs(tape, rng)
        right = _run(tape, inputs)
        got = items(answer(tape, inputs), len(tape), "磁带的每一行都有一个值，全部返回，连输入也在内。")
        slips = [
            (_run(tape, inputs, "first"), "第二个 input 应取第二个输入：取过一个，就轮到下一个。"),
            (_run(tape, inputs, "flip"), "除法的次序反了：parents 里前一个是被除数，后一个是除数。"),
        ]
        close(got, right, "parents 里是编号，要到 values 里取值；编号就是行号，从 0 数。", slips, "各节点的值")


def _is_valid(tape, order):
    place = {number: k for k, number in enumerate(order)}
    return all(place[number] < place[i] for number, (_, parents) in enumerate(tape) for i in parents)


# y = x + tanh(x) with x = tanh(input), and two leaves that do not depend on one another
LATE = ("input", ()), ("tanh", (0,)), ("tanh", (1,)), ("add", (1, 2))
WIDE = ("input", ()), ("input", ()), ("tanh", (0,)), ("exp", (1,)), ("mul", (2, 3))


@chapter.code(
    "哪些次序可以往回走",
    stars=2,
    minutes=15,
    stronger="先记下每个编号在 order 里的位置；每个节点的位置，都要在它的每个上游之前，一处不合就是 False。",
)
def is_valid_order(answer, rng):
    def ask(tape, order, hint):
        got = answer(tape, order)
        that(
            isinstance(got, bool | np.bool_),
            f"应返回 True 或 False，得到 {type(got).__name__}。",
            "最后写 return True。",
        )
        equal(bool(got), _is_valid(tape, order), hint, [], f"次序 {order} 的答案")

    for tape in (LATE, WIDE):
        descending = list(range(len(tape)))[::-1]
        ask(tape, descending, "编号从大到小总是可以的：用到一个节点的，编号都比它大。")
        ask(tape, descending[::-1], "从小到大是往前算的次序；往回走要反过来，先走最后的结果。")
    for order in ([4, 2, 3, 0, 1], [4, 3, 1, 2, 0], [4, 2, 0, 3, 1]):
        ask(WIDE, order, "不必从大到小：互不依赖的节点谁先谁后都行，只要用到一个节点的都在它之前。")
    ask(LATE, [3, 1, 2, 0], "节点 1 有两个下游，2 和 3；走到 1 时 2 还没有走，它的那一份梯度还没有交来。")
    ask(LATE, [2, 3, 1, 0], "节点 2 排在用到它的节点 3 之前，那时它还没有收到梯度。")
    ask(WIDE, [4, 3, 2, 0, 1], "节点 0 与 3 互不依赖，次序随意。")
    ask(WIDE, [4, 0, 3, 2, 1], "节点 0 排在了用到它的节点 2 之前，中间隔着别的节点也不行：要看全部先后，不只看相邻。")
    for tape in TAPES:
        last = len(tape) - 1
        for _ in range(6):
            order = [last, *(int(i) for i in rng.permutation(last))]
            ask(tape, order, "对每个节点、它的每个上游，都要查。")


def _gradients(tape, values, kind=""):
    """Derivatives of the last node by every node; ``kind`` names a slip."""
    grads = [0.0] * len(tape)
    grads[-1] = 1.0
    steps = list(enumerate(tape))
    for number, (op, parents) in steps if kind == "forward" else steps[::-1]:
        x, y, g = [values[i] for i in parents], values[number], grads[number]
        if op == "add":
            slopes = 1, 1
        elif op == "mul":
            slopes = (x[0], x[1]) if kind == "mul" else (x[1], x[0])
        elif op == "div":
            slopes = 1 / x[1], (1 if kind == "div" else -1) * y / x[1]
        elif op == "tanh":
            slopes = (1 - (x[0] if kind == "tanh" else y) ** 2,)
        else:
            slopes = (x[0] if kind == "exp" else y,) if op == "exp" else ()
        if kind == "chain":
            g = 1.0 if g else 0.0
        for i, slope in zip(parents, slopes, strict=True):
            grads[i] = g * slope if kind == "assign" else grads[i] + g * slope
    return grads


@chapter.code(
    "照着磁带往回走",
    stars=3,
    minutes=30,
    stronger="grads 全 0，最后一个是 1；编号从大到小，对每个上游 i：grads[i] += grads[number] * (这一步对 i 的导数)。",
)
def tape_gradients(answer, rng):
    for tape in TAPES:
        inputs = _inputs(tape, rng)
        values = _run(tape, inputs)
        right = _gradients(tape, values)
        got = items(answer(tape, values), len(tape), "每个节点一个梯度，全部返回，次序就是编号。")
        got = [float(numbers(g, (), "没有用到的节点，梯度是 0。", f"节点 {i} 的梯度")) for i, g in enumerate(got)]
        hints = {
            "assign": "一个节点用了几次，几份梯度要加起来：写 +=，不是 =。x 乘 x 就是同一个节点用了两次。",
            "forward": "走的次序反了：编号从大到小，一个节点要先收齐，再往回传。",
            "mul": "乘法对一个因子的导数是另一个因子。",
            "div": "商 a / b 对 b 的导数是 −a / b²，少了负号。",
            "tanh": "tanh 的导数是 1 − y²，y 是算出来的值，不是自变量。",
            "exp": "exp 的导数是它自己的值 y。",
            "chain": "局部的导数要乘 grads[number]，这就是链式法则。",
        }
        slips = [(_gradients(tape, values, kind), hint) for kind, hint in hints.items()]
        slips.append(([0.0] * len(tape), "全是 0：最后一个节点对自己的导数是 1，从它开始。"))
        close(got, right, "挑一个输入挪 1e-6，用差商对一对，看哪个节点先不合。", slips, "各节点的梯度")
        leaves = [i for i, (op, _) in enumerate(tape) if op == "input"]
        for k, leaf in enumerate(leaves):
            ends = []
            for sign in (1, -1):
                moved = list(inputs)
                moved[k] += sign * 1e-5
                ends.append(_run(tape, moved)[-1])
            slope = (ends[0] - ends[1]) / 2e-5
            that(abs(got[leaf] - slope) < 1e-5 * (1 + abs(slope)), f"节点 {leaf} 的梯度与差商 {slope:.6g} 不合。")


@chapter.code(
    "广播的反向",
    stars=2,
    minutes=20,
    stronger="先把多出来的前几个轴加掉：grad.sum(axis=前几个)；再把 shape 里长为 1 的轴加掉，这回要 keepdims=True。",
)
def unbroadcast(answer, rng):
    T, n, h = 4, 3, 5
    cases = [((n, h), (h,)), ((T, n, h), (h,)), ((n, h), (n, 1)), ((T, n, h), (n, 1)), ((T, n, h), (T, 1, h))]
    for big, shape in [*cases, ((n, h), ()), ((n, h), (1, 1)), ((T, n, h), (n, h)), ((n, h), (n, h))]:
        grad = rng.normal(size=big)
        owner = np.broadcast_to(np.arange(int(np.prod(shape))).reshape(shape), big)  # which number each one came from
        right = np.bincount(owner.ravel(), grad.ravel()).reshape(shape)
        what = f"从 {big} 还原到 {shape} 的梯度"
        shape_hint = "还原后的形状应正好是 shape：前面多出来的轴去掉，长为 1 的轴留着（keepdims=True）。"
        got = numbers(answer(grad, shape), shape, shape_hint, what)
        first = grad[(0,) * (grad.ndim - len(shape))]
        first = first[tuple(slice(0, 1) if size == 1 else slice(None) for size in shape)]
        slips = [
            (right * right.size / grad.size, "是求和，不是平均：一个数被复制成几份，就有几份梯度，要加起来。"),
            (first, "你只取了一份；一个数被复制成几份，每一份都有梯度，要加起来。"),
        ]
        close(got, right, "一个数的梯度，是它广播成的全部副本的梯度之和。", slips, what)


def _adam(grads, lr, betas=(0.9, 0.999), eps=1e-8, kind=""):
    """Changes of the parameters, (t, d); ``kind`` names a slip."""
    mean = square = np.zeros(grads.shape[1])
    changes = []
    for t, g in enumerate(grads, 1):
        mean, square = betas[0] * mean + (1 - betas[0]) * g, betas[1] * square + (1 - betas[1]) * g * g
        power = {"late": t + 1, "fixed": 1}.get(kind, t)
        m, s = mean / (1 - betas[0] ** power), square / (1 - betas[1] ** power)
        if kind == "raw":
            m, s = mean, square
        if kind == "mean only":
            s = square
        if kind == "plain":
            m = g
        root = np.sqrt(s + eps) if kind == "inside" else np.sqrt(s) + eps
        changes.append(-lr * m / (s + eps if kind == "no root" else root))
    return np.array(changes)


@chapter.experiment(
    "新的 Adam，第一步有多大",
    stars=2,
    minutes=20,
    stronger="mean、square 从 0 开始；第 t 步（从 1 数）各除以 1 - beta**t；再算 -lr * mean / (sqrt(square) + eps)。",
    predictions=("与梯度成正比", "与梯度的平方根成正比", "几乎都等于学习率"),
)
def adam_changes(answer, rng):
    lr, num_updates = float(rng.uniform(1e-3, 2e-3)), 4
    sizes = np.array([1e-3, 1e-2, 1.0, 10.0, 100.0])
    grads = sizes * rng.uniform(0.5, 1, (num_updates, 5)) * rng.choice([-1.0, 1.0], (num_updates, 5))
    got = numbers(answer(grads, lr), grads.shape, "每一步、每个参数各有一个改变量，形状与 grads 相同。", "改变量")
    hints = {
        "raw": "没有修正：mean 和 square 从 0 开始，头几步两个都偏小，要各除以 1 − beta 的 t 次方。",
        "mean only": "square 也要修正，除以 1 − beta2 的 t 次方。",
        "late": "t 从 1 数：第一步除以 1 − beta 的 1 次方。",
        "fixed": "修正里的 t 每一步加 1，不能一直是 1。",
        "inside": "eps 加在开方之后：sqrt(square) + eps。",
        "no root": "分母要开方：sqrt(square) + eps。",
        "plain": "分子是梯度的移动平均 mean，不是当前的梯度。",
    }
    slips = [(_adam(grads, lr, kind=kind), hint) for kind, hint in hints.items()]
    slips += [
        (-_adam(grads, lr), "符号反了：往梯度的反方向走。"),
        (np.cumsum(_adam(grads, lr), axis=0), "这是累计的改变量；要每一步各自的。"),
        (_adam(grads, lr) / lr, "还要乘学习率 lr。"),
        (_adam(grads, lr, eps=0), "少了分母里的 eps：梯度很小的参数会看出差别。"),
    ]
    right = _adam(grads, lr)
    close(got, right, "逐步打印 mean、square 和修正以后的值，与公式对照。", slips, "改变量", rtol=1e-7)
    ratio = np.abs(got[0]) / lr
    return "几乎都等于学习率" if np.all(np.abs(ratio - 1) < 1e-3) else "与梯度成正比"


chapter.question("three_steps", "三个时间步的图", stars=2, minutes=20)

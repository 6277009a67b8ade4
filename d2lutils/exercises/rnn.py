"""Checks of the exercises on recurrent networks (chapter ``rnn``, document 004)."""

import numpy as np

from .expect import close, items, numbers, that
from .registry import Chapter

__all__ = ["chapter"]

chapter = Chapter("rnn", "循环神经网络")


@chapter.code(
    "按时间步排好的独热编码",
    stars=1,
    minutes=8,
    stronger="np.eye(V) 的第 k 行就是 k 的独热编码；用整数数组作下标，一次取出许多行：np.eye(vocab_size)[X.T]。",
)
def one_hot_steps(answer, rng):
    batch_size, num_steps, vocab_size = 3, 4, int(rng.integers(6, 9))
    X = rng.integers(0, vocab_size, (batch_size, num_steps))
    right = np.eye(vocab_size)[X.T]
    got = answer(X, vocab_size)
    guessed = X.max() + 1
    slips = [
        (np.eye(guessed)[X.T], "词典的大小由 vocab_size 给出，不要从 X 里猜：这一批里不一定有最后一个字。"),
        (np.eye(vocab_size)[X], "形状是 (批量, 时间步, 词典)。循环网络要一步一步地读，所以时间步放在最前面：先转置。"),
        (np.eye(vocab_size)[X].reshape(right.shape), "reshape 不会交换两个轴，只是换一种断行；要转置：X.T。"),
        (right.argmax(-1), "这是序号，不是独热编码：每个序号要变成一个长为 vocab_size 的向量。"),
        (1 - right, "0 和 1 反了：只有序号所在的那一位是 1。"),
    ]
    close(got, right, "在序号所在的位置放 1，其余是 0；词典里没有出现的字也要占一位。", slips)
    single = np.array([[0], [1]])
    numbers(answer(single, 5), (1, 2, 5), "词典的大小由 vocab_size 给出，不要从 X 里猜：这一批里不一定有最后一个字。")


def rnn_states(X, H, W_xh, W_hh, b_h):
    """All states with the first one before them, (T + 1, n, h)."""
    found = [H]
    for X_t in X:
        found.append(np.tanh(X_t @ W_xh + found[-1] @ W_hh + b_h))
    return np.stack(found)


@chapter.code(
    "一层循环网络的前向",
    stars=2,
    minutes=15,
    stronger="for X_t in X: H = np.tanh(X_t @ W_xh + H @ W_hh + b_h)；每一步的 H 都收进列表，最后 np.stack。",
)
def rnn_forward(answer, rng):
    num_steps, batch_size, num_inputs, num_hiddens = 5, 2, 3, 4
    X, H = rng.normal(size=(num_steps, batch_size, num_inputs)), rng.normal(size=(batch_size, num_hiddens))
    W_xh, W_hh, b_h = (rng.normal(size=s) for s in ((num_inputs, num_hiddens), (num_hiddens, num_hiddens), num_hiddens))
    got = answer(X, H, W_xh, W_hh, b_h)
    all_states, last_state = items(got, 2, "返回每一步的隐状态和最后的隐状态：return np.stack(states), H。")
    right = rnn_states(X, H, W_xh, W_hh, b_h)[1:]
    fixed = np.tanh(X @ W_xh + H @ W_hh + b_h)
    zero = rnn_states(X, np.zeros_like(H), W_xh, W_hh, b_h)[1:]
    no_bias = rnn_states(X, H, W_xh, W_hh, 0)[1:]
    linear, L = [], H
    for X_t in X:
        L = X_t @ W_xh + L @ W_hh + b_h
        linear.append(L)
    slips = [
        (fixed, "每一步用的都是最初的 H。循环的意思是把上一步算出的 H 用在下一步：循环里要给 H 重新赋值。"),
        (zero, "你从全 0 开始了；要从传进来的 H 开始，状态才能从一个小批量接到下一个。"),
        (no_bias, "少了偏置 b_h。"),
        (np.stack(linear), "少了 tanh。没有它，多少步也只是一个线性变换。"),
    ]
    close(
        all_states,
        right,
        "对照公式 H_t = tanh(X_t W_xh + H_{t-1} W_hh + b_h)，一步一步地打印。",
        slips,
        "每一步的隐状态",
    )
    close(last_state, right[-1], "第二个返回值是最后一步的 H，形状 (批量, 隐藏单元数)。", [], "最后的隐状态")


@chapter.code(
    "裁剪梯度",
    stars=1,
    minutes=10,
    stronger="norm = sqrt(所有梯度的所有元素的平方之和)；norm > theta 时每个梯度都乘 theta / norm，否则原样返回。",
)
def clip_gradients(answer, rng):
    grads = [rng.normal(size=shape) for shape in ((3, 4), 5, (2, 2))]
    grads = [g * length / np.linalg.norm(g) for g, length in zip(grads, (3, 2, 4), strict=True)]
    norm, theta = np.sqrt(sum((g**2).sum() for g in grads)), 0.5
    got = items(answer(grads, theta), 3, "给几个梯度，就返回几个，次序、形状都与 grads 相同。")
    each = [g * min(1, theta / np.linalg.norm(g)) for g in grads]
    values = [np.clip(g, -theta, theta) for g in grads]
    squared = [g * theta / norm**2 for g in grads]
    for i, (one, grad) in enumerate(zip(got, grads, strict=True)):
        slips = [
            (grad, "范数超过了 theta，却没有缩短。"),
            (each[i], "你把每个梯度各自裁剪了，这会改变总的方向。所有参数的梯度合在一起算一个范数。"),
            (values[i], "你裁剪的是每个数，方向会变。要整体缩短，方向不变。"),
            (squared[i], "范数要开方：theta / norm，不是 theta / norm²。"),
        ]
        close(one, grad * theta / norm, "缩短以后，合起来的范数应正好是 theta。", slips, f"第 {i} 个梯度")
    small = [g * 0.1 * theta / norm for g in grads]
    for i, (one, grad) in enumerate(zip(items(answer(small, theta), 3), small, strict=True)):
        slips = [(grad * 10, "范数没有超过 theta 时，梯度应原样不动；你把它放大了。")]
        close(one, grad, "范数没有超过 theta 时，梯度应原样不动。", slips, f"（短的）第 {i} 个梯度")


@chapter.code(
    "相邻采样",
    stars=2,
    minutes=20,
    stronger="先截到 batch_size × 每行长度，reshape 成 batch_size 行；再沿着列每次取 num_steps 列作 X，右移一列作 Y。",
)
def consecutive_batches(answer, rng):
    batch_size, num_steps = 2, 3
    text = np.arange(100, 100 + int(rng.integers(26, 33)))
    got = answer(text, batch_size, num_steps)
    per_row = len(text) // batch_size
    rows = text[: per_row * batch_size].reshape(batch_size, per_row)
    starts = range(0, per_row - num_steps, num_steps)
    right = [(rows[:, i : i + num_steps], rows[:, i + 1 : i + num_steps + 1]) for i in starts]
    that(isinstance(got, list | tuple) and len(got), "应逐个给出小批量 (X, Y)，一个也没有。", "yield X, Y 或收进列表。")
    got = [items(pair, 2, "写 yield X, Y。", "小批量") for pair in got]
    first = got[0][0]
    numbers(first, (batch_size, num_steps), "X 的形状是 (批量大小, 时间步数)。", "第一个 X")
    interleaved = text[: batch_size * num_steps].reshape(batch_size, num_steps)
    slips = [(interleaved, "两行首尾相接了。先把全文切成 batch_size 段，一段一行，再竖着切小批量。")]
    close(first, right[0][0], "第 i 行是全文第 i 段的开头。", slips, "第一个 X")
    for number, (X, Y) in enumerate(got[: len(right)]):
        close(X, right[number][0], "同一行里，这一批要接着上一批的末尾，状态才能传下去。", [], f"第 {number} 个 X")
        slips = [(X, "Y 和 X 一样了：答案是下一个字，要右移一位。")]
        close(Y, right[number][1], "Y 是 X 的每个位置的下一个字。", slips, f"第 {number} 个 Y")
    that(
        len(got) == len(right),
        f"应有 {len(right)} 个小批量，得到 {len(got)} 个。",
        "每一行的最后要留一个字给 Y，不够一整个小批量的尾巴不要。",
    )


@chapter.code(
    "困惑度",
    stars=2,
    minutes=12,
    stronger="先减去每行的最大值，再 logp = logits - log(sum(exp(logits)))；取出答案那一列，平均，取负，再取 exp。",
)
def sequence_perplexity(answer, rng):
    num_steps, batch_size, vocab_size = 4, 3, 7
    uniform = np.zeros((num_steps, batch_size, vocab_size))
    labels = rng.integers(0, vocab_size, (num_steps, batch_size))
    slips = [
        (np.log(vocab_size), "这是平均的负对数似然；困惑度还要取 exp。"),
        (np.log2(vocab_size), "这是以 2 为底的交叉熵；困惑度要取回来。"),
        (1 / vocab_size, "这是概率的平均，倒过来了：对数要取负。"),
    ]
    close(
        answer(uniform, labels),
        vocab_size,
        "什么都不知道（打分全相等）的模型，困惑度就是词典大小。",
        slips,
        "均匀模型的困惑度",
    )
    logits = rng.normal(size=uniform.shape) * 2
    logp = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    nll = -np.take_along_axis(logp, labels[..., None], -1)[..., 0]
    slips = [
        (np.exp(nll).mean(), "应当先平均再取 exp，你的次序反了：困惑度是 1/P 的几何平均，不是算术平均。"),
        (np.exp(nll.sum(0)).mean(), "你按时间步求了和。要除以预测的总个数（时间步 × 批量）。"),
        (np.exp(nll.sum()), "忘了除以预测的总个数。"),
    ]
    close(answer(logits, labels), np.exp(nll.mean()), "exp(负对数似然之和 / 预测的个数)。", slips, "困惑度")
    shifted = logits + 1000 * np.arange(num_steps)[:, None, None]
    got = numbers(answer(shifted, labels), (), "困惑度是一个数。", "困惑度")
    said = f"每个时间步的打分各加一个常数，困惑度不该变，得到 {got}。"
    that(np.isfinite(got) and got > 0, said, "exp 溢出了：每个位置的打分，各减去自己的最大值。")
    close(got, np.exp(nll.mean()), "打分加上同一个常数，softmax 不变。", [], "打分加上常数以后的困惑度")


@chapter.experiment(
    "随机采样，状态只在周期开始时清零",
    stars=2,
    minutes=15,
    stronger="逐个比较 starts[:-1] + num_steps 与 starts[1:]，相等就算接上，再求平均。",
    predictions=("几乎都接得上", "大约一半接得上", "几乎都接不上"),
)
def share_continued(answer, rng):
    num_steps, batch_size = 5, 4
    consecutive = np.arange(12)[:, None] * num_steps + np.arange(batch_size) * 1000
    close(answer(consecutive, num_steps), 1, "相邻采样的每一行都接着上一批，占比应是 1。", [], "相邻采样的占比")
    starts = rng.permutation(400).reshape(100, batch_size) * num_steps
    starts[1, 0], starts[2, 0] = starts[0, 0] + num_steps, starts[0, 0] + 2 * num_steps
    right = (starts[:-1] + num_steps == starts[1:]).mean()
    slips = [
        ((starts[:-1] + num_steps == starts[1:]).sum(), "这是个数，要占比。"),
        ((starts[:-1] + num_steps == starts[1:]).any(1).mean(), "按行算，不是按批算：每一行各有自己的状态。"),
    ]
    close(answer(starts, num_steps), right, "只在相邻两批的同一行之间比。", slips, "随机采样的占比")
    return "几乎都接不上"


chapter.question("tuning", "调一调：语料、时间步数、学习率", stars=2, minutes=30)

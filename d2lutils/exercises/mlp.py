"""Checks of the exercises on Bengio's neural probabilistic language model (chapter ``mlp``, document 003)."""

import numpy as np

from .expect import close, equal, items, numbers, that
from .reference import jacobian
from .registry import Chapter

__all__ = ["chapter"]

chapter = Chapter("mlp", "Bengio 神经概率语言模型")
ROWS = "凡是出现过的行", "只有出现不止一次的行", "只有没出现过的行"


def _cut(text, T):
    return [(text[i : i + T], text[i + T]) for i in range(len(text) - T)]


@chapter.code(
    "从名字里切出窗口",
    stars=1,
    minutes=8,
    stronger="每个名字先变成 text = '.' * T + name + '.'，再对每个 i 取 (text[i:i + T], text[i + T])。",
)
def padded_windows(answer, rng):
    T = int(rng.integers(2, 5))
    names = ["".join(rng.choice(list("abcdefghij"), size)) for size in rng.permutation([4, 5, 6])]
    got = answer(names, T)
    right = [pair for name in names for pair in _cut("." * T + name + ".", T)]
    slips = [
        (_cut("." * T + "".join(name + "." for name in names), T), "窗口里有上一个名字的字母。每个名字各补各的开头。"),
        ([p for n in names for p in _cut("." * T + n, T)], "少了每个名字的结尾：最后一个要猜的是 '.'，否则不知道停。"),
        ([p for n in names for p in _cut(n + ".", T)], "开头没有补 '.'：名字的头 T 个字母也是要猜的，前面不够就补点。"),
        ([p for n in names for p in _cut("." + n + ".", T)], "开头只补了一个 '.'。要猜第一个字母，前面得有 T 个点。"),
        ([(w, c) for c, w in right], "次序反了：先上下文，后要猜的符号。"),
        ([w for _, w in right], "这里只有要猜的符号，每一项还要带上它前面的 T 个符号。"),
    ]
    equal(got, right, "名字有 k 个字母，就有 k + 1 项：每个字母猜一次，结尾的点猜一次。", slips)


def _smooth(row, delta):
    return (row + delta) / (row.sum() + delta * len(row))


@chapter.code(
    "回退",
    stars=2,
    minutes=20,
    stronger="从 counts[0] 开始，n = 1、2、…：counts[n][tuple(context[-n:])] 之和大于 0 就换用它；最后加 δ 归一。",
)
def backoff_probs(answer, rng):
    vocab_size, delta = int(rng.integers(6, 9)), rng.uniform(0.2, 0.8)
    a, b, p, q, z = map(int, rng.permutation(vocab_size)[:5])
    three = rng.integers(1, 9, (vocab_size,) * 3).astype(float)
    three[p, q] = three[z] = three[:, z] = 0
    three[a, b, [p, q]] = 0
    two = three.sum(0)
    one = two.sum(0)
    counts = [one, two, three]
    row, short = three[a, b], two[b]
    mixed = np.where(row > 0, _smooth(row, delta), _smooth(short, delta))
    slips = [
        (row / row.sum(), "没有加 δ：没见过的搭配得了 0，困惑度就是无穷大。"),
        ((row + delta) / (row.sum() + delta), "每一格都加了 δ，一共加了 δV，分母也要加这么多，和才是 1。"),
        (mixed, "你逐格决定用哪张表，加起来不是 1。要看的是上下文见没见过（整行之和），不是某一个搭配。"),
        (_smooth(short, delta), "这个上下文见过，要用最长的那张表。"),
        (_smooth(three[b, a], delta), "次序反了：context 从旧到新，下标也从旧到新。"),
    ]
    hint = "取最长的、见过的上下文那一行 N，返回 (N + δ) / (ΣN + δV)。"
    close(answer(counts, (a, b), delta), _smooth(row, delta), hint, slips, "上下文见过时的概率")
    uniform = np.full(vocab_size, 1 / vocab_size)
    slips = [
        (uniform, "这是不回退的平滑。没见过的上下文要丢掉最旧的符号，改用短一些的表。"),
        (_smooth(two[p], delta), "丢错了一头：该丢掉最旧的（左边的）符号，留下离要猜的位置最近的。"),
        (_smooth(one, delta), "一下子退到了底。只丢一个符号，上下文就见过了。"),
    ]
    what = "两个符号没见过、一个符号见过时的概率"
    close(answer(counts, (p, q), delta), _smooth(two[q], delta), "一次只丢一个最旧的符号。", slips, what)
    slips = [
        (uniform, "最短的上下文是空的：一个符号也不看，用 counts[0]，也就是各符号的总次数。"),
        (_smooth(two[a], delta), "丢错了一头：该丢掉最旧的（左边的）符号，留下离要猜的位置最近的。"),
    ]
    what = "长短上下文都没见过时的概率"
    close(answer(counts, (a, z), delta), _smooth(one, delta), "一直退到空的上下文，用 counts[0]。", slips, what)
    hint = "表的张数由 len(counts) 给出，上下文可长可短。"
    close(answer(counts[:2], (q,), delta), _smooth(two[q], delta), hint, [], "上下文只有一个符号时的概率")
    empty = [np.zeros(vocab_size), np.zeros((vocab_size, vocab_size))]
    hint = "一次也没有数过，只剩 δ，应当均匀；空的上下文不必问见没见过。"
    close(answer(empty, (a,), delta), uniform, hint, [], "什么都没数过时的概率")


def _random_params(rng, vocab_size, T, e, h):
    shapes = (vocab_size, e), (T * e, h), h, (h, vocab_size), vocab_size, (T * e, vocab_size)
    return [rng.normal(size=shape) for shape in shapes]


@chapter.code(
    "Bengio 模型的前向",
    stars=1,
    minutes=12,
    stronger="x = E[X].reshape(len(X), -1)；H = np.tanh(x @ W_1 + b_1)；return H @ W_2 + b_2。",
)
def bengio_logits(answer, rng):
    n, T, e, h, vocab_size = 4, 3, 2, 5, int(rng.integers(7, 10))
    params = _random_params(rng, vocab_size, T, e, h)[:5]
    E, W_1, b_1, W_2, b_2 = params
    X = rng.integers(0, vocab_size, (n, T))
    X[0] = rng.permutation(vocab_size)[:T]

    def after(x):
        return np.tanh(x @ W_1 + b_1) @ W_2 + b_2

    x = E[X].reshape(n, -1)
    right = after(x)
    exps = np.exp(right)
    slips = [
        ((x @ W_1 + b_1) @ W_2 + b_2, "少了 tanh。没有它，两层合起来只是一个线性变换。"),
        (np.tanh(x @ W_1) @ W_2 + b_2, "少了偏置 b_1。"),
        (right - b_2, "少了偏置 b_2。"),
        (exps / exps.sum(1, keepdims=True), "这已经是概率了。要的是 softmax 以前的打分 logits。"),
        (np.tanh(right), "输出层不加 tanh：打分可以是任何实数。"),
        (
            after(E[X].transpose(0, 2, 1).reshape(n, -1)),
            "拼接的次序乱了。x 是一段一段的：先第一个符号的整个向量，再第二个。",
        ),
        (after(E[X.T].reshape(n, -1)), "X 不用转置：同一个样本的 T 个向量要排在同一行里。"),
        (after(E[X[:, ::-1]].reshape(n, -1)), "上下文的次序反了：从旧到新，第几个符号就在第几段。"),
    ]
    got = answer(params, X)
    close(got, right, "查表、拼接、tanh、输出层，打印每一步的 shape：(n, T, e)、(n, T·e)、(n, h)、(n, V)。", slips)


@chapter.code(
    "交叉熵和它的梯度",
    stars=2,
    minutes=18,
    stronger="O 减去每行最大值；log_P = O - log(sum(exp(O)))；损失取答案处 -log_P 的平均；dO = (exp(log_P) - Y) / n。",
)
def cross_entropy(answer, rng):
    n, vocab_size = 5, int(rng.integers(7, 10))
    scores, y = rng.normal(size=(n, vocab_size)) * 2, rng.integers(0, vocab_size, n)
    rows = np.arange(n)

    def loss_of(scores):
        top = scores.max(1, keepdims=True)
        return (np.log(np.exp(scores - top).sum(1)) + top[:, 0] - scores[rows, y]).mean()

    def ask(scores):
        loss, dO = items(answer(scores, y), 2, "返回损失和梯度：return loss, dO。")
        return numbers(loss, (), "损失是一个数：对 n 个样本取平均。", "损失"), dO

    loss, dO = ask(scores)
    right = loss_of(scores)
    slips = [
        (right * n, "这是和，不是平均：要除以样本数 n。"),
        (-right, "符号反了：对数概率是负的，损失要取负。"),
        (right / np.log(2), "这里用自然对数（奈特），不用以 2 为底的。"),
        (-scores[rows, y].mean(), "还没有归一：log P 等于打分减去 log Σ exp。"),
    ]
    close(loss, right, "取出每一行答案处的 log P，平均，取负。", slips, "损失")
    slopes = jacobian(loss_of, scores)
    P = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    slips = [
        (slopes * n, "少除了 n：损失是平均，梯度也要除以 n。"),
        (-slopes, "符号反了：损失的梯度是预期减观察，P - Y。"),
        (P / n, "还要在答案处减 1：P - Y。"),
        (P, "还要在答案处减 1，再除以 n：(P - Y) / n。"),
        (slopes.T, "形状要与 O 相同，不要转置。"),
    ]
    close(dO, slopes, "用有限差分核对：dO = (P - Y) / n，Y 是答案的独热编码。", slips, "打分的梯度", rtol=1e-5)
    big, big_dO = ask(scores + 1000)
    that(np.isfinite(big), f"打分都加上 1000，损失不该变，得到 {big}。", "exp 溢出了：先从每行的打分里减去最大值。")
    close(big, right, "打分加上同一个常数，损失不变。", [], "打分加上 1000 以后的损失")
    close(big_dO, slopes, "打分加上同一个常数，梯度也不变。", [], "打分加上 1000 以后的梯度", rtol=1e-5)
    scores[0, y[0]] -= 2000
    far = ask(scores)[0]
    said = f"答案的打分低了 2000，损失应当很大但有限，得到 {far}。"
    that(
        np.isfinite(far),
        said,
        "概率下溢成 0，再取对数就是负无穷。不要先算 P 再取 log，直接算 log P = O - log Σ exp(O)。",
    )
    close(far, loss_of(scores), "直接算 log P = O - log Σ exp(O)。", [], "答案的打分低了 2000 时的损失")


@chapter.code(
    "近路的梯度",
    stars=3,
    minutes=25,
    stronger="dx = dA @ W_1.T + dO @ W_3.T；dW_3 = x.T @ dO；dE 用 np.add.at(dE, X, dx.reshape(n, T, e)) 累加。",
)
def shortcut_gradients(answer, rng):
    n, T, e, h, vocab_size = 4, 3, 2, 5, int(rng.integers(7, 10))
    params = _random_params(rng, vocab_size, T, e, h)
    params[1:] = [param / 2 for param in params[1:]]  # tanh is not to be saturated
    E, W_1, b_1, W_2, b_2, W_3 = params
    X = rng.integers(0, vocab_size, (n, T))
    X[0, 0] = X[0, 1] = X[2, 1] = X[3, 2]
    dO = rng.normal(size=(n, vocab_size)) / n

    def loss_of(E, W_3):
        x = E[X].reshape(n, -1)
        return ((np.tanh(x @ W_1 + b_1) @ W_2 + b_2 + x @ W_3) * dO).sum()

    def gathered(dx):
        dE = np.zeros_like(E)
        np.add.at(dE, X, dx.reshape(n, T, e))
        return dE

    x = E[X].reshape(n, -1)
    H = np.tanh(x @ W_1 + b_1)
    deep, direct = (dO @ W_2.T * (1 - H * H)) @ W_1.T, dO @ W_3.T
    straight = (dO @ W_2.T) @ W_1.T
    overwritten = np.zeros_like(E)
    overwritten[X] += (deep + direct).reshape(n, T, e)
    got = items(answer(params, X, dO), 2, "返回两个梯度：return dW_3, dE。")
    dW_3 = jacobian(lambda W: loss_of(E, W), W_3)
    slips = [
        (dW_3.T, "转置了：dW_3 的形状与 W_3 相同，(T·e, V)。"),
        (dW_3 / n, "dO 里已经含有 1/n，不要再除一次。"),
        (-dW_3, "符号反了：这里求的是损失的梯度，不必变号。"),
    ]
    close(got[0], dW_3, "近路和输出层一样是一次矩阵乘法：输入的转置乘 dO。", slips, "W_3 的梯度", rtol=1e-5)
    dE = jacobian(lambda E: loss_of(E, W_3), E)
    slips = [
        (overwritten, "dE[X] += … 遇到重复的下标，只留下最后一次。用 np.add.at 累加。"),
        (gathered(deep), "dx 少了一项：x 有两条路通到 O，近路也要送回 dO @ W_3.T。"),
        (gathered(direct), "dx 少了一项：只有近路的，还要加上经过隐藏层的 dA @ W_1.T。"),
        (gathered(straight + direct), "少了 tanh 的导数：dA = dH ⊙ (1 - H⊙H)。"),
        (gathered(deep + direct) / n, "dO 里已经含有 1/n，不要再除一次。"),
    ]
    close(got[1], dE, "两条路的梯度相加得 dx，再按 X 累加到 E 的各行。", slips, "E 的梯度", rtol=1e-5)


@chapter.experiment(
    "重复的下标",
    stars=2,
    minutes=12,
    stronger="right、wrong 都从 np.zeros((vocab_size, e)) 开始；一个 np.add.at(right, X, dX)，一个 wrong[X] += dX。",
    predictions=ROWS,
)
def row_gaps(answer, rng):
    n, T, e, vocab_size = 4, 2, 3, int(rng.integers(8, 11))
    symbols = rng.permutation(vocab_size)
    X = rng.permutation(np.repeat(symbols[:5], [3, 2, 1, 1, 1])).reshape(n, T)
    dX = rng.normal(size=(n, T, e)) + 2

    def both(X):
        right, wrong = np.zeros((2, vocab_size, e))
        np.add.at(right, X, dX)
        wrong[X] += dX
        return right, wrong

    right, wrong = both(X)
    gaps = np.abs(right - wrong).max(1)
    got = numbers(answer(X, dX, vocab_size), (vocab_size,), "每一行一个数：差别的绝对值，沿 e 那一轴取最大。")
    slips = [
        (gaps > 0, "要的是差多少，不只是差不差。"),
        (np.abs(right - wrong).sum(1), "取最大的差别，不是求和。"),
        ((right - wrong).max(1), "先取绝对值，再取最大。"),
        (np.abs(right).max(1), "这是累加的结果，还要减去 dE[X] += dX 的结果。"),
        (np.abs(wrong).max(1), "这是 dE[X] += dX 的结果，还要与累加的结果相减。"),
        (np.zeros(vocab_size), "两份结果一样了：是不是两次用了同一种写法，或者两个名字指着同一个数组？"),
    ]
    close(got, gaps, "两种写法各从一张全 0 的表开始，相减，取绝对值，每一行取最大。", slips, "各行的差别")
    apart = rng.permutation(vocab_size)[: n * T].reshape(n, T)
    told = numbers(answer(apart, dX, vocab_size), (vocab_size,))
    that((told < 1e-9).all(), "X 里没有重复的下标时，两种写法应当一样。", "两张表都要从 0 开始，不要留着上一次的结果。")
    times = np.bincount(X.ravel(), minlength=vocab_size)
    masks = times > 0, times > 1, times == 0
    return next(name for name, mask in zip(ROWS, masks, strict=True) if np.array_equal(got > 1e-9, mask))


chapter.question("back_to_counts", "去掉隐藏层，转动嵌入", stars=3, minutes=30)

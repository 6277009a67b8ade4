"""Checks of the exercises on writing Tang poems (chapter ``tangshi``, document 001)."""

import tracemalloc

import numpy as np

from .expect import close, items, numbers, that
from .reference import sigmoid
from .registry import Chapter

__all__ = ["chapter"]

chapter = Chapter("tangshi", "唐诗生成")

chapter.question("explain_cells", "（原练习）解释 RNN、LSTM、GRU", stars=1, minutes=15)


def _lstm(X, layers, order=(0, 1, 2, 3), forget_memory=False, forget_hidden=False, carry=False, bias=1, squash=True):
    """The reference, and with other arguments its usual slips: all outputs of the last layer."""
    state = None
    for W_x, W_h, b in layers:
        H, C = state if carry and state else np.zeros((2, X.shape[1], len(W_h)))
        outputs = []
        for X_t in X:
            H_before, C_before = (H * 0 if forget_hidden else H), (C * 0 if forget_memory else C)
            parts = np.split(X_t @ W_x + H_before @ W_h + bias * b, 4, axis=1)
            I, F, C_tilde, O = (parts[place] for place in order)  # noqa: E741
            C = sigmoid(F) * C_before + sigmoid(I) * np.tanh(C_tilde)
            H = sigmoid(O) * (np.tanh(C) if squash else C)
            outputs.append(H)
        X, state = np.stack(outputs), (H, C)
    return X


def _layer(rng, num_inputs, num_hiddens):
    sizes = (num_inputs, 4 * num_hiddens), (num_hiddens, 4 * num_hiddens), 4 * num_hiddens
    return tuple(rng.normal(size=size) for size in sizes)


@chapter.code(
    "（原练习的填空）两层 LSTM",
    stars=3,
    minutes=30,
    stronger="每层从 H = C = 0 开始；每步 I, F, C_tilde, O = np.split(X_t @ W_x + H @ W_h + b, 4, axis=1)，"
    "C = σ(F) * C + σ(I) * tanh(C_tilde)，H = σ(O) * tanh(C)；这一层的输出叠起来，作下一层的 X。",
)
def lstm_layers(answer, rng):
    T, n, d, h = 5, 2, 6, 3
    shape_hint = "返回最上面一层每一步的隐状态，时间在最前：(T, n, h)。"
    X, layer = rng.normal(size=(T, n, d)), _layer(rng, d, h)
    one = numbers(answer(X[:1], [layer]), (1, n, h), shape_hint, "一层、一步的输出")
    slips = [
        (
            _lstm(X[:1], [layer], (0, 1, 3, 2)),
            "四组的次序照 PyTorch：输入门、遗忘门、候选、输出门；第三组是候选，取 tanh。",
        ),
        (_lstm(X[:1], [layer], (1, 0, 2, 3)), "四组的次序照 PyTorch：先输入门，再遗忘门。"),
        (_lstm(X[:1], [layer], bias=0), "少了偏置 b。"),
        (_lstm(X[:1], [layer], squash=False), "输出以前，记忆元还要过一次 tanh：H = σ(O) · tanh(C)。"),
        (np.tanh(X[:1] @ layer[0] + layer[2])[..., :h], "只有一个 tanh，没有门。"),
    ]
    close(one, _lstm(X[:1], [layer]), "一步一步地对照公式：四组打分、C、H。", slips, "一层、一步的输出")
    got = numbers(answer(X, [layer]), (T, n, h), shape_hint, "一层的输出")
    slips = [
        (_lstm(X, [layer], forget_memory=True), "每一步的记忆元都是从 0 开始的：C 要传给下一步，这正是它的用处。"),
        (_lstm(X, [layer], forget_hidden=True), "每一步的隐状态都是从 0 开始的：H 要传给下一步。"),
        (_lstm(X, [layer], forget_memory=True, forget_hidden=True), "状态没有传给下一步：循环里要给 H 和 C 重新赋值。"),
    ]
    close(got, _lstm(X, [layer]), "第一步对了，后面不对：看 H 和 C 怎样传下去。", slips, "一层的输出")
    X, layers = rng.normal(size=(T, n, h)), [_layer(rng, h, h) for _ in range(2)]
    got = numbers(answer(X, layers), (T, n, h), shape_hint, "两层的输出")
    slips = [
        (_lstm(X, layers[:1]), "这是第一层的输出；第二层读它，返回第二层的。"),
        (_lstm(X, layers[1:]), "第二层读的是第一层的输出，不是原来的 X。"),
        (_lstm(X, layers, carry=True), "每一层的状态各自从 0 开始；你把第一层最后的状态带进了第二层。"),
    ]
    close(got, _lstm(X, layers), "一层读完，把它每一步的 H 叠成 (T, n, h)，作下一层的输入。", slips, "两层的输出")


def _padded(sequences, pad, left=False):
    longest = max(map(len, sequences))
    out = np.full((longest, len(sequences)), pad)
    for i, sequence in enumerate(sequences):
        out[longest - len(sequence) if left else 0 :, i][: len(sequence)] = sequence
    return out


@chapter.code(
    "补齐与掩码",
    stars=2,
    minutes=18,
    stronger="先造一张全是 pad 的 (最长, n) 的表，把每首竖着填进去；X 是去掉最后一行，Y 是去掉第一行，"
    "mask = np.arange(T)[:, None] < lengths - 1。",
)
def pad_poems(answer, rng):
    pad, bos, eos = 3, 8, 9
    sequences = [np.concatenate(([bos], rng.integers(10, 40, size), [eos])) for size in rng.permutation([2, 4, 5, 7])]
    got = answer(sequences, pad)
    X, Y, mask = items(got, 3, "返回 X, Y, mask 三样。")
    padded, lengths = _padded(sequences, pad), np.array([len(s) for s in sequences])
    T, n, shortest = len(padded) - 1, len(sequences), lengths.min()
    hint = "时间在最前：(T, n)，T 是最长的一首的符号数减 1。"
    slips = [
        (padded[:-1].T, hint),
        (padded[:-1][: shortest - 1], "按最短的一首截断了：要补齐到最长的，一个字也不丢。"),
        (padded, "X 比整首少一个符号：最后一个只作答案。"),
        (np.where(padded == eos, pad, padded)[:-1], "短的诗，<eos> 也留在 X 里：先补齐，再去掉最后一行。"),
        (_padded(sequences, 0)[:-1], "空的地方要补 pad，不是 0。"),
        (_padded(sequences, pad, left=True)[:-1], "补在了前面：诗从第一步开始，空的地方补在后面。"),
    ]
    close(X, padded[:-1], "每一列是一首诗，从 <bos> 开始，空的地方补 pad。", slips, "X")
    slips = [
        (padded[:-1], "Y 和 X 一样了：答案是下一个符号，要移一位。"),
        (np.vstack((padded[1:-1], padded[:1])), "末尾绕回到了开头：np.roll 不补 pad。"),
    ]
    close(Y, padded[1:], "Y 的每个位置是 X 的下一个符号。", slips, "Y")
    right = np.arange(T)[:, None] < lengths - 1
    slips = [
        (padded[:-1] != pad, "短的诗多算了一个位置：X 是 <eos> 的那一步，答案已经是补的了。看 Y，不看 X。"),
        (np.arange(T)[:, None] < lengths - 2, "结束记号 <eos> 也是答案，也要算损失。"),
        (~right, "真假反了：真的答案记 True，补的记 False。"),
        (np.ones((T, n)), "补的地方不能算损失，否则模型忙着学怎样猜 pad。"),
        (right.T, hint),
    ]
    close(mask, right, "答案 Y 是真的符号（包括 <eos>）的地方是 True。", slips, "mask")
    same = [np.array([bos, 10 + i, 20, eos]) for i in range(3)]
    mask = items(answer(same, pad), 3)[2]
    close(mask, np.ones((3, 3)), "一样长的诗，一个位置也不用补。", [], "一样长的诗的 mask")


def _cross_entropy(H, W, b, y):
    """The plain way: total, dH, dW, db, and the errors P - Y."""
    S = H @ W.T + b
    S -= S.max(1, keepdims=True)
    E = np.exp(S) / np.exp(S).sum(1, keepdims=True)
    total = -np.log(E[np.arange(len(y)), y]).sum()
    E[np.arange(len(y)), y] -= 1
    return total, E @ W, E.T @ H, E.sum(0), E


@chapter.code(
    "分块的交叉熵",
    stars=3,
    minutes=35,
    stronger="for i in range(0, N, chunk_size)：算这几行的打分、log-softmax 和损失，P[行号, y] -= 1；"
    "dH 的这几行是 P @ W，dW += P.T @ h，db += P.sum(0)。",
)
def chunked_cross_entropy(answer, rng):
    N, h, V, chunk_size = 11, 3, 7, 4
    H, W, b, y = rng.normal(size=(N, h)), rng.normal(size=(V, h)), rng.normal(size=V), rng.integers(0, V, N)
    got = answer(H, W, b, y, chunk_size)
    total, dH, dW, db = items(got, 4, "返回 total, dH, dW, db 四样。")
    right, right_H, right_W, right_b, E = _cross_entropy(H, W, b, y)
    whole = N // chunk_size * chunk_size
    slips = [
        (right / N, "这里要总和，不除以 N。"),
        (-right, "损失是负的对数似然，少了负号。"),
        (_cross_entropy(H, W, 0, y)[0], "打分里少了偏置 b。"),
        (_cross_entropy(H[:whole], W, b, y[:whole])[0], "最后不满一块的几行丢了。"),
        (_cross_entropy(H[whole:], W, b, y[whole:])[0], "只剩最后一块的损失：要一块一块地加起来。"),
    ]
    close(total, right, "各行的 -log P[答案] 之和。", slips, "损失")
    P = E.copy()
    P[np.arange(N), y] += 1
    wants = (
        ("dH", dH, right_H, [(P @ W, "打分的梯度是 P − Y：答案那一列要减 1。"), (-right_H, "符号反了：是 P − Y。")]),
        (
            "dW",
            dW,
            right_W,
            [
                (right_W.T, "形状要和 W 一样，(V, h)：(P − Y) 转置以后乘 H。"),
                (E[whole:].T @ H[whole:], "只剩最后一块的梯度：W 每一块都用到，dW 要累加。"),
                (P.T @ H, "打分的梯度是 P − Y：答案那一列要减 1。"),
            ],
        ),
        (
            "db",
            db,
            right_b,
            [
                (E[whole:].sum(0), "只剩最后一块的梯度：b 每一块都用到，db 要累加。"),
                (P.sum(0), "打分的梯度是 P − Y：答案那一列要减 1。"),
            ],
        ),
    )
    for name, ours, want, slips in wants:
        slips = [*slips, (want / N, "损失是总和，梯度也不除以 N。")]
        close(ours, want, "dH = (P − Y) W，dW = (P − Y)ᵀ H，db 是 P − Y 每列的和。", slips, name)
    shifted = items(answer(H, W, b + 1000, y, chunk_size), 4)[0]
    close(shifted, right, "打分可能很大，exp 会溢出：先减去每行的最大值。", [], "偏置都加上 1000 以后的损失")
    N, V = 2000, 500
    H, W, b, y = rng.normal(size=(N, h)), rng.normal(size=(V, h)), np.zeros(V), rng.integers(0, V, N)
    peak = _peak(lambda: answer(H, W, b, y, 50))
    that(
        peak < N * V * 8 / 2,
        f"{N} 行、词典 {V}、一块 50 行时，最多用了 {peak / 2**20:.1f} MiB；整批的打分才 {N * V * 8 / 2**20:.1f} MiB。",
        "整批的打分同时存在过。打分要在循环里一块一块地算，算完这一块的损失和梯度就扔掉，不要收集起来。",
    )


def _peak(call):
    """Bytes that a call needs at most at one time; little, if the answer lives in another process."""
    if tracing := tracemalloc.is_tracing():
        tracemalloc.reset_peak()
    else:
        tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    try:
        call()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        if not tracing:
            tracemalloc.stop()


def _descent(scores, label, lr, num_steps, relu=True, masked=True, after=False):
    losses = []
    for _ in range(num_steps + after):
        shown = np.maximum(scores, 0) if relu else scores
        P = np.exp(shown) / np.exp(shown).sum()
        losses.append(-np.log(P[label]))
        P[label] -= 1
        scores = scores - lr * P * ((scores > 0) if relu and masked else 1)
    return np.array(losses[after:])


@chapter.experiment(
    "正确答案被 ReLU 截掉以后",
    stars=2,
    minutes=20,
    stronger="每一步：shown = np.maximum(scores, 0)，P = softmax(shown)，记下 -log P[label]，P[label] -= 1，"
    "scores = scores - lr * P * (scores > 0)。",
    predictions=("接近 0", "停在 ln V", "介于两者之间"),
)
def relu_losses(answer, rng):
    V, num_steps, lr = int(rng.integers(7, 10)), 6, 0.5
    label = int(rng.integers(0, V))
    scores = rng.normal(size=V)
    scores[label] = rng.uniform(1, 2)
    scores[label - 1], scores[label - 2] = rng.uniform(1, 2), rng.uniform(-2, -1)
    right = _descent(scores, label, lr, num_steps)
    got = numbers(answer(scores, label, lr, num_steps), (num_steps,), "每一步一个损失，共 num_steps 个。", "损失")
    slips = [
        (_descent(scores, label, lr, num_steps, relu=False), "打分没有过 ReLU：先 np.maximum(scores, 0)，再 softmax。"),
        (_descent(scores, label, -lr, num_steps), "方向反了：沿梯度的反方向走。"),
        (_descent(scores, label, lr, num_steps, after=True), "第一个损失是更新以前的：先记下损失，再更新。"),
        (np.exp(-right), "这是正确答案的概率，要的是 -log。"),
        (np.full(num_steps, right[0]), "每一步的损失都一样：更新以后的打分要用在下一步。"),
    ]
    what = "（答案的打分大于 0 时）损失"
    close(got, right, "ReLU、softmax、-log P[label]，再更新打分，如此循环。", slips, what)
    scores[label] = rng.uniform(-0.4, -0.2)
    slips = [
        (
            _descent(scores, label, lr, num_steps, masked=False),
            "被截成 0 的打分没有梯度，你却更新了它：ReLU 的导数在负半轴上是 0，梯度要乘 (scores > 0)。",
        )
    ]
    got, right = answer(scores, label, lr, num_steps), _descent(scores, label, lr, num_steps)
    close(got, right, "被截成 0 的打分不动，别的照样更新。", slips, "（答案的打分小于 0 时）损失")
    V, num_steps, lr = 40, 300, 2.0
    scores = rng.normal(size=V) * 2
    scores[label] = -1
    losses = numbers(answer(scores, label, lr, num_steps), (num_steps,), "", "损失")
    close(losses, _descent(scores, label, lr, num_steps), "步数多了，算法不变。", [], "（走 300 步的）损失")
    return "停在 ln V" if abs(losses[-1] - np.log(V)) < 0.01 else "接近 0" if losses[-1] < 0.1 else "介于两者之间"


chapter.question("describe_generation", "（原练习）叙述诗的生成过程", stars=1, minutes=15)


def _nucleus(probs, top_p, short=False):
    order = np.argsort(-probs)
    mass = np.cumsum(probs[order]) - (0 if short else probs[order])
    kept = order[mass <= top_p] if short else order[mass < top_p]
    out = np.zeros_like(probs)
    out[kept] = probs[kept]
    return out


@chapter.code(
    "下一个符号的概率：形式与 top-p",
    stars=2,
    minutes=20,
    stronger="logits = np.where(allowed, logits, -np.inf)，减去最大值后 softmax；从大到小排好，"
    "before = np.cumsum(p) - p，留下 before < top_p 的；其余置 0，再除以总和。",
)
def next_probs(answer, rng):
    masses = np.array([0.4, 0.25, 0.15, 0.1, 0.06, 0.04, 0.8, 0.5, 0.02]) * rng.uniform(0.99, 1.01, 9)
    order = rng.permutation(9)
    allowed, logits = (np.arange(9) < 6)[order], (np.log(masses) + rng.normal())[order]

    def softmax(mask):
        out = np.where(mask, np.exp(logits - logits.max()), 0)
        return out / out.sum()

    free, bound = softmax(np.ones(9, bool)), softmax(allowed)
    for top_p, name in (
        (0.99, "top_p = 0.99 时的概率"),
        (0.72, "top_p = 0.72 时的概率"),
        (0.1, "top_p = 0.1 时的概率"),
    ):
        kept, early = _nucleus(bound, top_p), _nucleus(free, top_p) * allowed
        right = kept / kept.sum()
        got = numbers(answer(logits, allowed, top_p), (9,), "返回与 logits 一样长的概率。", name)
        largest = np.exp(logits - logits.max())
        short = _nucleus(bound, top_p, short=True)
        zeroed = np.exp(np.where(allowed, logits, 0))
        zeroed /= zeroed.sum()
        slips = [
            (
                _nucleus(zeroed, top_p) / _nucleus(zeroed, top_p).sum(),
                "不许的符号，打分设成 0 还会有概率（exp(0) 是 1）；要设成负无穷。",
            ),
            (free, "没有用 allowed：不许出现的符号，打分先设为负无穷。"),
            (free * allowed, "去掉了不许的符号，却没有重新归一：概率的和要是 1。"),
            (
                _nucleus(free, top_p) / max(_nucleus(free, top_p).sum(), 1e-9),
                "没有用 allowed：不许的符号先设为负无穷。",
            ),
            (early / max(early.sum(), 1e-9), "次序反了：先去掉不许的符号，再取 top-p；不然不许的符号白占了份额。"),
            (bound, "没有取 top-p：只留总概率达到 top_p 的最小的一组。"),
            (kept, "去掉尾巴以后没有重新归一：概率的和要是 1。"),
            (short / max(short.sum(), 1e-9), "少留了一个：使总概率达到 top_p 的那个符号也要留下；至少留一个。"),
            (largest * allowed, "这是没有归一的 exp。"),
        ]
        that(np.isfinite(got).all(), f"{name}里有 NaN。", "一个符号也没有留下。使总概率达到 top_p 的那个符号也要留下。")
        close(got, right, "先遮住不许的，softmax，再从大到小留到够 top_p 为止，最后归一。", slips, name)
    got = numbers(answer(logits + 1000, allowed, 1.0), (9,), "", "概率")
    close(got, bound, "打分都加上 1000，概率不该变：先减去最大值，exp 才不溢出。", [], "打分加上 1000 以后的概率")
    got = numbers(answer(np.where(allowed, logits, 2000), allowed, 1.0), (9,), "", "概率")
    hint = "减去的最大值，要在许可的符号里找：先遮住，再求最大值。"
    close(got, bound, hint, [], "不许的符号打分很高时，概率")


@chapter.code(
    "（原练习）用日、红、山、夜、湖、海、月写诗",
    stars=1,
    minutes=15,
    stronger="return {first: writer.write(first, form, seed=seed) for first in firsts}",
)
def write_poems(answer, rng):
    first_seed, second_seed = (int(seed) for seed in rng.choice(10**6, 2, replace=False))
    firsts = "日红山夜湖海月"
    poems = _asked(answer, firsts, "五绝", first_seed)
    rests = {poem[1:] for poem in poems.values()}
    that(len(rests) == len(firsts), "有两首诗除了首字完全一样。", "每个首字各写一首：在循环里调用 writer.write。")
    few = "".join(rng.permutation(list(firsts))[:2])
    others = _asked(answer, few, "五绝", second_seed)
    that(
        any(others[first] != poems[first] for first in few),
        f"换了 seed，{'、'.join(few)}两首还是一字不差。",
        "把参数 seed 传给 writer.write(…, seed=seed)；温度不要是 0，0 是每次都取最大的。",
    )
    that(
        _asked(answer, few[:1], "五绝", second_seed)[few[0]] == others[few[0]],
        f"同一个 seed，“{few[0]}”两次写得不一样。",
        "把参数 seed 传给 writer.write(…, seed=seed)，同样的输入就得到同样的诗。",
    )
    _asked(answer, few[1], "七绝", first_seed)
    likely = np.mean([_log_prob(poem) for poem in others.values()])
    that(likely > -6.5, f"模型给这些诗的字平均打 {likely:.1f} 奈特，像是随便拼的。", "诗要由 writer.write 写出来。")


def _log_prob(poem):
    """Mean log-probability of a poem's symbols under the model that comes with the book, in nats."""
    from ..poetry import load_poem_model

    writer = load_poem_model()
    state, total, last = None, 0.0, "<bos>"
    for token in poem:
        logits, state = writer.step(writer.vocab[last], state)
        logits = logits - logits.max()
        total += logits[writer.vocab[token]] - np.log(np.exp(logits).sum())
        last = token
    return total / len(poem)


def _asked(answer, firsts, form, seed):
    """The poems of an answer, each with its first character and in the form."""
    from ..poetry import FORMS, form_of

    poems = answer(firsts, form, seed)
    kind = type(poems).__name__
    that(isinstance(poems, dict), f"应返回字典 {{首字: 诗}}，得到 {kind}。", "{first: … for first in firsts}。")
    that(
        set(poems) == set(firsts),
        f"字典的键应是 {'、'.join(firsts)}，得到 {len(poems)} 个键：{'、'.join(map(str, poems))[:40]}。",
        "firsts 里的每个字是一个键，不多不少。",
    )
    num_lines, length = FORMS[form]
    for first in firsts:
        poem = poems[first]
        that(
            isinstance(poem, str), f"“{first}”的值应是一首诗（字符串），得到 {type(poem).__name__}。", "值是诗的全文。"
        )
        that(poem[:1] == first, f"“{first}”这一首以 “{poem[:1]}”开头。", "首字作 writer.write 的第一个参数。")
        that(
            form_of(poem) == form,
            f"“{first}”这一首不是{form}：“{poem[:40]}”。",
            f"{form}是 {num_lines} 句、每句 {length} 字，连同标点；把 form 传给 writer.write。",
        )
    return poems

"""Checks of the exercises on the theory of word2vec (chapter ``word2vec``, document 003)."""

import heapq

import numpy as np

from .expect import close, equal, items, numbers, that
from .reference import jacobian
from .registry import Chapter

__all__ = ["chapter"]

chapter = Chapter("word2vec", "word2vec：理论")


def _softmax(scores):
    exps = np.exp(scores - scores.max(-1, keepdims=True))
    return exps / exps.sum(-1, keepdims=True)


@chapter.code(
    "跳元模型的样本",
    stars=1,
    minutes=8,
    stronger="对每个 t，让 j 走遍 range(max(0, t - m), min(T, t + m + 1))，j != t 时收进 (words[t], words[j])。",
)
def skip_gram_pairs(answer, rng):
    words = [str(word) for word in rng.permutation(list("风花雪月山水云树"))[: int(rng.integers(6, 9))]]
    words[4] = words[2]
    _ask_pairs(answer, words, 2, "中心词按句中的次序，每个中心词的上下文从左到右。")
    _ask_pairs(answer, ["the", "man", "loves", "his", "son"], 1, "左右各看几个词，由 m 给出。")
    _ask_pairs(answer, words, 9, "窗口比句子还长时，到句子两头为止。")


def _ask_pairs(answer, words, m, hint):
    count = len(words)
    around = [(t, j) for t in range(count) for j in range(max(0, t - m), min(count, t + m + 1))]

    def kept(keep):
        return [(words[t], words[j]) for t, j in around if keep(t, j)]

    right = kept(lambda t, j: j != t)
    slips = [
        (kept(lambda t, j: True), "中心词自己不算上下文：j = t 的那一个要跳过。"),
        (kept(lambda t, j: j > t), "只看了右边。左右各看 m 个词。"),
        (kept(lambda t, j: j < t), "只看了左边。左右各看 m 个词。"),
        (kept(lambda t, j: j != t and m <= t < count - m), "靠近句子两头的词也要当中心词，窗口截短就是了。"),
        (kept(lambda t, j: j > t or (t >= m and j < t)), "左边的切片碰到了负下标：起点用 max(0, t - m)。"),
        (kept(lambda t, j: words[j] != words[t]), "要跳过的是位置 t，不是与中心词相同的词：它可能再次出现。"),
        (kept(lambda t, j: j != t and j < t + m), "右边少看了一个：切片和 range 都不含终点，要写 t + m + 1。"),
        ([pair[::-1] for pair in right], "次序反了：先中心词，后上下文词。"),
    ]
    equal(answer(words, m), right, hint, slips, f"m = {m} 的样本")


@chapter.code(
    "连续词袋模型的梯度",
    stars=2,
    minutes=20,
    stronger="error = P - [i = c]；dU = np.outer(error, v_bar)；error @ U / len(context) 用 np.add.at 加到 dV 的各行。",
)
def cbow_gradients(answer, rng):
    size, d, c = int(rng.integers(7, 10)), 3, 1
    V, U = rng.normal(size=(2, size, d))
    context = [int(w) for w in rng.permutation(np.arange(2, size))[:4]]
    context[3] = context[0]

    def loss_of(V, U):
        return -np.log(_softmax(U @ V[context].mean(0))[c])

    got = items(answer(V, U, context, c), 2, "返回两张表的梯度：return dV, dU。")
    dV, dU = jacobian(lambda V: loss_of(V, U), V), jacobian(lambda U: loss_of(V, U), U)
    v_bar = V[context].mean(0)
    error = _softmax(U @ v_bar) - (np.arange(size) == c)
    once, single = np.zeros_like(V), np.zeros_like(U)
    once[context] = error @ U / len(context)
    single[c] = error[c] * v_bar
    observed = np.zeros_like(V)
    np.add.at(observed, context, -U[c] / len(context))
    slips = [
        (dV * len(context), "没有除以上下文的个数：v_bar 是平均，每个上下文词只分到一份。"),
        (-dV, "符号反了：损失是 -log P，梯度是预期减观察。"),
        (once, "同一个词在上下文里出现两次，就该分到两份；dV[context] 这样赋值只留下一份。"),
        (once * len(context), "没有除以上下文的个数，重复的词也只算了一次。"),
        (observed, "只有观察到的，没有减去预期：还要加上 Σ P_j u_j。"),
    ]
    hint = "先求损失对 v_bar 的梯度（预期减观察），再平分给每个上下文词；别的行是 0。"
    close(got[0], dV, hint, slips, "V 的梯度", rtol=1e-5)
    slips = [
        (-dU, "符号反了：损失是 -log P，梯度是预期减观察。"),
        (single, "不只是 u_c：每个词都在分母里，每一行都有梯度。"),
        (dU / len(context), "u 的梯度乘的就是 v_bar 本身，不用再除以上下文的个数。"),
        (dU * len(context), "u 的梯度乘的是平均 v_bar，不是上下文向量的和。"),
        (_softmax(U @ v_bar)[:, None] * v_bar, "还要减去观察：中心词那一行是 (P_c - 1) v_bar。"),
    ]
    close(got[1], dU, "第 i 行是 (P_i - [i = c]) v_bar。", slips, "U 的梯度", rtol=1e-5)


@chapter.code(
    "负采样的损失和梯度",
    stars=2,
    minutes=20,
    stronger="把 o 和 noise 连成一列，标签是 1、0、…、0；error = σ(分数) - 标签；-log σ(x) 写成 np.logaddexp(0, -x)。",
)
def negative_sampling(answer, rng):
    size, d, K = int(rng.integers(7, 10)), 3, 5
    v_c, U = rng.normal(size=d), rng.normal(size=(size, d))
    o, *others = map(int, rng.permutation(size)[:4])
    noise = [others[0], others[1], others[0], o, others[2]]  # one word twice, and the real one

    def loss_of(v_c, U):
        return np.logaddexp(0, -U[o] @ v_c) + np.logaddexp(0, U[noise] @ v_c).sum()

    def ask(v_c):
        got = items(answer(v_c, U, o, noise), 3, "返回三样：return loss, dv_c, dU。")
        return numbers(got[0], (), "损失是一个数。", "损失"), *got[1:]

    loss, dv_c, dU = ask(v_c)
    right, real, fake = loss_of(v_c, U), np.logaddexp(0, -U[o] @ v_c), np.logaddexp(0, U[noise] @ v_c)
    slips = [
        (-right, "符号反了：log σ 是负的，损失要取负。"),
        (real + np.logaddexp(0, -U[noise] @ v_c).sum(), "假的那几项要用 log σ(-x)：希望它们的分数低。"),
        (real + fake.mean(), "K 个假的要求和，不是取平均。"),
        (real, "只有真的一对；没有假的，所有向量一起变长就能让损失趋于 0。"),
        (real + fake[[0, 1, 3, 4]].sum(), "重复抽到的词，抽到几次就算几次。"),
        (real + fake[[0, 1, 4]].sum(), "抽到真词 o 的那次，和重复抽到的，也照样算。"),
        (real + np.delete(fake, 3).sum(), "抽到真词 o 的那次也照样算：公式里的噪声是随机抽的，不挑。"),
    ]
    close(loss, right, "真的一项 -log σ(x)，假的每个一项 -log σ(-x)，加起来。", slips, "损失")
    dv = jacobian(lambda v: loss_of(v, U), v_c)
    positive = (1 / (1 + np.exp(-U[o] @ v_c)) - 1) * U[o]
    slips = [
        (-dv, "符号反了：误差是预测减标签，真的是 σ - 1，假的是 σ。"),
        (positive, "只有真的一项，假的也要加上 σ(x) u_n。"),
        (dv - positive, "只有假的几项，真的还有 (σ(x) - 1) u_o。"),
        (2 * positive - dv, "假的几项符号反了：是 +σ(x) u_n。"),
    ]
    close(dv_c, dv, "每个词贡献（预测 - 标签）× u，真的和假的都加起来。", slips, "v_c 的梯度", rtol=1e-5)
    slopes = jacobian(lambda U: loss_of(v_c, U), U)
    words = [o, *noise]
    errors = 1 / (1 + np.exp(-U[words] @ v_c)) - (np.arange(K + 1) == 0)
    kept, added = np.zeros_like(U), np.zeros_like(U)
    kept[words] = errors[:, None] * v_c
    added[noise] += errors[1:, None] * v_c
    added[o] += errors[0] * v_c
    hint = "同一个词抽到几次就累加几次（真词 o 也可能被抽到）：用 np.add.at，dU[words] = … 和 += … 只留下最后一次。"
    slips = [(kept, hint), (added, hint), (-slopes, "符号反了：误差是预测减标签，真的是 σ - 1，假的是 σ。")]
    close(dU, slopes, "碰到的每个词加上（预测 - 标签）× v_c，没碰到的行是 0。", slips, "U 的梯度", rtol=1e-5)
    far = -2000 * U[o] / (U[o] @ U[o])
    big = ask(far)[0]
    said = f"真词的分数是 -2000 时，损失应当很大但有限，得到 {big}。"
    that(
        np.isfinite(big),
        said,
        "σ 下溢成 0，再取对数就是负无穷。-log σ(x) = log(1 + e^{-x})，写成 np.logaddexp(0, -x)。",
    )
    close(big, loss_of(far, U), "-log σ(x) 写成 np.logaddexp(0, -x)。", [], "真词的分数是 -2000 时的损失")


def _tree_lengths(frequency):
    """Depths of the leaves of a Huffman tree."""
    heap = [(f, [i]) for i, f in enumerate(frequency)]
    heapq.heapify(heap)
    lengths = np.zeros(len(frequency))
    while len(heap) > 1:
        (f, left), (g, right) = heapq.heappop(heap), heapq.heappop(heap)
        lengths[left + right] += 1
        heapq.heappush(heap, (f + g, left + right))
    return lengths


@chapter.code(
    "哈夫曼树的平均路长",
    stars=2,
    minutes=18,
    stronger="每次取出最小的两个，它们之和既加进总数，又放回堆里；只剩一个时，总数就是平均路长。",
)
def mean_path_length(answer, rng):
    count = int(rng.integers(5, 8))
    frequency = rng.uniform(0.8, 1.2, count) / np.arange(1, count + 1) ** 1.6
    frequency = rng.permutation(frequency / frequency.sum())
    lengths = _tree_lengths(frequency)
    right = frequency @ lengths
    order = np.sort(frequency)
    in_turn = sum(order[: k + 1].sum() for k in range(1, count))
    pairs = _tree_lengths(np.ones(count))
    slips = [
        (-(frequency * np.log2(frequency)).sum(), "这是熵，平均路长的下界；路长是整数，一般达不到。要真的把树造出来。"),
        (lengths.mean(), "每个词的路长要按频率加权，不是简单平均。"),
        (lengths.sum(), "这是路长之和；要按频率加权。"),
        (np.log2(count), "这是平衡的树（词数正好是 2 的幂时）；频率不同，路长就该不同。"),
        (np.ceil(np.log2(count)), "这是平衡的树最深处的路长；频率不同，路长就该不同。"),
        (frequency @ pairs, "你造树时没有看频率。每次取出频率最小的两棵。"),
        (right + 1, "数的是结点；路长数的是路口（边），从根到叶子走几步。"),
        (right - 1, "最后一次合并（根）也要算：每个词都要经过根这个路口。"),
        (in_turn, "并好的树要放回去，与别的一起再比大小，不是一个接一个地并下去。"),
    ]
    close(answer(frequency), right, "每次把频率最小的两棵树并成一棵，直到只剩一棵。", slips, "平均路长")
    hint = "频率相等、词数是 2 的幂时，树是平衡的，每个词都走 log2 那么多步。"
    close(answer(np.full(8, 1 / 8)), 3, hint, [], "八个词一样常见时的平均路长")
    hint = "频率正好是 2 的负整数次幂时，平均路长等于熵。"
    close(answer(rng.permutation([0.5, 0.25, 0.125, 0.125])), 1.75, hint, [], "频率为 1/2、1/4、1/8、1/8 时的平均路长")


@chapter.code(
    "二阶导数是负的协方差",
    stars=3,
    minutes=25,
    stronger="P = softmax(U @ v_c)；centered = U - P @ U；返回 -(centered.T * P) @ centered。",
)
def log_prob_hessian(answer, rng):
    size, d = int(rng.integers(6, 9)), 3
    v_c, U, o = rng.normal(size=d), rng.normal(size=(size, d)), int(rng.integers(0, 6))

    def gradient(v):
        return U[o] - _softmax(U @ v) @ U

    right = jacobian(gradient, v_c)
    P = _softmax(U @ v_c)
    centered = U - U.mean(0)
    slips = [
        (-right, "差一个负号：log P 是 v_c 的凹函数，二阶导数是协方差的相反数。"),
        (-(U.T * P) @ U, "还没有减去平均：协方差是 E[uuᵀ] - ūūᵀ。"),
        (-np.cov(U.T), "这里每个词的权重不相等：按 P(w_j | w_c) 加权，平均也是加权的。"),
        (-np.cov(U.T, bias=True), "这里每个词的权重不相等：按 P(w_j | w_c) 加权，平均也是加权的。"),
        (-(centered.T * P) @ centered, "平均 ū 也要按 P 加权：ū = Σ P_j u_j。"),
        (np.diag(np.diag(right)), "只有对角线。混合的二阶导数也要。"),
        (-(np.diag(P) - np.outer(P, P)), "这是对打分的二阶导数，(词数, 词数)；还要两边乘 U，得到 (d, d)。"),
    ]
    hint = "第 (a, b) 个元素是 -Σ_j P_j (u_ja - ū_a)(u_jb - ū_b)。"
    close(answer(v_c, U), right, hint, slips, "二阶导数", rtol=1e-5)
    hint = "v_c = 0 时各词等可能，应得普通的（除以词数的）协方差，取负。"
    close(answer(np.zeros(d), U), -np.cov(U.T, bias=True), hint, [], "v_c = 0 时的二阶导数")
    large = numbers(answer(2000 * U[0] / (U[0] @ U[0]), U), (d, d), "形状是 (d, d)。")
    that(np.isfinite(large).all(), "分数很大时，二阶导数不该是 nan。", "exp 溢出了：先从分数里减去最大值。")


@chapter.experiment(
    "均匀的噪声，按频率的噪声",
    stars=2,
    minutes=15,
    stronger="S = log(truth / P_n) - log K，每行 softmax 得 P；返回 (P_c[:, None] * truth * log(truth / P)).sum()。",
    predictions=("均匀的消失", "按频率的消失", "都不消失"),
)
def sampling_bias(answer, rng):
    size = int(rng.integers(6, 9))
    P_c = 1 / np.arange(1.0, size + 1)
    P_c /= P_c.sum()
    truth = _softmax(np.log(P_c) + rng.normal(size=(size, size)))
    P_o = P_c @ truth

    def weighted(P):
        return (P_c[:, None] * truth * np.log(truth / P)).sum()

    def ask(P_n, K):
        return numbers(answer(truth, P_c, P_n, K), (), "偏差是一个数：对中心词加权，对上下文词求和。", "偏差")

    K = 3
    ratio = truth / P_o
    P = ratio / ratio.sum(1, keepdims=True)
    right = weighted(P)
    multiplied = truth * P_o / (truth * P_o).sum(1, keepdims=True)
    slips = [
        ((truth * np.log(truth / P)).sum(1).mean(), "中心词不是一样常见的：按 P_c 加权平均。"),
        ((truth * np.log(truth / P)).sum(), "还没有按中心词的频率 P_c 加权平均。"),
        (
            (P_c[:, None] * P * np.log(P / truth)).sum(),
            "KL 散度的方向反了：按真实的分布取平均，log 里是真实的除以模型的。",
        ),
        (-right, "KL 散度不会是负的：log 里是真实的除以模型的。"),
        (right / np.log(2), "这里用自然对数（奈特），不用以 2 为底的。"),
        (weighted(ratio), "分数还没有过 softmax：每一行的概率之和要是 1。"),
        (weighted(ratio / K), "分数还没有过 softmax：每一行的概率之和要是 1。"),
        (weighted(ratio / ratio.sum()), "softmax 按行归一：每个中心词各有一个分布。"),
        (weighted(ratio / ratio.sum(0)), "softmax 按行归一：每个中心词各有一个分布。"),
        (weighted(multiplied), "是除以 P_n，不是乘：负采样把常见的词打了折。"),
    ]
    unigram = ask(P_o, K)
    if abs(unigram) < 1e-9:
        slips.append((unigram, "你把 P_n 加回去了（或者没有用到它）。这里量的是不加回去的偏差。"))
    close(unigram, right, "先写出最优的分数，每行 softmax，再求 KL 散度。", slips, "按频率抽噪声时的偏差")
    close(ask(P_o, 20), right, "偏差与 K 无关：log K 对一行里的每个词都一样，被 softmax 约掉。", [], "K = 20 时的偏差")
    uniform = float(ask(np.full(size, 1 / size), K))
    said = f"P_n 均匀时，softmax 会把它整个约掉，偏差应是 0（只差舍入），得到 {uniform:.3g}。"
    that(abs(uniform) < 1e-9, said, "P_n 由参数给出，不要用上下文词的频率代替。")
    vanish = abs(uniform) < 1e-9, abs(unigram) < 1e-9
    return {(True, False): "均匀的消失", (False, True): "按频率的消失"}.get(vanish, "都不消失")


chapter.question("log_sigmoid", "log σ 的导数和负采样的平衡点", stars=2, minutes=20)

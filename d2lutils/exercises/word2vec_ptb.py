"""Checks of the exercises on training word2vec (chapter ``word2vec-ptb``)."""

import numpy as np

from .expect import close, equal, items, numbers, that
from .reference import jacobian, sigmoid
from .registry import Chapter

__all__ = ["chapter"]

chapter = Chapter("word2vec-ptb", "word2vec：训练")


@chapter.code(
    "下采样：留下的概率",
    stars=1,
    minutes=8,
    stronger="share = counts / counts.sum() / threshold；np.minimum(1, (np.sqrt(share) + 1) / share)。",
)
def keep_probs(answer, rng):
    counts = np.array([5000, 2000, 700, 90, 20, 4]) + rng.integers(0, 4, 6)
    threshold = 0.01
    share = counts / counts.sum() / threshold
    right = np.minimum(1, (np.sqrt(share) + 1) / share)
    raw = counts / threshold
    slips = [
        (np.minimum(1, 1 / np.sqrt(share)), "这是论文印的 sqrt(t/f)；正文用的是作者程序里的 (sqrt(f/t) + 1) · t/f。"),
        ((np.sqrt(share) + 1) / share, "概率超过 1 了：少见的词一律留下，取 min(1, …)。"),
        (1 - right, "这是丢掉的概率，要的是留下的概率。"),
        (np.minimum(1, (np.sqrt(raw) + 1) / raw), "f 是占全文的比例，不是次数：先除以 counts 的总和。"),
        (np.maximum(1, (np.sqrt(share) + 1) / share), "min 写成了 max：概率不超过 1。"),
        (np.minimum(1, (np.sqrt(1 / share) + 1) * share), "f/t 和 t/f 放反了：越常见的词，留下的概率应当越小。"),
    ]
    close(answer(counts, threshold), right, "先算 f/t，再代入 (sqrt(f/t) + 1) · t/f。", slips, "留下的概率")
    small = counts[::-1].copy()
    close(answer(small, 10.0), np.ones(6), "阈值很大时，一个词也不该丢。", [], "阈值很大时留下的概率")


@chapter.code(
    "动态窗口：距离与机会",
    stars=1,
    minutes=8,
    stronger="距离 k 的邻居被采用，当且仅当窗口大小 >= k：对 k = 1 … window 各求一次 (sizes >= k).mean()。",
)
def distance_weights(answer, rng):
    window, repeats = int(rng.integers(4, 8)), int(rng.integers(3, 6))
    distances = np.arange(1, window + 1)
    shares = (
        (rng.permutation(np.repeat(distances, repeats)), "（各种窗口一样多时）"),
        (rng.permutation(np.append(np.repeat(distances, repeats), [2, 3, 3])), ""),
    )
    for sizes, when in shares:
        right = (sizes[:, None] >= distances).mean(0)
        slips = [
            ((sizes[:, None] == distances).mean(0), "你数的是窗口恰好等于 k 的；窗口比 k 大，距离 k 的邻居也在里面。"),
            ((sizes[:, None] > distances).mean(0), "窗口恰好等于 k 时，距离 k 的邻居也算：用 >=。"),
            ((sizes[:, None] >= distances - 1).mean(0), "距离从 1 数起，到 window 为止；距离 0 是中心词自己。"),
            ((sizes[:, None] <= distances).mean(0), "大小号反了：窗口不小于 k，才够得着距离 k。"),
            ((sizes[:, None] >= distances).sum(0), "这是个数，要占中心词总数的比例。"),
            ((window + 1 - distances) / window, "这是长远的平均；这一批的窗口抽成什么样，要从给出的 sizes 里数。"),
            (right / right.sum(), "不用归一化：每个距离各是一个 0 到 1 的占比，加起来不必是 1。"),
        ]
        close(answer(sizes, window), right, "距离 1 的占比是 1，越远越小。", slips, f"{when}各距离的占比")
    sizes = np.ones(5, dtype=int)
    close(
        answer(sizes, window),
        (distances == 1).astype(float),
        "返回值长为 window，不要从 sizes 里猜：窗口都是 1 时，更远的距离占比是 0。",
        [],
        "窗口都是 1 时的占比",
    )


def _band(owners, sizes, window):
    L = len(sizes)
    distance = np.arange(L + 2 * window) - np.arange(L)[:, None] - window
    near = (np.abs(distance) <= sizes[:, None]) & (distance != 0)
    return near, owners[None, :] == owners[window : window + L, None], distance


@chapter.code(
    "一条带子",
    stars=2,
    minutes=20,
    stronger="distance = np.arange(L + 2m) - np.arange(L)[:, None] - m；"
    "(abs(distance) <= sizes[:, None]) & (distance != 0) & (owners == owners[m:m + L, None])。",
)
def band_mask(answer, rng):
    window, L = 3, 9
    sizes = rng.permutation(np.repeat([1, 2, 3], 3))
    owners = np.repeat([-1, 0, 1], [window, int(rng.integers(4, 6)), 20])[: L + 2 * window]
    got = numbers(
        answer(owners, sizes, window), (L, L + 2 * window), "一行一个中心词，一列一个词：(L, L + 2 · window)。"
    )
    near, same, distance = _band(owners, sizes, window)
    right = near & same
    fixed = (np.abs(distance) <= window) & (distance != 0) & same
    middle = distance == 0
    unshifted, columns = distance + window, owners[:L, None]
    origin = (np.abs(unshifted) <= sizes[:, None]) & (unshifted != 0)
    slips = [
        (near, "窗口跨过了句子的边界：只有与中心词同句的词才算。"),
        (right | middle, "中心词自己也算进去了：距离 0 要去掉。"),
        (near | middle, "中心词自己算进去了，句子的边界也没有管。"),
        (fixed, "每个中心词有自己的窗口大小 sizes[i]，不是都用 window。"),
        (right & (distance > 0), "只有右边的邻居；左边的也要：取距离的绝对值。"),
        (right & (distance < 0), "只有左边的邻居；右边的也要：取距离的绝对值。"),
        (~right, "真假反了：是样本的格子记 True。"),
        (origin & (owners == columns), "第 i 行的中心词站在第 i + window 列：左边先有 window 个邻居。"),
        (origin & same, "第 i 行的中心词站在第 i + window 列：左边先有 window 个邻居。"),
    ]
    close(got, right, "一格一格地对：同句、距离不超过 sizes[i]、不是自己。", slips, "带子")
    alone = answer(np.arange(L + 2 * window), sizes, window)
    close(alone, np.zeros((L, L + 2 * window)), "每个词自成一句时，一个样本也没有。", [], "每词一句时的带子")


def _pair_loss(v, u, u_noise, mask, num_noise):
    """The loss by the list of pairs, one sample after another."""
    loss, M = 0.0, len(u_noise)
    for i, j in np.argwhere(mask):
        loss += np.log1p(np.exp(-v[i] @ u[j])) + num_noise / M * np.log1p(np.exp(u_noise @ v[i])).sum()
    return loss


@chapter.code(
    "一段文本的损失与梯度",
    stars=3,
    minutes=35,
    stronger="weight = mask.sum(1, keepdims=True) * num_noise / M；G = (σ(S) - 1) * mask，"
    "G_noise = σ(S_noise) * weight；dv = G @ u + G_noise @ u_noise，du = G.T @ v，du_noise = G_noise.T @ v。",
)
def segment_gradients(answer, rng):
    L, window, d, M, num_noise = 4, 2, 3, 5, 2
    v, u, u_noise = (rng.normal(size=(rows, d)) for rows in (L, L + 2 * window, M))
    mask = _band(np.array([-1, -1, 0, 0, 0, 1, -1, -1]), np.array([1, 2, 2, 1]), window)
    mask = mask[0] & mask[1]  # rows with 1, 2, 2 and 0 samples: the last word stands alone
    got = answer(v, u, u_noise, mask, num_noise)
    loss, dv, du, du_noise = items(got, 4, "返回 loss, dv, du, du_noise 四样。")
    count = mask.sum(1, keepdims=True)
    S, S_noise = v @ u.T, v @ u_noise.T
    weight = count * num_noise / M

    def total(weight, sign=1, mask=mask):
        return (np.logaddexp(0, -S) * mask).sum() + (np.logaddexp(0, sign * S_noise) * weight).sum()

    right = _pair_loss(v, u, u_noise, mask, num_noise)
    slips = [
        (
            total(num_noise / M),
            "噪声的权重里少了这一行的样本数：有几个真样本，就该有几份噪声；没有样本的行不该有噪声。",
        ),
        (total(count), "权重要除以噪声词的个数 M，再乘 num_noise：共用 M 个，代替每个样本各自的 num_noise 个。"),
        (total(count * num_noise), "忘了除以噪声词的个数 M。"),
        (total(1), "噪声没有加权。"),
        (total(weight, -1), "噪声的符号反了：噪声词要推远，是 log σ(−S_noise)。"),
        (total(weight, 1, 1), "带子外的格子也算进去了：要乘 mask。"),
        (-right, "损失是负的对数似然，少了负号。"),
        (right / mask.sum(), "这里要总和，不除以样本数。"),
    ]
    close(loss, right, "-(log σ(S) · mask) 之和，加 -(log σ(−S_noise) · weight) 之和。", slips, "损失")
    G, G_noise = (sigmoid(S) - 1) * mask, sigmoid(S_noise) * weight
    wants = {
        "dv": (
            dv,
            v,
            "中心词既在真样本里，也在噪声样本里，两处的梯度相加：G @ u + G_noise @ u_noise。",
            [
                (G @ u, "只有真样本的梯度，少了噪声的那一半。"),
                ((sigmoid(S) - 1) @ u + G_noise @ u_noise, "带子外的格子没有损失，也就没有梯度：G 要乘 mask。"),
                (-(G @ u + G_noise @ u_noise), "符号反了：分数的梯度是预测减标签。"),
                (G @ u + sigmoid(S_noise) @ u_noise, "噪声的梯度也要乘 weight。"),
                (G @ u - G_noise @ u_noise, "噪声的标签是 0：梯度是 σ(S_noise) 乘权重，不带负号。"),
            ],
        ),
        "du": (
            du,
            u,
            "du = G.T @ v：一列是一个上下文词，把各行中心词的梯度加起来。",
            [
                ((sigmoid(S) - 1).T @ v, "带子外的格子没有梯度：G 要乘 mask。"),
                (-G.T @ v, "符号反了：分数的梯度是预测减标签，σ(S) − 1。"),
                ((sigmoid(S) * mask).T @ v, "真样本的标签是 1：分数的梯度是 σ(S) − 1，不是 σ(S)。"),
            ],
        ),
        "du_noise": (
            du_noise,
            u_noise,
            "du_noise = G_noise.T @ v。",
            [
                (sigmoid(S_noise).T @ v, "噪声的梯度也要乘 weight。"),
                (-G_noise.T @ v, "噪声的标签是 0：梯度是 σ(S_noise) 乘权重，不带负号。"),
                (((sigmoid(S_noise) - 1) * weight).T @ v, "噪声的标签是 0：σ(S_noise) − 0，不减 1。"),
            ],
        ),
    }
    for name, (ours, array, hint, slips) in wants.items():

        def loss(moved, array=array):
            return _pair_loss(*(moved if each is array else each for each in (v, u, u_noise)), mask, num_noise)

        slopes = jacobian(loss, array)
        close(ours, slopes, hint, slips, f"（与数值梯度相比）{name} ", rtol=1e-5)


@chapter.code(
    "最近的邻居",
    stars=2,
    minutes=15,
    stronger="每行除以自己的长度（长度为 0 的除以 1），与第 word 行相乘；把自己的余弦设为 -np.inf，取 "
    "np.argsort(-cosines)[:k]。",
)
def nearest(answer, rng):
    d = 5
    own = rng.normal(size=d)
    own /= np.linalg.norm(own)
    cosines = np.array([0.9, 0.7, 0.5, 0.3, -0.3, -0.5, -0.7]) + rng.uniform(-0.04, 0.04, 7)
    lengths = np.array([3, 6, 1, 0.8, 2, 0.5, 4])
    side = rng.normal(size=(7, d))
    side -= (side @ own)[:, None] * own
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    others = lengths[:, None] * (cosines[:, None] * own + np.sqrt(1 - cosines**2)[:, None] * side)
    for zero, k in ((False, 3), (True, 8)):
        rows = np.vstack((own, others, np.zeros((1, d)))) if zero else np.vstack((own, others))
        rows = rows[order := rng.permutation(len(rows))]
        word = int(np.argmin(order))
        norms = np.linalg.norm(rows, axis=1)
        cosine = rows @ own / np.where(norms > 0, norms, 1)
        cosine[word], dots = 1, rows @ own
        gaps = np.linalg.norm(rows - own, axis=1)

        def best(scores, exclude=True, word=word, k=k):
            return [int(i) for i in np.argsort(-scores, kind="stable") if not exclude or i != word][:k]

        that(isinstance(got := answer(rows, word, k), list | tuple | np.ndarray), "应返回行号的列表。", "长为 k。")
        right = best(cosine)
        slips = [
            (best(dots), "这是按内积排的：长的向量占了便宜。先把每个向量除以自己的长度。"),
            (best(cosine, False), "第一个总是它自己，余弦为 1：要去掉。"),
            (best(dots, False), "按内积排的，而且没有去掉自己。"),
            (best(-gaps), "这是按距离排的；要比的是方向，即余弦。"),
            (best(-cosine), "次序反了：余弦越大越近。"),
        ]
        hint = "按余弦从大到小，不含自己，取前 k 个的行号。"
        if zero:
            hint = "有一行全是零：它除以自己的长度，是 0/0 = NaN。规定它与谁的余弦都是 0，排在正的后面、负的前面。"
        equal(got, right, hint, slips, "邻居的行号")


@chapter.experiment(
    "共用噪声的代价",
    stars=2,
    minutes=20,
    stronger="own = g[separate].sum((1, 2))；common = L * Kc / M * g[shared].sum(1)；common.var() / own.var()。",
    predictions=("差不多", "大几倍", "大几十倍"),
)
def variance_ratio(answer, rng):
    def both(g, separate, shared):
        L, Kc = separate.shape[1:]
        return g[separate].sum((1, 2)), L * Kc / shared.shape[1] * g[shared].sum(1), Kc / shared.shape[1]

    V, R = 9, 7
    g, separate, shared = rng.normal(size=V), rng.integers(0, V, (R, 3, 4)), rng.integers(0, V, (R, 5))
    own, common, one_row = both(g, separate, shared)
    right = common.var() / own.var()
    slips = [
        (1 / right, "分子和分母反了：共用的方差除以各用各的方差。"),
        (np.sqrt(right), "这是标准差的比，要方差的比。"),
        (g[shared].sum(1).var() / own.var(), "共用的噪声忘了加权：M 个词要代替 L · Kc 个，权重是 L · Kc / M。"),
        (g[shared].mean(1).var() / own.var(), "共用的噪声取了平均，还要乘 L · Kc：M 个词要代替 L · Kc 个。"),
        ((one_row * g[shared].sum(1)).var() / own.var(), "这只是一行的份：L 行都用这一批，权重是 L · Kc / M。"),
        (g[shared].var() / g[separate].var(), "这是单个词的方差；先在每次重复里求和，再看各次重复之间差多少。"),
    ]
    close(answer(g, separate, shared), right, "先对每次重复求总和，得 R 个数，再求这 R 个数的方差。", slips, "方差的比")
    V, R, L, Kc, M = 50, 200, 64, 30, 32
    P = (1 / np.arange(1, V + 1)) ** 0.75
    P /= P.sum()
    g = rng.normal(size=V)
    separate, shared = (rng.choice(V, size, p=P).astype(np.int16) for size in ((R, L, Kc), (R, M)))
    own, common, _ = both(g, separate, shared)
    close(answer(g, separate, shared), common.var() / own.var(), "形状变大了，算法不变。", [], "一段 64 行的方差之比")
    return "大几十倍"


chapter.question("shared_noise", "推导：共用噪声，期望不变", stars=3, minutes=25)

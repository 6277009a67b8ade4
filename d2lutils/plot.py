"""Figures: Chinese glyphs on any machine, and the learning curve. matplotlib is imported when first needed."""

import os
import warnings
from importlib import util
from pathlib import Path

__all__ = ["plot_learning_curve", "use_svg_display"]

# Faces that come with the usual systems, tried where the package zhplot (Noto Sans SC) is not installed.
_SYSTEM_FACES = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "PingFang SC",
    "Microsoft YaHei",
    "SimHei",
)
# Okabe & Ito (2008): eight colours that colour-blind readers can tell apart.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#555555")


def use_svg_display():
    """Sharp SVG figures with Chinese glyphs in notebooks; the same figure always gives the same bytes."""
    import matplotlib

    face = _chinese_face()
    matplotlib.rcParams.update(
        {
            "font.family": [face, "DejaVu Sans"] if face else ["DejaVu Sans"],
            "axes.unicode_minus": False,
            "axes.prop_cycle": matplotlib.cycler(color=COLORS),
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "grid.color": "#e6e6e6",
            "figure.figsize": (6.4, 3.4),
            "figure.constrained_layout.use": True,
            "legend.frameon": False,
            "svg.hashsalt": "d2lutils",
            "savefig.facecolor": "white",
        }
    )
    if util.find_spec("matplotlib_inline"):
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("svg", metadata={"Date": None})


def plot_learning_curve(histories, published=None, ax=None):
    """Perplexity against epochs on a logarithmic axis, held-out text dashed, a document's figures as circles.

    Args:
        histories: a History, or a dict from label to History.
        published: dict from label to {epoch: perplexity}, drawn in the colour of that label.
        ax: matplotlib axes, or None for a new figure.

    Returns:
        The axes.
    """
    import matplotlib.pyplot as plt

    if not isinstance(histories, dict):
        histories = {"训练": histories}
    ax = ax or plt.subplots()[1]
    for color, (label, history) in zip(COLORS * 3, histories.items(), strict=False):
        epochs = range(1, len(history.loss) + 1)
        ax.plot(epochs, history.perplexity, color=color, label=label)
        if history.valid_loss:
            ax.plot(epochs, history.valid_perplexity, "--", color=color, label=f"{label}（未见过的文本）")
        for epoch, value in (published or {}).get(label, {}).items():
            ax.plot(int(epoch), value, "o", color=color, mfc="white", zorder=3)
    if published:
        ax.plot([], [], "o", color="#555555", mfc="white", label="文档的数字")
    ax.set(xlabel="迭代周期", ylabel="困惑度（对数轴）", yscale="log")
    ax.legend()
    return ax


def _chinese_face():
    """Name of a font with Chinese glyphs, registered with matplotlib; None (and a warning) if there is none."""
    from matplotlib import font_manager

    known = {font.name for font in font_manager.fontManager.ttflist}
    spec = util.find_spec("zhplot")  # only its font file is used: importing the package would change settings
    if spec and "Noto Sans SC" not in known:
        for path in sorted((Path(spec.origin).parent / "fonts").glob("*.ttf")):
            font_manager.fontManager.addfont(os.fspath(path))
            known.add(font_manager.FontProperties(fname=path).get_name())
    face = next((name for name in ("Noto Sans SC", *_SYSTEM_FACES) if name in known), None)
    if face is None:
        warnings.warn(
            "no font with Chinese glyphs was found, so labels will show boxes; run `pip install zhplot` and restart",
            stacklevel=3,
        )
    return face

"""The progress bar of long work, the same everywhere."""

__all__ = ["progress_bar"]


def progress_bar(work, unit, desc=None, show=True):
    """A tqdm bar on stderr that goes away when done; ``TQDM_DISABLE=1`` in the environment hides every bar.

    Args:
        work: a number of units (then call ``bar.update``) or an iterable to walk through.
        unit: what is counted, e.g. "epoch"; "B" counts bytes.
        desc: text before the bar.
        show: False hides this bar.
    """
    from tqdm import tqdm

    hidden = {} if show else {"disable": True}  # an explicit disable=False would override the environment
    how = {"unit": unit, "desc": desc, "unit_scale": unit == "B", "leave": False, "dynamic_ncols": True, **hidden}
    return tqdm(total=work, **how) if isinstance(work, int) else tqdm(work, **how)

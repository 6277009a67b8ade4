"""Find a data file on this machine or bring it here, and never hand out a wrong one.

Search order: ``$D2LUTILS_DATA``, the checkout's ``data/`` (or the package's own samples), the user's cache
(``$D2LUTILS_CACHE``, else the platform's), the pinned address, its mirror. Every file is checked against the
manifest's sha256 each time. A download goes to a temporary file, is checked there and then renamed, under a lock
that processes share, so that nothing half-written is ever seen.
"""

import hashlib
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..bar import progress_bar
from ..errors import DataError
from .manifest import bundled_dir, datasets, get_dataset

__all__ = ["fetch", "roots", "verify"]

TIMEOUT = 30  # seconds without a byte


def roots():
    """The folders that are searched, in order; the last one, the cache, is where downloads go.

    Raises:
        DataError: ``D2LUTILS_DATA`` is set to something that is no folder.
    """
    own = _folder("D2LUTILS_DATA")
    if own and not own.is_dir():
        raise DataError(f"D2LUTILS_DATA is set to {own}, which is no folder; create it or unset the variable")
    return [*([own] if own else []), bundled_dir(), _cache_dir()]


def fetch(name, progress=True):
    """Paths of a data set's files, downloaded where they are not at hand.

    Args:
        name: a data set of the manifest, e.g. ``"jaychou-2018"``.
        progress: show one bar for all downloads.

    Returns:
        list of pathlib.Path in the manifest's order; every file has been verified.

    Raises:
        DataError: unknown name; a file of a folder of yours has the wrong checksum; nothing could be downloaded
            (says what is missing, where it was looked for, why each address failed and how to get it).
    """
    dataset = get_dataset(name)
    found = {file: _find(file) for file in dataset.files}
    missing = [file for file, path in found.items() if path is None]
    if missing:
        found.update(zip(missing, _download_all(dataset.name, missing, progress), strict=True))
    return [found[file] for file in dataset.files]


def verify():
    """State of every file that is at hand: list of (data set, path below the folder, "ok" | "wrong" | "absent")."""
    states = []
    for dataset in datasets().values():
        for file in dataset.files:
            candidates = [root / file.path for root in roots() if (root / file.path).is_file()]
            good = all(_sha256(path) == file.sha256 for path in candidates)
            states.append((dataset.name, file.path, "absent" if not candidates else "ok" if good else "wrong"))
    return states


def _find(file):
    """The verified path of a file, or None if it must be downloaded. A wrong file in the cache is not used."""
    *own, cache = [root / file.path for root in roots()]
    for path in own:
        if path.is_file():
            if (actual := _sha256(path)) != file.sha256:
                raise DataError(
                    f"{path} is not the file that the book was written with: its sha256 is {actual}, expected "
                    f"{file.sha256}; replace it, or move it away and let d2lutils download it"
                )
            return path
    return cache if cache.is_file() and _sha256(cache) == file.sha256 else None


def _download_all(name, files, progress):
    total = sum(file.bytes for file in files)
    with (
        progress_bar(total, "B", desc=name, show=progress) as bar,
        ThreadPoolExecutor(max_workers=8) as pool,
    ):

        def one(file):
            path = _download(name, file)
            bar.update(file.bytes)
            return path

        return list(pool.map(one, files))


def _download(name, file):
    """Bring one file into the cache, trying each address in turn."""
    import requests
    from filelock import FileLock

    pooch, target, reasons = _quiet_pooch(), _cache_dir() / file.path, []
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock"):
            if target.is_file() and _sha256(target) == file.sha256:  # another process was faster
                return target
            for url in file.urls:
                try:
                    pooch.retrieve(
                        url,
                        f"sha256:{file.sha256}",
                        target.name,
                        target.parent,
                        downloader=_checked_download(file),
                    )
                    return target
                except (requests.RequestException, ValueError, OSError) as error:  # the network's fault: try the next
                    if isinstance(error, OSError) and error.errno and not isinstance(error, requests.RequestException):
                        raise
                    reasons.append(f"  {url}\n    {_reason(error)}")
    except OSError as error:  # this machine's fault: disk full, read-only, …
        raise DataError(
            f"the cache {target.parent} cannot be written ({error.strerror or error}); free some space there, or set "
            "D2LUTILS_CACHE to a folder that you may write to"
        ) from error
    raise DataError(_no_data(name, file, reasons))


def _checked_download(file):
    """A pooch downloader that also looks at size and kind, to say more than 'wrong checksum'."""
    plain = _quiet_pooch().HTTPDownloader(timeout=TIMEOUT)

    def download(url, output_file, pup):
        plain(url, output_file, pup)
        head = Path(output_file).read_bytes()[:200].lstrip().lower()
        size = Path(output_file).stat().st_size
        if head.startswith((b"<!doctype", b"<html")):
            raise ValueError("a web page came instead of the data (a login page or a proxy in between?)")
        if size != file.bytes:
            raise ValueError(f"{size} bytes came, expected {file.bytes}: the body was cut short or replaced")

    return download


def _no_data(name, file, reasons):
    looked = "\n".join(f"  {root / file.path}" for root in roots())
    tried = "\n".join(reasons) or "  (it has no address: it is part of this repository)"
    return (
        f"{file.path} of the data set {name!r} is missing.\nLooked for:\n{looked}\nTried to download:\n{tried}\n"
        f"Get it: go online and run `python -m d2lutils data fetch {name}`, or put the file into a folder and set "
        "D2LUTILS_DATA to that folder. To go on without it, ask for a sample, e.g. 'sample-lyrics'."
    )


def _quiet_pooch():
    """pooch without its log and without the advice of its bar: ours says what happens."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pooch
    pooch.get_logger().setLevel("WARNING")
    return pooch


def _cache_dir():
    import platformdirs

    return _folder("D2LUTILS_CACHE") or Path(platformdirs.user_cache_dir("d2lutils"))


def _folder(variable):
    """The absolute path in an environment variable, None if it is unset or empty."""
    value = os.environ.get(variable)
    try:
        return Path(value).expanduser().absolute() if value else None
    except RuntimeError as error:  # ~nobody
        raise DataError(f"{variable} is set to {value!r}, which cannot be resolved: {error}") from None


def _sha256(path):
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); mend its permissions or move it away") from None
    return digest.hexdigest()


def _reason(error):
    """Why an address failed, in a few words."""
    import requests

    if isinstance(error, requests.ConnectionError):
        return "no connection (offline, or the host is blocked?)"
    if isinstance(error, requests.Timeout):
        return f"no answer for {TIMEOUT} s"
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]

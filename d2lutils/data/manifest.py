"""Which data sets there are: their addresses, checksums, sizes and licences (``data/manifest.json``)."""

import json
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from ..errors import DataError

__all__ = ["DataFile", "Dataset", "bundled_dir", "datasets", "get_dataset", "published"]


@dataclass(frozen=True)
class DataFile:
    """One file: its path below a data folder, size in bytes, sha256 and the addresses to try, in this order."""

    path: str
    bytes: int
    sha256: str
    urls: tuple


@dataclass(frozen=True)
class Dataset:
    """A named group of files with one licence."""

    name: str
    what: str
    licence: str
    files: tuple

    @property
    def bytes(self):
        """Size of all files together."""
        return sum(file.bytes for file in self.files)

    @property
    def checksum(self):
        """sha256 of the only file, or of the files' checksums one after the other."""
        if len(self.files) == 1:
            return self.files[0].sha256
        from hashlib import sha256

        return sha256("".join(file.sha256 for file in self.files).encode()).hexdigest()


def bundled_dir():
    """The folder with the manifest and the samples: ``data/`` of a checkout, else the installed package's copy."""
    here = Path(__file__).resolve()
    for folder in (here.parents[2] / "data", here.parents[1] / "_data"):
        if (folder / "manifest.json").is_file():
            return folder
    raise DataError(f"d2lutils is incomplete: no manifest.json near {here.parents[1]}; install the package again")


@cache
def datasets():
    """All data sets by name, as the manifest lists them."""
    entries = json.loads((bundled_dir() / "manifest.json").read_text(encoding="utf-8"))
    return {name: _dataset(name, entry) for name, entry in entries.items()}


def get_dataset(name):
    """One data set. An unknown name is an error that offers the closest ones."""
    known = datasets()
    if name not in known:
        near = get_close_matches(str(name), known, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise DataError(f"there is no data set {name!r}; {hint}Known: {', '.join(known)}")
    return known[name]


@cache
def published(document):
    """The figures that a document published, e.g. ``published("004")["scratch_random"]``."""
    figures = json.loads((bundled_dir() / "figures.json").read_text(encoding="utf-8"))
    if document not in figures:
        raise DataError(f"there is no document {document!r}; known: {', '.join(sorted(figures))}")
    return figures[document]


def _dataset(name, entry):
    files = []
    for f in entry["files"]:
        urls = [f["url"]] if "url" in f else []
        if "mirror" in entry:
            urls.append(entry["mirror"].format(sha256=f["sha256"], name=Path(f["path"]).name))
        files.append(DataFile(f["path"], f["bytes"], f["sha256"], tuple(urls)))
    return Dataset(name, entry["what"], entry["licence"], tuple(files))

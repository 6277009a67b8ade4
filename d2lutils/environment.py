"""One line that says on what a page was computed."""

import os
import platform
import sys
from dataclasses import dataclass
from datetime import date

from . import __version__
from .data.manifest import get_dataset
from .record import MIME

__all__ = ["Environment", "environment"]


@dataclass(frozen=True)
class Environment:
    """Device, versions, data and date; prints as one line and is read by the book's record page.

    Attributes:
        device: e.g. "CPU（2 线程）".
        versions: dict from package to version.
        data: dict from data set to sha256.
        date: ISO date.
    """

    device: str
    versions: dict
    data: dict
    date: str

    def __str__(self):
        versions = "，".join(f"{name} {version}" for name, version in self.versions.items())
        data = "，".join(f"{name}（sha256 {checksum[:8]}…）" for name, checksum in self.data.items())
        return f"设备：{self.device}\n版本：{versions}\n数据：{data or '无'}\n日期：{self.date}"

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/plain": str(self), MIME: {"kind": "environment", **vars(self)}}


def environment(*names, device=None):
    """Describe the run: the device, the versions of what is loaded, the checksums of the data sets ``names``.

    Args:
        names: data sets that the chapter reads.
        device: torch.device, MXNet context or None for the CPU.
    """
    versions = {"Python": platform.python_version(), "d2lutils": __version__}
    for module in ("numpy", "torch", "mxnet"):
        if module in sys.modules:
            versions[module] = sys.modules[module].__version__
    data = {name: get_dataset(name).checksum for name in names}
    return Environment(_device_name(device), versions, data, date.today().isoformat())


def _device_name(device):
    torch = sys.modules.get("torch")
    kind = str(device or "cpu")
    if kind.startswith("cuda") and torch is not None:
        return f"GPU（{torch.cuda.get_device_name(device)}）"
    if kind.startswith("cpu"):
        threads = torch.get_num_threads() if torch is not None else os.cpu_count()
        return f"CPU（{threads} 线程）"
    return kind

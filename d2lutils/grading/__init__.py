"""Grading a class: ``python -m d2lutils grade FOLDER``. ``batch`` goes through the folder, ``worker`` grades one
notebook, whose code runs in ``kernel`` inside a ``sandbox``; ``values`` carries data between the two."""

from . import sandbox
from .batch import grade_folder, grade_one, load_rows
from .report import write_csv, write_html
from .worker import Limits

__all__ = ["Limits", "grade_folder", "grade_one", "load_rows", "sandbox", "write_csv", "write_html"]

"""Exercises that check themselves: ``check("rnn-1", one_hot)`` says in Chinese what is right, missing or wrong."""

from .checking import check, progress
from .registry import CHAPTERS, Chapter, Exercise, Result, chapter, examine, exercises, find

__all__ = ["CHAPTERS", "Chapter", "Exercise", "Result", "chapter", "check", "examine", "exercises", "find", "progress"]

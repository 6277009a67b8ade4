"""Tones and rhymes as Tang poets heard them, and measures of a set of poems.

Readings come from the Guangyun (1008) as digitised by the package tshet-uinh; its rhymes are joined to the 106 groups
of the Pingshui scheme, by which regulated verse has been judged since. A character with several readings may use any.
"""

from collections import Counter
from dataclasses import dataclass
from functools import cache
from statistics import median

from .texts import form_of, poem_lines, simplify

__all__ = ["Quality", "distinct", "longest_overlap", "measure", "readings", "rhymes", "tones_alternate"]

# Guangyun rhymes that the Pingshui scheme joins; every other rhyme stands alone.
_JOINED = ("冬鍾", "支脂之", "虞模", "齊祭", "佳皆夬", "灰咍廢", "真諄臻", "文欣殷", "元魂痕", "寒桓", "刪山", "先仙",
           "蕭宵", "歌戈", "陽唐", "庚耕清", "蒸登", "尤侯幽", "覃談", "鹽添嚴", "咸銜凡")  # fmt: skip
_GROUP = {rhyme: group[0] for group in _JOINED for rhyme in group}
# Today's forms of heads that the Guangyun writes otherwise, and readings that poets used besides.
_SAME = {"间": "闲", "窗": "窻", "魂": "䰟", "隣": "邻", "讐": "雠", "廻": "回"}
_BESIDES = {"忘": ("平", "陽")}


@cache
def readings():
    """dict from simplified character to its readings: frozenset of (tone, rhyme), tone one of 平上去入.

    Raises:
        ModuleNotFoundError: tshet-uinh (Python ≥ 3.11) or opencc is missing.
    """
    try:
        from tshet_uinh.data import 廣韻
    except ImportError:
        raise ModuleNotFoundError(
            "tones and rhymes need the package tshet-uinh; run `pip install tshet-uinh`"
        ) from None
    found = [(entry.字頭, entry.音韻地位) for group in 廣韻.iter小韻() for entry in group if entry.音韻地位 is not None]
    table = {}
    for simple, (_, place) in zip(simplify([head for head, _ in found]), found, strict=True):
        table.setdefault(simple, set()).add((place.聲, _group(place.聲, place.韻)))
    for character, head in _SAME.items():
        table.setdefault(character, set()).update(table.get(head, ()))
    for character, sound in _BESIDES.items():
        table[character].add(sound)
    return {character: frozenset(sounds) for character, sounds in table.items()}


def _group(tone, rhyme):
    """The Pingshui group; two rhymes join differently in some tones."""
    if rhyme in "蒸登" and tone in "上去":
        return "青"
    if rhyme == "嚴" and tone == "入":
        return "咸"
    return _GROUP.get(rhyme, rhyme)


def rhymes(text):
    """Do the ends of the even lines share a reading's tone and rhyme? None if a character's reading is unknown."""
    ends = [line[-1] for line in poem_lines(text)[1::2]]
    if len(ends) < 2 or any(end not in readings() for end in ends):
        return None
    return bool(frozenset.intersection(*(readings()[end] for end in ends)))


def tones_alternate(line):
    """Are the 2nd, 4th (and 6th) characters level and oblique in turn (二四六分明)? None if a reading is unknown."""
    sounds = [readings().get(character) for character in line[1:6:2]]
    if len(line) not in (5, 7) or None in sounds:
        return None
    levels = [{tone == "平" for tone, _ in readings} for readings in sounds]
    return any(all((first ^ place % 2) in level for place, level in enumerate(levels)) for first in (0, 1))


def distinct(texts, n):
    """Different n-grams ÷ all n-grams, punctuation left out (Li et al. 2016, distinct-n)."""
    grams = Counter(line[i : i + n] for text in texts for line in poem_lines(text) for i in range(len(line) - n + 1))
    return len(grams) / max(1, grams.total())


def longest_overlap(text, training):
    """Length of the longest piece of ``text`` (punctuation counted) that also stands in the string ``training``."""
    best = 0
    for start in range(len(text)):
        while start + best < len(text) and text[start : start + best + 1] in training:
            best += 1
    return best


@dataclass(frozen=True)
class Quality:
    """Shares between 0 and 1, and characters; made by :func:`measure`."""

    form: float
    rhyme: float
    tone: float
    distinct_1: float
    distinct_2: float
    overlap: float


def measure(texts, training):
    """Quality of a list of poems: share in a perfect form, rhyming, lines with alternating tones, distinct-1 and -2,
    median longest overlap with the training text (one string, poems separated by newlines)."""
    rhyming = [verdict for verdict in map(rhymes, texts) if verdict is not None]
    toned = [v for text in texts for v in map(tones_alternate, poem_lines(text)) if v is not None]
    return Quality(
        form=sum(form_of(text) is not None for text in texts) / len(texts),
        rhyme=sum(rhyming) / max(1, len(rhyming)),
        tone=sum(toned) / max(1, len(toned)),
        distinct_1=distinct(texts, 1),
        distinct_2=distinct(texts, 2),
        overlap=median(longest_overlap(text, training) for text in texts),
    )

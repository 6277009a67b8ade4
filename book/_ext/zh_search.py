"""Chinese full-text search: index and query by pairs of characters.

A browser does not segment Chinese, so words found by a segmenter at build time are never matched by a query. Pairs
need no dictionary: 困惑度 is indexed as 困惑 and 惑度, and a query is cut the same way. Single characters are indexed
too, so that a query of one character finds something.
"""

import re

from sphinx.search import SearchLanguage, languages

_HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_RUNS = re.compile(rf"[{_HAN}]+|[^\W{_HAN}]+")


def pairs(run):
    """All pairs of neighbouring characters; the character itself where there is only one."""
    return [run[i : i + 2] for i in range(len(run) - 1)] or [run]


class ChinesePairs(SearchLanguage):
    """Latin words as they are, Chinese in pairs."""

    lang = "zh-bigram"
    language_name = "Chinese"
    js_splitter_code = (
        f"const hanRun = /^[{_HAN}]+$/;\n"
        f"const runs = /[{_HAN}]+|[^\\s\\p{{P}}\\p{{S}}{_HAN}]+/gu;\n"
        "function splitQuery(query) {\n"
        "  return (query.match(runs) || []).flatMap((run) =>\n"
        "    !hanRun.test(run) || run.length < 2 ? [run]\n"
        "      : Array.from({length: run.length - 1}, (_, i) => run.slice(i, i + 2)));\n"
        "}\n"
    )

    def split(self, input):
        words = []
        for run in _RUNS.findall(input.lower()):
            if re.match(f"[{_HAN}]", run):
                words += pairs(run) + (list(run) if len(run) > 1 else [])
            else:
                words.append(run)
        return words


def setup(app):
    languages[ChinesePairs.lang] = ChinesePairs
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

"""The directive ``{exercise-table}``: every exercise of the book with its chapter, kind, difficulty and time."""

from docutils import nodes
from reproductions import table
from sphinx.util.docutils import SphinxDirective

from d2lutils.exercises import CHAPTERS, chapter
from d2lutils.exercises.registry import KINDS


class ExerciseTable(SphinxDirective):
    """A table a chapter, in the book's order, and a sentence that counts."""

    def run(self):
        chapters = [chapter(name) for name in CHAPTERS]
        every = [item for each in chapters for item in each.exercises]
        checked = sum(item.examiner is not None for item in every)
        hours = sum(item.minutes for item in every) / 60
        counted = f"{len(chapters)} 章，{len(every)} 道题，其中 {checked} 道自动检查，一共约 {hours:.0f} 小时。"
        made = [nodes.paragraph(text=counted)]
        for each in chapters:
            made.append(nodes.rubric(text=each.title))
            rows = [self._row(item) for item in each.exercises]
            made.append(table(("编号", "题目", "形式", "难度", "分钟"), rows, "exercises"))
        return made

    def _row(self, item):
        page = f"notebooks/{item.chapter}-exercises"
        uri = self.env.app.builder.get_relative_uri(self.env.docname, page)
        link = nodes.reference("", item.title, refuri=f"{uri}#{item.id}", internal=True)
        return item.id, link, KINDS[item.kind], "★" * item.stars, item.minutes


def setup(app):
    app.add_directive("exercise-table", ExerciseTable)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

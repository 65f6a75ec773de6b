"""Texts of the records of a shipped file, so that each is parsed when it is first asked for.

Most commands want one accelerator of seventy and one model of 270, and parsing all takes longer
than the answer. A file is cut at the headers of its top-level tables; what a record says is still
read by the TOML parser and by `catalog.schema`. That the cuts are right for every shipped file is
held by a test; files of users are read whole.
"""

import re

_HEADER = re.compile(r'^\[(?:"([^"\n]+)"|([\w-]+))(?:\.[^\n]+)?\][ \t]*(?:#.*)?$', re.MULTILINE)
"""Header of a table, or of a table inside it: [h100-sxm], ["llama-3.1-8b".config]."""


def sections(text: str) -> dict[str, str]:
    """Return the text of every top-level table by its name, in order.

    Args:
        text: TOML of tables alone: no values before the first header, no arrays of tables, and no
            line of a longer value that looks like a header.
    """
    marks = list(_HEADER.finditer(text))
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    found: dict[str, str] = {}
    for mark, end in zip(marks, ends, strict=False):
        name = mark[1] or mark[2]
        found[name] = found.get(name, "") + text[mark.start() : end]
    return found

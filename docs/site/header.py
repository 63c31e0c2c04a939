"""A directive for the page of the C header: each entry of depwatch_api as a C function, with its comment."""

import re
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

_ENTRY = re.compile(r"^    (?P<result>[\w ]+\*?) ?\(\*(?P<name>\w+)\)\((?P<given>[^;]*)\);(?P<rest>.*)$")


def entries(text):
    """(result, name, arguments, comment) of each function in struct depwatch_api; or (None, None, None, comment)."""
    body = text[text.index("typedef struct depwatch_api {") : text.index("} depwatch_api;")]
    joined = re.sub(r",\n {20,}", ", ", body)  # a declaration on two lines
    comment, inside, beside_one, found = [], False, False, []
    for line in joined.splitlines():
        stripped = line.strip()
        if inside or stripped.startswith("/*"):
            comment.append(stripped.removeprefix("/*").removesuffix("*/").strip(" *"))
            inside = not stripped.endswith("*/")
            if beside_one and not inside:
                comment, beside_one = [], False
            continue
        entry = _ENTRY.match(line)
        if entry is None:
            comment = []
            continue
        beside = entry["rest"].strip()
        own = [beside.removeprefix("/*").removesuffix("*/").strip()] if beside else []
        beside_one = inside = bool(beside) and not beside.endswith("*/")
        found.append([entry["result"].strip(), entry["name"], entry["given"], [*comment, *own]])
        comment = found[-1][3] if inside else []
    return [(result, name, given, " ".join(words)) for result, name, given, words in found]


class Header(SphinxDirective):
    required_arguments = 1

    def run(self):
        file = Path(self.env.srcdir, self.arguments[0]).resolve()
        self.env.note_dependency(str(file))
        lines = StringList()
        for result, name, given, words in entries(file.read_text()):
            space = "" if result.endswith("*") else " "
            text = re.sub(r"([*_|`\\])", r"\\\1", words)
            for line in (f"```{{c:function}} {result}{space}depwatch_{name}({given})", text, "```", ""):
                lines.append(line, str(file))
        node = nodes.container()
        self.state.nested_parse(lines, self.content_offset, node)
        return node.children


def setup(app):
    app.add_directive("depwatch-header", Header)
    return {"parallel_read_safe": True}

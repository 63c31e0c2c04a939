"""Pygments highlights modules of the standard library as HTML and for a terminal."""

import sysconfig
from pathlib import Path

from pygments import highlight
from pygments.formatters import HtmlFormatter, Terminal256Formatter
from pygments.lexers import get_lexer_for_filename

PACKAGES = ("asyncio", "json", "unittest", "http", "email")


def main() -> None:
    formatters = (HtmlFormatter(linenos="table"), Terminal256Formatter())
    files = size = 0
    for package in PACKAGES:
        for path in sorted((Path(sysconfig.get_path("stdlib")) / package).glob("*.py")):
            text = path.read_text(encoding="utf-8")
            lexer = get_lexer_for_filename(path.name)
            size += sum(len(highlight(text, lexer, formatter)) for formatter in formatters)
            files += 1
    print(files, "files,", size, "characters")


main()

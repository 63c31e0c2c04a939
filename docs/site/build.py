"""Builds the site into build/site/html: puts the pages together, has Sphinx render them, and checks links.

./dev site [--linkcheck]    --linkcheck: also the links to other sites, for which it takes a network
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
BUILD = ROOT / "build" / "site"
SOURCES = BUILD / "source"
SOURCE = "https://github.com/depwatch/depwatch/blob/main/"
# Files of the repository that are pages, too.
PAGES = {
    "CHANGELOG.md": "changes.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "notebooks/1_two_proposals.ipynb": "notebooks/1_two_proposals.ipynb",
    "notebooks/2_corpus.ipynb": "notebooks/2_corpus.ipynb",
    "notebooks/3_index.ipynb": "notebooks/3_index.ipynb",
    "notebooks/4_numba.ipynb": "notebooks/4_numba.ipynb",
    "notebooks/5_pep836.ipynb": "notebooks/5_pep836.ipynb",
}
_LINK = re.compile(r"(?<=\]\()(?!https?:|#|mailto:)([^)#\s]+)(#[^)\s]*)?(?=\))")


def pages() -> dict[Path, Path]:
    """Which file is which page, relative to SOURCES."""
    own = {path: path.relative_to(ROOT / "docs") for path in (ROOT / "docs").glob("*.*")}
    return own | {ROOT / file: Path(page) for file, page in PAGES.items()}


def linked(text: str, file: Path, page: Path, known: dict[Path, Path]) -> str:
    """The text with its links to files of the repository as the site has them: to pages, or to where the source is."""

    def replaced(match: re.Match[str]) -> str:
        if match[1].startswith("_static/"):  # made below
            return match[0]
        target = (file.parent / match[1]).resolve()
        if target in known:
            return f"{'../' * (len(page.parts) - 1)}{known[target]}{match[2] or ''}"
        if not target.exists() and not re.search(r"/|\.[a-z]+$", match[1]):
            return match[0]  # code, such as f[0](x)
        if not target.exists():
            sys.exit(f"site: {file.relative_to(ROOT)} links to {match[1]}, which does not exist")
        return f"{SOURCE}{target.relative_to(ROOT)}{match[2] or ''}"

    return _LINK.sub(replaced, text)


def without_blank_ends(text: str) -> str:
    """Without the blank line before the end of a code block, which doctest needs and a reader does not."""
    lines: list[str] = []
    inside = False
    for line in text.splitlines():
        if line.startswith("```"):
            if inside and lines and not lines[-1]:
                lines.pop()
            inside = not inside
        lines.append(line)
    return "\n".join(lines) + "\n"


# Words of the glossary as they are written in pages, with the entry that they are linked to at their first use.
TERMS = {
    r"facets?": "facet", r"handles?": "handle", r"drains?": "drain", r"retire[sd]?": "retire",
    r"give[ns]? up": "give up",
    r"value cells?": "value cell", r"guard cells?": "guard cell", r"jump labels?": "jump label", r"opaque": "opaque",
    r"invalidate[sd]?": "break", r"resume[sd]?": "heal", r"assumptions?": "assumption", r"polic(?:y|ies)": "policy",
    r"recompiles?": "recompile", r"stale": "stale", r"hot": "hot",
}  # fmt: skip
_WORD = re.compile(r"(?<![\w`./-])(?:" + "|".join(f"({words})" for words in TERMS) + r")(?![\w`/-])")
_NO_PROSE = re.compile(r"(`[^`]*`|!?\[[^\]]*\]\([^)]*\)|\*\*|https?://\S+)")


def with_terms(text: str) -> str:
    """The text with each term linked to the glossary where it is first used in a paragraph."""
    entries = list(TERMS.values())
    seen: set[str] = set()

    def link(match: re.Match[str]) -> str:
        entry = entries[next(i for i, group in enumerate(match.groups()) if group)]
        if entry in seen:
            return match[0]
        seen.add(entry)
        return f"{{term}}`{match[0]} <{entry}>`"

    lines: list[str] = []
    inside = False
    for line in text.splitlines():
        inside ^= line.startswith("```")
        if not (inside or line.startswith(("#", "|", "    ", "```"))):
            parts = _NO_PROSE.split(line)
            line = "".join(part if i % 2 else _WORD.sub(link, part) for i, part in enumerate(parts))
        lines.append(line)
    return "\n".join(lines) + "\n"


def assemble() -> None:
    shutil.rmtree(SOURCES, ignore_errors=True)
    known = pages()
    for file, page in known.items():
        place = SOURCES / page
        place.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix in (".md", ".ipynb"):
            text = linked(file.read_text(), file, page, known)
            if file.suffix == ".md":
                text = without_blank_ends(text)
            if file.parent.name == "docs" and page.stem not in ("glossary", "python-api"):
                text = with_terms(text)
            place.write_text(text)
        else:
            shutil.copy(file, place)
    shutil.copy(ROOT / "notebooks" / "results.py", SOURCES / "notebooks")
    static = SOURCES / "_static"
    static.mkdir()
    for name in ("site.css", "site.js"):
        shutil.copy(ROOT / "docs" / "site" / name, static)
    corpus = ROOT / "benchmarks" / "results" / "corpus-3.13.0.json"
    report = [sys.executable, "-m", "depwatch", "report", str(corpus), "-o", str(static / "corpus.html")]
    subprocess.run(report, check=True)


def sphinx(builder: str, *options: str) -> int:
    command = [sys.executable, "-m", "sphinx", "-b", builder, "-c", str(ROOT / "docs" / "site"), "-q", "-W", "-n"]
    results = os.environ | {"DEPWATCH_RESULTS": str(ROOT / "benchmarks" / "results")}  # for the notebooks, which run
    return subprocess.run([*command, *options, str(SOURCES), str(BUILD / builder)], env=results).returncode


def main(arguments: list[str]) -> int:
    assemble()
    status = sphinx("html", "-j", "auto")
    if "--linkcheck" in arguments:
        status = status or sphinx("linkcheck")
    if not status:
        print(f"site: {(BUILD / 'html' / 'index.html').relative_to(Path.cwd(), walk_up=True)}")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

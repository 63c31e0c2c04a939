"""Sphinx builds the documentation of some modules of the standard library, and builds it again after a change.

It replaces docutils' functions that look up roles and directives for every document, and puts them back.
"""

import tempfile
from pathlib import Path

from sphinx.cmd.build import main as build

MODULES = (
    *("argparse", "configparser", "contextlib", "csv", "dataclasses", "enum", "fractions", "functools", "json"),
    *("pathlib", "random", "string", "textwrap", "zipfile"),
)
EXTENSIONS = ["sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.viewcode"]


def page(module: str, number: int) -> str:
    others = ", ".join(f":py:mod:`{other}`" for other in MODULES[number % 7 :: 7])
    title = f"{module}\n{'=' * len(module)}\n"
    members = f".. automodule:: {module}\n   :members:\n   :undoc-members:\n"
    return f"{title}\n.. index:: {module}\n\nSee {others}.\n\n{members}"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "source"
        source.mkdir()
        (source / "conf.py").write_text(f"project = 'library'\nextensions = {EXTENSIONS}\n", encoding="utf-8")
        contents = "\n   ".join(MODULES)
        (source / "index.rst").write_text(f"Library\n=======\n\n.. toctree::\n\n   {contents}\n", encoding="utf-8")
        for number, module in enumerate(MODULES):
            (source / f"{module}.rst").write_text(page(module, number), encoding="utf-8")
        arguments = ["-q", "-Q", "-b", "html", str(source), f"{name}/html"]
        assert build(arguments) == 0
        (source / "index.rst").write_text(f"Again\n=====\n\n.. toctree::\n\n   {contents}\n", encoding="utf-8")
        assert build(arguments) == 0
        print(len(list(Path(name, "html").rglob("*.html"))), "pages")


main()

"""Sphinx's configuration. docs/site/build.py puts the sources together, and starts Sphinx."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # header.py

BUILD = Path(__file__).parent.parent.parent / "build" / "site"

project = "depwatch"
author = "depwatch contributors"
copyright = author
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx_copybutton",
    "header",
]
html_theme = "furo"
html_title = "depwatch"
html_static_path = [str(BUILD / "source" / "_static")]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_show_sourcelink = False

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_cache_path = str(BUILD / "executed")
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# No network is needed to build: intersphinx has no inventory, and names of the standard library are no links.
intersphinx_mapping: dict[str, tuple[str, None]] = {}
nitpick_ignore_regex = [
    (r"c:.*", r".*"),  # PyObject, uint32_t
    (r"py:.*", r"(?!depwatch\b).*"),
    (r"py:.*", r"depwatch\.(_core|discovery|assumed|config|entry|recorder|values|notice|lifecycle|integrations)\..*"),
]
linkcheck_ignore = [
    r"https://github\.com/depwatch/.*",
    r"https://depwatch\.github\.io/.*",
]  # not before it is published


_BEGINS = re.compile(r"[\w*., ()_/]{1,40}: |Raises |Source: |Cost: |Returns |Without ")


def text_of(app, what, name, obj, options, lines):  # type: ignore[no-untyped-def]
    """Docstrings are text for a terminal: `name: ...` begins a paragraph; what is laid out in columns stays so."""
    blocks: list[list[str]] = [[]]
    for line in lines:
        if not line.strip():
            blocks.append([])
        elif blocks[-1] and _BEGINS.match(line) and blocks[-1][-1].endswith((".", ")")):
            blocks.append([line.rstrip()])
        else:
            blocks[-1].append(line.rstrip())
    lines[:] = []
    for block in filter(None, blocks):
        if any(line.startswith(" ") or "   " in line for line in block):
            lines += [".. code-block:: text", "", *(f"   {line}" for line in block), ""]
        else:
            lines += [re.sub(r"([*_|\\])", r"\\\1", " ".join(block).replace("`", "")), ""]


def setup(app):  # type: ignore[no-untyped-def]
    app.connect("autodoc-process-docstring", text_of)

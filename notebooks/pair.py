"""Write each notebook's .ipynb from its .py: ./dev python notebooks/pair.py

Without outputs, and with a number for the ID of each cell, so that the same .py always makes the same .ipynb.
"""

from __future__ import annotations

from pathlib import Path

import jupytext
import nbformat

HERE = Path(__file__).parent
NOTEBOOKS = sorted(HERE.glob("[0-9]_*.py"))
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def paired(source: Path) -> str:
    """What the .ipynb of this .py is to be."""
    notebook = jupytext.read(source, fmt="py:percent")
    notebook.metadata = nbformat.from_dict({"jupytext": {"formats": "ipynb,py:percent"}, "kernelspec": KERNEL})
    for i, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{i}"
    text: str = nbformat.writes(notebook, version=4)
    return text + "\n"


if __name__ == "__main__":
    for source in NOTEBOOKS:
        source.with_suffix(".ipynb").write_text(paired(source))

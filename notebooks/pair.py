"""Write each notebook's .ipynb from its .py, executed: ./dev python notebooks/pair.py

With a number for the ID of each cell and no paths or times of this machine, so that a diff shows what has changed.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import jupytext
import nbformat

HERE = Path(__file__).parent
NOTEBOOKS = sorted(HERE.glob("[0-9]_*.py"))
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
LIMIT = 100  # seconds for a cell
_OF_A_CELL = re.compile(r"[\w/.-]*/ipykernel_\d+/\d+\.py")


def paired(source: Path) -> Any:
    """What the .ipynb of this .py is to be, without outputs."""
    notebook = jupytext.read(source, fmt="py:percent")
    notebook.metadata = nbformat.from_dict({"jupytext": {"formats": "ipynb,py:percent"}, "kernelspec": KERNEL})
    for i, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{i}"
    return notebook


def executed(source: Path) -> str:
    """The same, with outputs."""
    from nbclient import NotebookClient  # takes time

    notebook = paired(source)
    metadata = dict(notebook.metadata)
    NotebookClient(notebook, timeout=LIMIT, resources={"metadata": {"path": str(HERE)}}, record_timing=False).execute()
    notebook.metadata = nbformat.from_dict(metadata)
    text: str = nbformat.writes(notebook, version=4)
    return _OF_A_CELL.sub("notebook.py", text) + "\n"


if __name__ == "__main__":
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(HERE.parent), os.environ.get("PYTHONPATH"))))
    for source in NOTEBOOKS:
        source.with_suffix(".ipynb").write_text(executed(source))

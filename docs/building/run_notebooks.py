"""Runs the notebooks and keeps what they show: ``make notebooks``."""

import os
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def main() -> None:
    """Run each in an empty folder, without what earlier studies left."""
    os.environ.pop("MEMTAIL_STORE", None)
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        with tempfile.TemporaryDirectory() as folder:
            resources = {"metadata": {"path": folder}}
            NotebookClient(notebook, timeout=None, resources=resources).execute()
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)  # when each cell ran
        notebook.metadata["language_info"] = {"name": "python"}  # not which version
        nbformat.write(notebook, path)


if __name__ == "__main__":
    main()

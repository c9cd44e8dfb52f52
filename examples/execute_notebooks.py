"""Execute the notebooks beside this file and keep their outputs, the same bytes from the same code.

python examples/execute_notebooks.py [NOTEBOOK ...]
"""

import re
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent
PROGRESS = re.compile(r"\w+: (done|stopped) after ")
"""A finished progress bar: it tells seconds on the wall, which differ from run to run."""


def executed(path: Path) -> nbformat.NotebookNode:
    """Return the notebook as it is after each of its cells was executed, from top to bottom.

    Raises CellExecutionError at the first cell that fails.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": FOLDER}}
    )
    client.execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when each cell was started and ended
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not _is_progress(output)]
    # Versions of this machine's Python are no part of an example.
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    return notebook


def printed(notebook: nbformat.NotebookNode) -> str:
    """Return what the cells of an executed notebook printed and answered, as plain text."""
    parts = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            parts.append(output.get("text") or output.get("data", {}).get("text/plain", ""))
    return "\n".join(parts)


def _is_progress(output: nbformat.NotebookNode) -> bool:
    return bool(PROGRESS.match(output.get("data", {}).get("text/plain", "")))


if __name__ == "__main__":
    for path in [Path(name) for name in sys.argv[1:]] or sorted(FOLDER.glob("*.ipynb")):
        nbformat.write(executed(path), path)
        print(path)

"""Every notebook of the examples executes, and is kept with its outputs."""

from pathlib import Path

import pytest

from tests.support.development_packages import needed

nbformat = needed("nbformat")
needed("nbclient")
needed("ipykernel")

EXAMPLES = Path(__file__).parents[2] / "examples"
PRINTED = {
    "own-matrix.ipynb": ("branches:", "relative error:", "bits:"),
    "drift.ipynb": (
        "programmed:",
        "after 8 hours, as programmed:",
        "after 8 hours, watched:",
        "then reprogrammed:",
    ),
}
"""What each notebook must print at the beginning of a line."""


def test_every_notebook_is_executed():
    assert {path.name for path in EXAMPLES.glob("*.ipynb")} == set(PRINTED)


@pytest.mark.slow
@pytest.mark.parametrize("name", PRINTED)
def test_a_notebook_executes(name):
    from examples.execute_notebooks import executed

    notebook = executed(EXAMPLES / name)
    assert missing(notebook, PRINTED[name]) == []
    assert pictures(notebook) == pictures(nbformat.read(EXAMPLES / name, as_version=4)) > 0


@pytest.mark.parametrize("name", PRINTED)
def test_a_notebook_is_kept_with_its_outputs_and_nothing_of_the_machine(name):
    notebook = nbformat.read(EXAMPLES / name, as_version=4)
    assert missing(notebook, PRINTED[name]) == []
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert all("execution" not in cell.metadata for cell in code)
    assert notebook.metadata.language_info == {"name": "python"}


def missing(notebook, keys):
    """Return the keys that no printed line begins with."""
    from examples.execute_notebooks import printed

    lines = printed(notebook).splitlines()
    return [key for key in keys if not any(line.startswith(key) for line in lines)]


def pictures(notebook):
    """Return the number of pictures that a notebook shows."""
    return sum(
        "image/png" in output.get("data", {})
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    )

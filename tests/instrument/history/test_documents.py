"""Whatever the files of a run say, it is shown, compared and listed, or refused in one line."""

import copy
import json
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from instrument.cli.history_tables import print_comparison, print_figures, print_runs
from instrument.errors import UsageError
from instrument.history import compare_runs, figures_of, read_run, runs_document

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats()
    | st.sampled_from(
        [1e308, -1e308, 1e-320, 10**400, "2026-01-01T00:00:00Z", "[red]\x1b[2J\ud800"]
    )
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def places_in(document, place=()):
    """Every place in a document: the keys and indices that lead to it."""
    yield place
    if isinstance(document, dict):
        for key, value in document.items():
            yield from places_in(value, (*place, key))
    elif isinstance(document, list):
        for index, value in enumerate(document[:2]):
            yield from places_in(value, (*place, index))


def replaced(document, place, value):
    """A document with another value at a place."""
    if not place:
        return value
    changed = copy.copy(document)
    changed[place[0]] = replaced(document[place[0]], place[1:], value)
    return changed


@pytest.fixture(scope="module")
def good(kept_runs, tmp_path_factory):
    return shutil.copytree(kept_runs / "a", tmp_path_factory.mktemp("fuzzed") / "good")


@pytest.mark.parametrize("name", ["run.json", "result.json"])
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_value_in_a_document_is_a_fault_of_ohmsum(good, tmp_path, capsys, name, data):
    document = json.loads((good / name).read_text("utf-8"))
    place = data.draw(st.sampled_from([*places_in(document)]))
    folder = tmp_path / "changed"
    shutil.copytree(good, folder, dirs_exist_ok=True)
    (folder / name).write_text(json.dumps(replaced(document, place, data.draw(VALUES))), "utf-8")
    try:
        run = read_run(folder)
    except UsageError as error:
        said = str(error)
        assert said.startswith(f"{folder / name}: ")
        return
    shown = figures_of(run)
    print_figures(shown, as_json=False)
    print_figures(shown, as_json=True)
    print_runs(runs_document([run]), folder, as_json=False)
    print_comparison(compare_runs(run, read_run(good)).document(), as_json=False)
    assert "\x1b" not in capsys.readouterr().out

"""Tables of text as programs, spreadsheets and people write them: read as meant, or refused."""

import os
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import sparse

from instrument.errors import UsageError
from instrument.files.arrays import check_inputs, load_array
from instrument.files.text_table import decoded, read_table

W = np.array([[0.5, -0.25, 1.0], [0.125, 0.75, -1.0]])

SIZES = array_shapes(min_dims=2, max_dims=2, max_side=5)
VALUES = st.floats(-1e9, 1e9).map(lambda value: value + 0.0)


def number(value, decimal):
    # At least a digit behind the decimal sign: a whole number beside a comma could be half of one.
    return repr(float(value)).replace(".", decimal)


@st.composite
def written(draw):
    """An array of three columns or more, and a text that it is written in."""
    array = draw(
        arrays(float, array_shapes(min_dims=2, max_dims=2, min_side=3, max_side=6), elements=VALUES)
    )
    delimiter, decimal = draw(
        st.sampled_from([(",", "."), (";", "."), (";", ","), ("\t", "."), ("\t", ",")])
        | st.sampled_from([(" ", "."), (" ", ","), (",", '"')])
    )
    cells = [[number(value, "," if decimal == '"' else decimal) for value in row] for row in array]
    if decimal == '"' or draw(st.booleans()):
        cells = [[f'"{cell}"' for cell in row] for row in cells]
    names = draw(st.sampled_from([None, "plain", "pandas"]))
    if names == "pandas":
        cells = [[str(at), *row] for at, row in enumerate(cells)]
    if names:
        width = array.shape[1]
        first = draw(
            st.sampled_from([[f"x{k}" for k in range(width)], list(map(str, range(width)))])
        )
        if names == "plain":
            first = [f"x{k}" for k in range(width)]
        cells.insert(0, [""] * (names == "pandas") + first)
    if delimiter == " " and names == "pandas":
        cells[0][0] = '""'
    end = draw(st.sampled_from(["", delimiter])) if delimiter != " " else ""
    lines = [delimiter.join(row) + end for row in cells]
    if delimiter != " " and draw(st.booleans()):
        lines.insert(0, f"sep={delimiter}")
    if draw(st.booleans()):
        lines = ["# what it is", "", *lines, ""]
    return array, draw(st.sampled_from(["\n", "\r\n", "\r"])).join(lines)


@settings(deadline=None, max_examples=400)
@given(written(), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"]))
def test_whatever_the_dialect_the_numbers_come_back(given_table, encoding):
    array, text = given_table
    np.testing.assert_array_equal(read_table(decoded(text.encode(encoding))).values, array)


@settings(deadline=None, max_examples=300)
@given(arrays(float, SIZES, elements=VALUES))
def test_as_numpy_writes_it(array):
    lines = [",".join(map(repr, row)) for row in array.tolist()]
    np.testing.assert_array_equal(read_table("\n".join(lines)).values, array)


@settings(deadline=None, max_examples=300)
@given(arrays(int, SIZES, elements=st.integers(0, 99)), st.sampled_from([",", ";", "\t", " "]))
def test_whole_numbers_are_never_halves_of_others(array, delimiter):
    text = "\n".join(delimiter.join(map(str, row)) for row in array.tolist())
    try:
        table = read_table(text)
    except ValueError as error:
        assert delimiter == ","
        assert array.shape[1] == 2
        assert "sep=," in str(error)  # noqa: PT017
        table = read_table("sep=,\n" + text)
    np.testing.assert_array_equal(table.values, array)


@settings(deadline=None, max_examples=300)
@given(st.text(alphabet='0123456789.,;- \t\n"#eaE+', max_size=60))
def test_any_text_is_a_table_or_one_error(text):
    try:
        values = read_table(text).values
    except ValueError:
        return
    assert values.ndim == 2
    assert values.size


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0,5\n0,25\n-1,0\n", "3 × 2 numbers, commas between columns or 3 × 1 numbers, one column"),
        ("1,2\n3,4\n", "sep=, or sep=;"),
        ("0,1,2\n0.5,0.25,1\n", "line 1 counts its columns"),
        ("0,1,2\n0.5,0.25,1\n", "Delete it"),
        ("i,a,b\n0,0.5,1\n1,0.25,1\n2,0.25,1\n", "column 1 counts the rows"),
        ("1,0.5\n2,0.25\n3,0.25\n", "column 1 counts the rows"),
        ("1.5,2.5\n3.5,x\n", r"line 2, column 2: 'x' is not a number"),
        ("# W\n\na,b\n1.5,2.5\n3.5,\n", r"line 5, column 2: nothing where a number should be"),
        ("1,5;2,5\n3,5;4.5\n", r"line 2, column 2: '4\.5' is not a number \(semicolons"),
        ("1.5,2.5\n3.5\n", "line 2 has 1 columns, line 1 has 2"),
        ("1.234,5;2\n", "is not a number"),
        ("a,2.5\n1.5,2.5\n", "line 1, column 1: 'a' is not a number"),
        ("a,b\n", "is not a number"),
        ("1_0,2\n", "'1_0' is not a number"),
        # A spreadsheet's errors are no comments, and what stands for a value is no name.
        ("#DIV/0!,0.5\n0.1,0.2\n", r"line 1, column 1: '#DIV/0!' is not a number"),
        ("0.1,0.5,#N/A\n0.1,0.2,#N/A\n", r"line 1, column 3: '#N/A' is not a number"),
        ("0,1;0,5;#NV\n0,1;0,2;#NV\n", r"line 1, column 3: '#NV' is not a number"),
        ("0.1\t#ZAHL!\n0.2\t#ZAHL!\n", r"line 1, column 2: '#ZAHL!' is not a number"),
        ("NA,0.5\nNA,0.1\n", "'NA' is not a number"),
        ("WAHR;0,5\nFALSCH;0,1\n", "'WAHR(;0)?' is not a number"),
        ("0,5, 0,25\n0,1, 0,2\n", r"2 × 4 numbers.* or 2 × 2 numbers"),
        # Thousands or decimals.
        ("1.234;2.345\n3.456;4.567\n", "is 1.234 one thousand or a little more than one"),
        ("1,234\t2,345\n3,456\t4,567\n", "Write 1234, or 1,2340"),
        ('"1,234.5","2,345.5"\n', "'1,234.5' is not a number"),
        # A value that is missing, not an empty column.
        ("a,b,c\n0.1,0.2,\n0.3,0.4,\n", "3 names over 2 columns|nothing where"),
        ("", "no numbers"),
        ("# W\n", "no numbers"),
        ("sep=;\n", "no numbers"),
    ],
)
def test_what_is_no_table_or_could_be_two_is_refused(text, said):
    with pytest.raises(ValueError, match=said):
        read_table(text)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("sep=;\n0,5\n0,25\n", [[0.5], [0.25]]),
        ("sep=,\n0,5\n0,25\n", [[0, 5], [0, 25]]),
        ("w\n0.5\n0.25\n", [[0.5], [0.25]]),
        ("0,5;1\n", [[0.5, 1]]),
        ('"0,5","1"\n', [[0.5, 1]]),
        ("1, 0\n0, 1\n", [[1, 0], [0, 1]]),
        ("1,0,\n0,1,\n", [[1, 0], [0, 1]]),
        ("a,b\n1,0\n0,1\n", [[1, 0], [0, 1]]),
        ("row 1,1,0\nrow 2,0,1\n", [[1, 0], [0, 1]]),
        ("row 1;0,5\nrow 2;0,1\n", [[0.5], [0.1]]),
        (",1,2\n1,0.5,1\n2,0.5,1\n", [[0.5, 1], [0.5, 1]]),  # R's write.csv without names
        (",,\n0.5,1,,\n0.25,1,,\n,,,\n", [[0.5, 1], [0.25, 1]]),  # Excel's empty cells around
        ("0.5|1\n0.25|1\n", [[0.5, 1], [0.25, 1]]),
        ("sep=|\n0,5|1\n0,25|1\n", [[0.5, 1], [0.25, 1]]),
        ("1,0,1 # one\n0,1,1\n", [[1, 0, 1], [0, 1, 1]]),
        ("  1   2\n 10  20\n", [[1, 2], [10, 20]]),
        ("−1.5;+2e-3\n", [[-1.5, 2e-3]]),
        ("a b\n1 0.5 1\n2 0.5 1\n", [[0.5, 1], [0.5, 1]]),  # R's write.table
    ],
)
def test_what_people_have(text, values):
    np.testing.assert_array_equal(read_table(text).values, values)


def test_what_was_taken_is_said(tmp_path, caplog):
    path = tmp_path / "de.csv"
    path.write_bytes("\ufeff;a;b\r\nx;0,5;1\r\ny;0,25;1\r\n".encode())
    caplog.set_level("INFO", "instrument.files.arrays")
    load_array(path)
    (said,) = caplog.messages
    assert said == (
        f"{path}: taken as 2 × 2 numbers, semicolons between columns, decimal comma, "
        "a header line left out, row labels left out"
    )


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.coo_array, sparse.dia_array])
def test_sparse_matrices_of_scipy(tmp_path, kind):
    sparse.save_npz(tmp_path / "w.npz", kind(W))
    np.testing.assert_array_equal(load_array(tmp_path / "w.npz"), W)


def test_a_sparse_matrix_with_indices_beyond_its_shape(tmp_path):
    matrix = sparse.csr_array(W)
    np.savez(
        tmp_path / "w.npz",
        **{"format": b"csr", "shape": (2, 3), "data": matrix.data},
        **{"indices": matrix.indices + 10**6, "indptr": matrix.indptr},
    )
    with pytest.raises(UsageError, match=r"w\.npz: cannot be read as numbers"):
        load_array(tmp_path / "w.npz")


def test_a_sparse_matrix_that_would_fill_the_memory(tmp_path):
    sparse.save_npz(tmp_path / "w.npz", sparse.coo_array(([1.0], ([0], [0])), (10**6, 10**6)))
    with pytest.raises(UsageError, match="too large"):
        load_array(tmp_path / "w.npz")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("w.xlsx", "a spreadsheet: save the sheet as CSV"),
        ("w.ods", "a spreadsheet: save the sheet as CSV"),
        ("w.mat", "MATLAB.*writematrix"),
        ("w.pkl", "Python objects"),
        ("w.jpg", r"ends in \.npy, \.npz or \.csv"),
    ],
)
def test_files_of_others_are_refused_with_the_way_out(tmp_path, name, said):
    (tmp_path / name).write_bytes(b"PK\x03\x04")
    with pytest.raises(UsageError, match=rf"{name}: .*{said}"):
        load_array(tmp_path / name)


def test_a_spreadsheet_called_csv(tmp_path):
    (tmp_path / "w.csv").write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(UsageError, match="save the sheet as CSV"):
        load_array(tmp_path / "w.csv")


@pytest.mark.parametrize("kind", ["npy", "npz", "csv"])
def test_a_pipe_is_what_its_bytes_say(tmp_path, kind):
    source, pipe = tmp_path / f"w.{kind}", tmp_path / "pipe"
    {"npy": np.save, "npz": np.savez, "csv": lambda p, a: np.savetxt(p, a, delimiter=",")}[kind](
        source, W
    )
    os.mkfifo(pipe)
    thread = threading.Thread(target=lambda: pipe.write_bytes(source.read_bytes()))
    thread.start()
    try:
        np.testing.assert_array_equal(load_array(pipe), W)
    finally:
        thread.join()


@pytest.mark.parametrize("size", [1e-60, 1.0, 1e60])
def test_inputs_at_the_limits_of_what_can_be_squared_are_taken(size):
    assert check_inputs(np.array([[size, -size / 3]]), 2, "x").tolist() == [[size, -size / 3]]


@pytest.mark.parametrize("size", [0.999e-60, 1.001e60])
def test_inputs_beyond_the_limits_are_refused(size):
    with pytest.raises(UsageError, match=r"x: the largest input is .*: only 1e-60 to 1e\+60 can"):
        check_inputs(np.array([[size]]), 1, "x")


@pytest.mark.parametrize(
    ("count", "named"), [(2, "a0, a1"), (5, "a0, a1, a2, a3, a4"), (6, "a0, a1, a2, a3, a4, …")]
)
def test_an_archive_of_several_arrays_is_refused_and_up_to_five_are_named(tmp_path, count, named):
    np.savez(tmp_path / "w.npz", **{f"a{k}": W for k in range(count)})
    with pytest.raises(UsageError) as refusal:
        load_array(tmp_path / "w.npz")
    assert str(refusal.value) == f"{tmp_path}/w.npz: holds {count} arrays ({named}), not one"

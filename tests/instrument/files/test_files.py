"""Files that people and earlier runs have written: what is in them comes back, or one error."""

import io
import json
import os
import sys
import tracemalloc
import zipfile
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from instrument.bench_file import BoardConfig, bench_toml, load_bench_config
from instrument.board_calibration.file import (
    NOMINAL_OHMS,
    digest_of,
    load_calibration,
    save_calibration,
)
from instrument.errors import UsageError
from instrument.files.arrays import check_inputs, load_array, random_inputs, random_matrix
from instrument.files.guarded import read_bytes
from tests.support.calibration_files import made_up_calibration

FINITE = st.floats(allow_nan=False, allow_infinity=False, width=64)
WIDE = arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 5)), elements=FINITE)


def leaves(tree, path=""):
    """What a dictionary of dictionaries holds, by the way to it."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


# arrays


@settings(deadline=None, max_examples=50)
@given(array=WIDE)
def test_arrays_come_back_from_every_kind_of_file(folder, array):
    np.save(folder / "a.npy", array)
    np.savez(folder / "a.npz", array)
    np.savez_compressed(folder / "c.NPZ.npz", array)
    np.savetxt(folder / "a.csv", array, delimiter=",", fmt="%.17e")
    for name in ("a.npy", "a.npz", "c.NPZ.npz", "a.csv"):
        np.testing.assert_array_equal(load_array(folder / name), array)


def test_a_csv_as_spreadsheets_write_it(folder):
    (folder / "W.CSV").write_bytes(b"\xef\xbb\xbf1,2\r\n# comment\r\n3e-1,-4\r\n\r\n")
    np.testing.assert_array_equal(load_array(folder / "W.CSV"), [[1, 2], [0.3, -4]])
    (folder / "column.csv").write_text("1\n2\n")
    assert load_array(folder / "column.csv").shape == (2, 1)


@settings(deadline=None, max_examples=150)
@given(
    data=st.binary(max_size=300),
    start=st.sampled_from([b"", b"\x93NUMPY\x01\x00", b"PK\x03\x04", b"1,2\n"]),
    name=st.sampled_from(["r.npy", "r.npz", "r.csv"]),
)
def test_any_bytes_are_an_array_or_one_error(folder, data, start, name):
    path = folder / name
    path.write_bytes(start + data)
    try:
        assert isinstance(load_array(path), np.ndarray)
    except UsageError as error:
        assert str(error).startswith(f"{path}: ")  # noqa: PT017  (either is right)
    with pytest.raises(UsageError, match=r"not a calibration file"):
        load_calibration(path)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        (
            "c.npy",
            b"1 2 3",
            r"c\.npy: cannot be read as numbers \(it does not begin as a \.npy file",
        ),
        (
            "c.csv",
            b"1,2\n3\n",
            r"\(is it one column with decimal commas, or are rows of ",
        ),
    ],
)
def test_what_is_wrong_is_said_without_advice_to_programmers(tmp_path, name, data, said):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UsageError, match=said):
        load_array(tmp_path / name)


def test_an_array_file_that_is_no_calibration_says_what_it_lacks(tmp_path):
    np.savez(tmp_path / "w.npz", np.eye(2))
    with pytest.raises(UsageError, match=r"\(nothing in it is called about\)$"):
        load_calibration(tmp_path / "w.npz")


HEADERS = st.text("{}()[]'\"descr fortran_order:shape,<f8TrueFalse0123456789\\- \n", max_size=80)


@settings(deadline=None, max_examples=150)
@given(header=HEADERS, nesting=st.integers(0, 3000))
def test_any_header_is_an_array_or_one_error(folder, header, nesting):
    text = ("(" * nesting + header + "\n").encode()
    path = folder / "h.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(64))
    try:
        load_array(path)
    except UsageError as error:
        assert str(error).startswith(f"{path}: ")  # noqa: PT017  (either is right)


def test_inputs():
    batch = np.arange(6).reshape(2, 3)
    np.testing.assert_array_equal(check_inputs(batch, 3, "X"), batch.astype(float))
    assert check_inputs(np.array([1, 2, 3]), 3, "X").shape == (1, 3)
    assert check_inputs(np.array([True, False]), None, "X").dtype == np.float64
    for bad in (batch.astype(complex), batch * np.nan, np.zeros((2, 3)), np.ones((2, 4))):
        with pytest.raises(UsageError, match=r"^X: "):
            check_inputs(bad, 3, "X")


def test_random_operands_follow_the_seed():
    weights, inputs = random_matrix(8, 4, 3), random_inputs(8, 3)
    assert weights.shape == (8, 4)
    assert inputs.shape == (256, 8)
    assert (np.abs(weights) <= 1).all()
    assert weights.min() < -0.5 < 0.5 < weights.max()
    np.testing.assert_array_equal(random_matrix(8, 4, 3), weights)
    assert (random_matrix(8, 4, 4) != weights).any()
    assert (weights != inputs[:4].T).any()  # two streams, not one


# calibrations


@settings(deadline=None, max_examples=20)
@given(
    seed=st.integers(0, 2**32),
    shape=st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 6)),
)
def test_a_calibration_comes_back(folder, seed, shape):
    saved = made_up_calibration(seed, shape)
    save_calibration(saved, folder / "c.npz")
    loaded = load_calibration(folder / "c.npz")
    before, after = (dict(leaves(asdict(each))) for each in (saved, loaded))
    before["source"] = str(folder / "c.npz")
    assert before.keys() == after.keys()
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value, err_msg=name)
        assert np.asarray(after[name]).dtype == np.asarray(value).dtype


def test_a_calibration_knows_its_board():
    calibration = made_up_calibration()
    calibration.require(calibration.board)
    for other in ({"serial": "S2"}, {"type": "other"}, {"rows": 4}, {"branches": 6}):
        with pytest.raises(UsageError, match=r"of board bench model S1 .* but on the bench is"):
            calibration.require(replace(calibration.board, **other))


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_a_damaged_calibration_is_one_error_or_the_same_calibration(folder, data):
    """A flipped bit may fall where nothing reads it; what is read is never different."""
    saved = made_up_calibration()
    path = folder / "d.npz"
    save_calibration(saved, path)
    damaged = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    end = data.draw(st.integers(0, len(damaged))) if data.draw(st.booleans()) else len(damaged)
    path.write_bytes(damaged[:end])
    try:
        loaded = load_calibration(path)
    except UsageError as error:
        assert str(error).startswith(f"{path}: ")  # noqa: PT017  (either is right)
    else:
        before, after = (dict(leaves(asdict(each))) for each in (saved, loaded))
        for name in before.keys() - {"source"}:
            np.testing.assert_array_equal(after[name], before[name], err_msg=name)


def members_of(path):
    """What a calibration file holds, and a function that writes it again, its digest made right."""
    with np.load(path) as data:
        members = dict(data)

    def write(**changed):
        changed = members | changed
        arrays = {name: array for name, array in changed.items() if name not in ("about", "sha256")}
        digest = digest_of(str(changed["about"]), arrays)
        np.savez(path, **(changed | {"sha256": np.array(digest)}))

    return members, write


@pytest.fixture(scope="module")
def whole(folder):
    """A calibration file's members, which tests write to a path with changes."""
    path = folder / "whole.npz"
    save_calibration(made_up_calibration(), path)
    return path, *members_of(path)


@pytest.mark.parametrize("name", ["branches.branch_siemens", "noise.columns", "about"])
def test_an_altered_member_is_seen(folder, name):
    path = folder / "altered.npz"
    save_calibration(made_up_calibration(), path)
    members, _ = members_of(path)
    if name == "about":
        members[name] = np.array(str(members[name]).replace("2026-03-14", "2026-03-15"))
    else:
        members[name] = members[name] * (1 + 1e-6) + 1
    np.savez(path, **members)
    with pytest.raises(UsageError, match="altered after it was written"):
        load_calibration(path)


def test_a_file_of_format_5_is_read(whole):
    path, members, _ = whole
    older = {name: array for name, array in members.items() if name not in ("sha256", NOMINAL_OHMS)}
    about = json.loads(str(members["about"]))
    del about["run"]
    older["about"] = np.array(json.dumps(about | {"format": "ohmsum calibration 5"}))
    np.savez(path, **older)
    loaded = load_calibration(path)
    assert (loaded.run, loaded.nominal_ohms) == ("", None)
    np.testing.assert_array_equal(
        loaded.branches.branch_siemens, made_up_calibration().branches.branch_siemens
    )


SHAPE = (3, 4, 5)
CELLS, BRANCHES = SHAPE[:2], made_up_calibration().branches


@pytest.mark.parametrize(
    ("name", "array", "complaint"),
    [
        ("branches.branch_siemens", np.ones((3, 4, 6)), "branch_siemens is of shape"),
        ("branches.open_siemens", np.ones(3), "open_siemens is of shape"),
        ("branches.status", np.ones((3, 4)), "status is of shape"),
        ("branches.status", np.full(SHAPE, "ok"), "status is of type"),
        ("branches.status", np.zeros(SHAPE), "status is of type float64"),
        ("branches.status", np.full(SHAPE, 7), "an unknown status"),
        ("branches.status", np.full(SHAPE, 256), "too large"),
        ("converters.row_status", np.full(3, -1), "an unknown status"),
        ("branches.uncertainty_siemens", np.full(SHAPE, np.nan), "NaN"),
        ("branches.uncertainty_siemens", np.zeros(SHAPE), "zero or negative"),
        ("branches.uncertainty_siemens", np.full(SHAPE, -1e-12), "negative"),
        ("branches.branch_siemens", BRANCHES.branch_siemens * 1000, r"row 1, column 1"),
        ("branches.branch_siemens", -BRANCHES.branch_siemens, "of which the nominal is"),
        ("branches.branch_siemens", BRANCHES.branch_siemens + 0j, "type complex128"),
        ("branches.readings", np.ones(2), "readings is of shape"),
        ("branches.readings", np.array(-1), "readings is negative"),
        ("branches.readings", np.array(1.5), "type float64"),
        ("branches.design", np.full(2, "one"), "design is of shape"),
        ("branches.design", np.array("x" * 201), "design is of type"),
        ("branches.groups", np.ones((3, 4), bool), "groups is of shape"),
        ("branches.groups", np.full((6, 5), 0.5), "groups is of type"),
        ("branches.noise_covariance", np.ones((3, 6)), "noise_covariance is of shape"),
        ("branches.noise_covariance", np.ones((3, 1, 1)) * -np.eye(6), "negative eigenvalues"),
        ("branches.noise_covariance", np.ones((3, 1, 1)) * np.tri(6), "not symmetric"),
        ("branches.drift_covariance", np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]]), "eigenvalues"),
        ("branches.wild_readings", np.ones((4, 3), int), "wild_readings is of shape"),
        ("branches.kelvin_range", np.array([297.0, 296.0]), "kelvin_range is reversed"),
        ("branches.reference_kelvin", np.array(0.0), "reference_kelvin is not positive"),
        ("branches.reference_seconds", np.array(np.inf), "NaN or infinities"),
        ("branches.delay_seconds", np.array(-1.0), "delay_seconds is negative"),
        ("branches.row_volts", np.array(1e300), "which no board measures"),
        ("converters.rows.coefficients", np.ones((4, 4)), "rows.coefficients is of shape"),
        ("converters.rows.coefficients", np.ones((3, 5)), "rows.covariance is of shape"),
        ("converters.columns.covariance", np.ones((4, 4)), "columns.covariance is of shape"),
        ("converters.columns.full_scale", np.ones(4), "full_scale is of shape"),
        ("converters.rows.line_end", np.array(2.0), "line_end is beyond the full scale"),
        ("converters.offsets.row_volts", np.ones(4), "row_volts is of shape"),
        ("converters.offsets.row_uncertainty_volts", -np.ones(3), "volts is negative"),
        ("converters.row_status", np.zeros(4), "row_status is of shape"),
        ("ranges.factors", np.full((4, 4), np.inf), "infinities"),
        ("ranges.factors", np.full((4, 4), 3.0), "gain is not half or twice"),
        ("ranges.ranges_amperes", np.ones(3), "ranges.factors is of shape"),
        ("ranges.ranges_amperes", np.array([1e-3, 1e-4, 1e-5, 1e-6]), "do not ascend"),
        ("noise.settings.line_hertz", np.array(0.0), "line_hertz is not positive"),
        ("noise.mains.uncertainty", np.array(-1.0), "mains.uncertainty is negative"),
        ("nominal_ohms", np.full(5, 1e3), "of which the nominal is"),
        ("about", "{", "not a calibration file"),
        ("about", "[]", "not a calibration file"),
        ("about", "{}", "not a calibration of this version"),
        ("about", '{"format": "ohmsum calibration 1"}', "calibrate again"),
        ("about", '{"format": "ohmsum calibration 4"}', "calibrate again"),
        ("about", '{"format": "ohmsum calibration 5"}', "not a calibration file"),
        ("about", '{"format": "ohmsum calibration 6", "board": {"colour": 3}}', "board.type: "),
    ],
)
def test_a_calibration_that_does_not_hold_together(whole, name, array, complaint):
    path, members, write = whole
    write(**{name: array})
    with pytest.raises(UsageError, match=complaint) as refused:
        load_calibration(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert "\n" not in str(refused.value)
    np.savez(path, **{other: member for other, member in members.items() if other != name})
    with pytest.raises(
        UsageError, match=f"not a calibration file .nothing in it is called '?{name}"
    ):
        load_calibration(path)


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("board_kelvin", float("nan"), "board_kelvin"),
        ("board_kelvin", -3.0, "board_kelvin: "),
        ("bench_seconds", float("inf"), "bench_seconds"),
        ("wall_seconds", -1.0, "wall_seconds: "),
        ("converter_seconds", "fast", "converter_seconds: "),
        ("bytes_moved", -1, "bytes_moved: "),
        ("made_at", "2026-03-14T15:09:26", "made_at: "),
        ("made_at", "0001-01-01T00:00:00+00:00", "0001-01-01|no date"),
        ("made_at", "9999-12-31T23:59:59-12:00", "no date of a measurement"),
        ("made_at", "yesterday", "made_at: "),
        ("joined", ["2026-03-14T15:09:26+00:00"], "joined: a measurement is named twice"),
        ("versions", {"ohmsum": 3}, "versions.ohmsum: "),
        ("colour", "red", "colour: "),
        ("board", {"type": "t", "serial": "s", "rows": 3, "columns": 4, "branches": 0}, "branches"),
        ("board", {"type": "t", "serial": "s", "rows": 3e9, "columns": 4, "branches": 5}, "rows"),
    ],
)
def test_what_a_calibration_says_of_itself(whole, key, value, complaint):
    path, members, write = whole
    about = json.loads(str(members["about"])) | {key: value}
    write(about=np.array(json.dumps(about)))
    with pytest.raises(UsageError, match=complaint) as refused:
        load_calibration(path)
    assert str(refused.value).startswith(f"{path}: not a calibration file (")
    assert "\n" not in str(refused.value)


NUMBERS = st.sampled_from(
    [np.nan, np.inf, -np.inf, -1.0, 0.0, 1e-300, 1e-20, 1e13, 1e300, 2.0**63, -(2.0**63)]
)


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_any_value_in_a_calibration_is_a_possible_one_or_one_error(whole, data):
    """With the digest made right again; what is accepted says again what was written."""
    path, members, write = whole
    name = data.draw(st.sampled_from(sorted(members.keys() - {"about", "sha256"})))
    array = members[name].copy()
    if array.dtype.kind == "f":
        value = data.draw(NUMBERS)
    elif array.dtype.kind in "iu":
        info = np.iinfo(array.dtype)
        value = data.draw(st.sampled_from([info.min, -1, 4, info.max]))
    else:
        value = data.draw(st.sampled_from([True, False])) if array.dtype.kind == "b" else "x"
    if data.draw(st.booleans()):
        array[...] = value
    else:
        array.flat[data.draw(st.integers(0, array.size - 1))] = value
    write(**{name: array})
    try:
        loaded = load_calibration(path)
    except UsageError as error:
        assert str(error).startswith(f"{path}: not a calibration file (")  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017
        return
    after = dict(leaves(asdict(loaded)))
    kept = np.asarray(after[name])
    np.testing.assert_array_equal(kept, array)
    assert kept.dtype.kind != "f" or (np.isfinite(kept).all() and np.abs(kept).max() <= 1e12)


def test_members_that_claim_more_than_there_is(whole):
    path, members, write = whole
    honest = io.BytesIO()
    np.lib.format.write_array(honest, members["branches.open_siemens"])
    lying = honest.getvalue().replace(b"(3, 4)", b"(3000000000, 4)".ljust(6))
    write()
    with zipfile.ZipFile(path) as archive:
        others = {one.filename: archive.read(one) for one in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for other, data in others.items():
            archive.writestr(other, lying if other == "branches.open_siemens.npy" else data)
    with pytest.raises(UsageError, match=r"header claims|cannot be|EOF|header"):
        load_calibration(path)


def test_a_bomb_is_refused_before_it_is_unpacked(folder):
    path = folder / "bomb.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("about.npy", "w", force_zip64=True) as member,
    ):
        for _ in range(513):
            member.write(bytes(1 << 20))
    assert path.stat().st_size < 4 << 20
    tracemalloc.start()
    with pytest.raises(UsageError, match=r"unpacks to 537,919,488 bytes, of at most 536,870,912"):
        load_calibration(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 << 20


@pytest.mark.skipif(sys.platform == "win32", reason="devices of POSIX")
def test_what_is_no_file_is_refused_at_once(folder):
    os.mkfifo(folder / "pipe.npz")
    (folder / "zero.npz").symlink_to("/dev/zero")
    for name, kind in (
        ("pipe.npz", "a pipe"),
        ("zero.npz", "a device"),
        (".", "not the folder of a"),
    ):
        with pytest.raises(UsageError, match=kind) as refused:
            load_calibration(folder / name)
        assert str(refused.value).startswith(f"{folder / name}: ")


def test_reading_stops_at_its_limit(folder):
    path = folder / "long.bin"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # a hole: nothing on the disk
    with pytest.raises(UsageError, match=r"larger than 3,000,000 bytes"):
        read_bytes(path, 3_000_000)
    path.write_bytes(b"x" * 3_000_000)
    assert len(read_bytes(path, 3_000_000)) == 3_000_000


def test_an_encrypted_zip_is_one_error(folder):
    path = folder / "e.npz"
    save_calibration(made_up_calibration(), path)
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        local = archive.infolist()[0].header_offset
    data[local + 6] |= 1
    central = data.rindex(b"PK\x01\x02")
    first = data.index(b"PK\x01\x02")
    assert first <= central
    data[first + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(UsageError, match="not a calibration file"):
        load_calibration(path)


# bench.toml


def test_defaults_of_a_bench_file(folder):
    path = folder / "b.toml"
    path.write_text(bench_toml("TCPIP::192.0.2.7::5025::SOCKET"))
    assert load_bench_config(path).board == BoardConfig(
        resource="TCPIP::192.0.2.7::5025::SOCKET",
        timeout_seconds=5.0,
        row_volts=None,
        nplc=1.0,
        settle_seconds="auto",
        watchdog_seconds=60.0,
    )


@pytest.mark.parametrize(
    "resource",
    [
        "TCPIP0::bench-3.local::5025::SOCKET",
        "tcpip::192.0.2.7::5025::socket",
        "ASRL/dev/serial/by-id/usb-x_y-if00::INSTR",
        "ASRLCOM4::INSTR",
        "ASRL1::INSTR",
    ],
)
def test_names_of_resources(folder, resource):
    path = folder / "r.toml"
    path.write_text(bench_toml(resource))
    assert load_bench_config(path).board.resource == resource


def test_a_bench_file_as_an_editor_on_windows_writes_it(folder):
    path = folder / "w.toml"
    text = bench_toml("ASRLCOM4::INSTR").replace("\n", "\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert load_bench_config(path).board.resource == "ASRLCOM4::INSTR"


@settings(deadline=None, max_examples=100)
@given(data=st.binary(max_size=200), start=st.sampled_from([b"", b"[board]\n", b"board = "]))
def test_any_bytes_are_a_bench_file_or_one_error(folder, data, start):
    path = folder / "any.toml"
    path.write_bytes(start + data)
    with pytest.raises(UsageError) as refused:
        load_bench_config(path)
    assert str(refused.value).startswith(f"{path}: ")

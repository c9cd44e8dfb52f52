"""Requests and answers as bytes: nothing is lost, and no bytes do harm."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from instrument.journal.packed import difference, pack, same, unpack

SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5)
ARRAYS = st.one_of(
    hnp.arrays(np.bool_, SHAPES),
    hnp.arrays(np.int64, SHAPES),
    hnp.arrays(np.float64, SHAPES, elements=st.floats(width=32)),
    hnp.arrays(np.float64, SHAPES, elements=st.floats()),
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**60), 2**60), st.floats(allow_nan=False), st.text()
)
VALUES = st.dictionaries(st.text(min_size=1), st.one_of(SCALARS, ARRAYS), max_size=4)


@given(VALUES, st.booleans())
def test_what_is_packed_comes_back(values, deflated):
    back = unpack(pack(values, deflated=deflated))
    assert same(back, values)
    for name, value in values.items():
        if isinstance(value, np.ndarray):
            assert back[name].dtype == value.dtype
            assert back[name].shape == value.shape


@given(VALUES, st.data())
def test_damaged_bytes_are_refused_or_something_else(values, data):
    whole = bytearray(pack(values))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    try:
        back = unpack(bytes(whole))
    except ValueError:
        return
    assert all(isinstance(name, str) for name in back)


@given(st.binary(max_size=60))
def test_any_bytes_are_refused_in_one_way(data):
    for kind in (b"", b"p", b"d"):
        with suppress(ValueError):
            unpack(kind + data)


def test_a_small_file_that_unpacks_to_much_is_refused(monkeypatch):
    packed = pack({"zeros": np.zeros(100_000, dtype=np.int64)})
    monkeypatch.setattr("instrument.journal.packed.MAX_UNPACKED_BYTES", 1000)
    with pytest.raises(ValueError, match="cut short, or too large"):
        unpack(packed)


def test_readings_take_four_bytes():
    amperes = np.random.default_rng(1).normal(size=1000).astype(np.float32).astype(np.float64)
    assert len(pack({"amperes": amperes}, deflated=False)) < 4 * 1000 + 100


@pytest.mark.parametrize(
    ("now", "then", "words"),
    [
        ({"a": 1.0}, {"a": 2.0}, "a is 1.0, 2.0 is recorded"),
        ({"a": np.zeros(3)}, {"a": np.zeros(4)}, "a has the shape (3,), (4,) is recorded"),
        (
            {"a": np.array([1.0, 2.0])},
            {"a": np.array([1.0, 2.5])},
            "1 of 2 values of a differ, at most by 0.5, the first at (1,): 2.0, 2.5",
        ),
        (
            {"a": np.array([True, False])},
            {"a": np.array([True, True])},
            "1 of 2 values of a differ, the first at (1,)",
        ),
        ({"a": 1}, {"b": 1}, "a is 1, None is recorded; b is None, 1 is recorded"),
    ],
)
def test_a_difference_is_said_in_words(now, then, words):
    assert not same(now, then)
    assert difference(now, then) == words


def test_an_overload_is_like_an_overload():
    assert same({"a": np.array([np.nan, 1.0])}, {"a": np.array([np.nan, 1.0])})

"""The response reader: any split of the bytes, any bytes at all."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.response import MAX_RESPONSE_BYTES, read_response
from drivers.scpi import encode_block

PLAIN = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='#";'))
QUOTED = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='"'))
TEXTS = st.one_of(PLAIN, QUOTED.map(lambda text: f'-113,"{text}"'))
ELEMENTS = st.lists(st.one_of(TEXTS, st.binary()), min_size=1, max_size=5)


class OutOfBytes(Exception):
    pass


def read(data: bytes, chunk_bytes: int) -> list[str | bytes]:
    received, chunks = bytearray(), range(0, len(data), chunk_bytes)
    following = iter(chunks)

    def fill() -> None:
        start = next(following, None)
        if start is None:
            raise OutOfBytes
        received.extend(data[start : start + chunk_bytes])

    return read_response(received, fill)


def written(elements: list[str | bytes], end: bytes) -> bytes:
    parts = [part.encode() if isinstance(part, str) else encode_block(part) for part in elements]
    return b";".join(parts) + end


@settings(deadline=None)
@given(ELEMENTS, st.integers(1, 40), st.sampled_from([b"\n", b"\r\n"]))
def test_elements_survive_any_split(
    elements: list[str | bytes], chunk_bytes: int, end: bytes
) -> None:
    assert read(written(elements, end), chunk_bytes) == elements


@settings(deadline=None)
@given(ELEMENTS, st.data())
def test_every_beginning_asks_for_more(elements: list[str | bytes], data: st.DataObject) -> None:
    whole = written(elements, b"\n")
    size = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(OutOfBytes):
        read(whole[:size], 7)


@settings(deadline=None, max_examples=300)
@given(st.binary(), st.sampled_from([b"", b"\n"]), st.integers(1, 5))
def test_any_bytes_end_in_elements_or_value_error(data: bytes, end: bytes, chunk: int) -> None:
    with contextlib.suppress(ValueError, OutOfBytes):
        assert read(data + end, chunk)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"#0abc\n", "indefinite"),
        (b"#3a12\n", "length"),
        (b"#15abcde,1\n", "does not end there"),
        (b"#9999999999", "more than"),
        (b'0,"No error\n', "string"),
        (b"\xff\xfe\n", "no text"),
        (b"one\ntwo\n", "behind the end"),
    ],
)
def test_what_is_wrong_is_said_at_once(data: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read(data, 4096)


def test_text_without_end_stops_at_the_limit() -> None:
    with pytest.raises(ValueError, match="more than"):
        read(b"x" * (MAX_RESPONSE_BYTES + 100_000), 1 << 20)

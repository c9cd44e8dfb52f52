"""Framing: the messages do not depend on how the stream was torn, and nothing is lost."""

import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from simulator.scpi import Framer, Overrun
from simulator.scpi.blocks import encode_block
from simulator.scpi.framing import MAX_MESSAGE_BYTES, MAX_MESSAGE_TEXT_BYTES

LIMIT = 60

ends = [b"\n", b"\r\n", b"\r", b";"]
openings = [b'"', b"'", b"#", b"#0", b"#1", b"#15", b"#215", b"#9", b"#3", b"#H1F", b"#19\n"]
lengths = [b"#9999999999", b"#71000000", b"#280"]
tokens = st.one_of(
    st.sampled_from([*ends, *openings, *lengths, b"*IDN?", b" "]),
    st.binary(max_size=6),
    st.binary(max_size=30).map(encode_block),
)
streams = st.lists(tokens, max_size=25).map(b"".join)


def feed_torn(framer, stream, cuts):
    edges = [0, *sorted({cut % (len(stream) + 1) for cut in cuts}), len(stream)]
    return [message for a, b in itertools.pairwise(edges) for message in framer.feed(stream[a:b])]


@settings(deadline=None, max_examples=300)
@given(streams, st.lists(st.integers(0, 10_000), max_size=12))
@example(b"#9999999999\n*IDN?\n", [])
@example(b"A #280" + b"\n" * 80 + b"\nB\n", [])
def test_any_split_gives_the_same_messages(stream, cuts):
    whole = list(Framer(LIMIT).feed(stream))
    assert feed_torn(Framer(LIMIT), stream, cuts) == whole
    assert feed_torn(Framer(LIMIT), stream, range(len(stream))) == whole


@settings(deadline=None)
@given(streams)
def test_messages_stand_in_the_stream_one_behind_the_other(stream):
    stream += b"\n"
    position = 0
    for message in Framer().feed(stream):
        if isinstance(message, Overrun):
            break
        assert stream.startswith(message, position)
        position += len(message)
        end = b"\r\n" if stream.startswith(b"\r\n", position) else b"\n"
        assert stream.startswith(end, position)
        position += len(end)
    else:
        assert position == len(stream) or b"#" in stream[position:]


payloads = st.binary(max_size=40)
written = st.tuples(st.sampled_from([b"DATA ", b"X 'it''s #15';DATA ", b"*ESE 1;:D "]), payloads)


@settings(deadline=None)
@given(st.lists(written, min_size=1, max_size=8), st.lists(st.integers(0, 10_000), max_size=8))
def test_well_formed_messages_come_back_whole(parts, cuts):
    messages = [head + encode_block(payload) for head, payload in parts]
    stream = b"".join(
        message + end for message, end in zip(messages, itertools.cycle([b"\n", b"\r\n"]))
    )
    assert feed_torn(Framer(), stream, cuts) == messages


@pytest.mark.parametrize(
    ("stream", "messages"),
    [
        (b"A\nB\r\n\n", [b"A", b"B", b""]),
        (b"A #13\r\n\r\r\nB\n", [b"A #13\r\n\r", b"B"]),
        (b"A #10\r\n", [b"A #10"]),
        (b"A '#15'\nB\n", [b"A '#15'", b"B"]),
        (b"A 'forgotten\nB\n", [b"A 'forgotten", b"B"]),
        (b'A "forgotten\nB\n', [b'A "forgotten', b"B"]),
        (b'A "it\'s #15"\nB\n', [b'A "it\'s #15"', b"B"]),
        (b"A #0ab#15\nB\n", [b"A #0ab#15", b"B"]),
        (b"A #H15\nB\n", [b"A #H15", b"B"]),
        (b"A #2x5\nB\n", [b"A #2x5", b"B"]),
        (b"A #2#11\n\nB\n", [b"A #2#11\n", b"B"]),
        (b"A #3\nB\n", [b"A #3", b"B"]),
        (b"A #15abc\n", []),
        (b"unfinished", []),
    ],
)
def test_where_messages_end(stream, messages):
    assert list(Framer().feed(stream)) == messages


@pytest.mark.parametrize(
    "refused",
    [
        b"A" * 101,
        b"A '" + b"b" * 100,
        b"A #3100" + b"\n" * 100,
        b"A" * 150 + b"#250" + b"\n" * 50 + b"B",
        b"A #41600" + b"\n" * 1600,
        b"A #9999999999",
        b"A #9999999999 'b",
        b"A #41601",
    ],
)
def test_overlong_message_is_discarded_up_to_its_end(refused):
    stream = b"before\n" + refused + b"\nbehind\n"
    assert list(Framer(100).feed(stream)) == [b"before", Overrun(), b"behind"]


def test_message_of_exactly_the_limit_passes():
    assert list(Framer(100).feed(b"A" * 100 + b"\n")) == [b"A" * 100]
    block = b"A #286" + b"\n" * 86
    assert len(block) == 92
    assert list(Framer(92).feed(block + b"\n")) == [block]
    assert list(Framer(91).feed(block + b"\n")) == [Overrun()]


def test_text_outside_blocks_has_a_limit_of_its_own():
    payload = b"\n" * 5000
    wide = b"A " + encode_block(payload) + b";" + encode_block(payload)
    assert list(Framer(text_limit=20).feed(wide + b"\n")) == [wide]
    assert list(Framer(text_limit=14).feed(wide + b"\nB\n")) == [Overrun(), b"B"]
    text = b"A" * MAX_MESSAGE_TEXT_BYTES
    assert list(Framer().feed(text + b"\n" + text + b"A\nB\n")) == [text, Overrun(), b"B"]


def test_limit_of_the_protocol():
    head = b"D #8%08d"
    fits = MAX_MESSAGE_BYTES - len(head % 0)
    for length, expected in [(fits, bytes), (fits + 1, Overrun)]:
        (message,) = Framer().feed(head % length + bytes(length) + b"\n")
        assert isinstance(message, expected)


def test_megabyte_in_single_bytes():
    """Anything that looks at what it holds again with every byte would take hours here."""
    stream = b"D " + encode_block(bytes(10**6)) + b";" * 1000 + b"\n"
    framer = Framer()
    messages = [m for k in range(len(stream)) for m in framer.feed(stream[k : k + 1])]
    assert messages == [stream[:-1]]


def test_discarded_message_is_not_kept():
    framer = Framer(1000)
    assert list(framer.feed(b"A" * 10**6)) == []
    assert sum(len(held) for held in vars(framer).values() if isinstance(held, bytearray)) == 0

"""Identity, error queue, numbers and blocks, over a real socket."""

import contextlib
import math
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers import scpi
from drivers.errors import CommandRefused, InstrumentError, LinkGarbled, LinkTimeout
from drivers.link import Link
from tests.support.wire_peers import SocketPeer, running, serve

NO_ERROR = b'0,"No error"'


class Instrument:
    """Answers from a dictionary; its error queue holds what `refused` units put there."""

    def __init__(self) -> None:
        self.answers: dict[bytes, bytes] = {}
        self.refused: dict[bytes, list[bytes]] = {}
        self.queue: list[bytes] = []

    def __call__(self, message: bytes) -> bytes | None:
        if message in self.answers:
            return self.answers[message]
        replies = []
        for unit in message.split(b";"):
            if unit == b":SYST:ERR?":
                replies.append(self.queue.pop(0) if self.queue else NO_ERROR)
            elif unit in self.refused:
                self.queue += self.refused[unit]
            elif unit.endswith(b"?"):
                replies.append(self.answers.get(unit, b"1"))
        return b";".join(replies) if replies else None


@pytest.fixture(name="instrument")
def _instrument() -> Instrument:
    return Instrument()


@pytest.fixture(name="link")
def _link(instrument: Instrument) -> Iterator[Link]:
    with running(SocketPeer(serve(instrument))) as peer, Link(peer.resource) as link:
        yield link


@pytest.fixture(name="echo_link", scope="module")
def _echo_link() -> Iterator[Link]:
    """Answers ECHO? with what follows it."""
    peer = SocketPeer(serve(lambda message: message.removeprefix(b"ECHO? ")))
    with running(peer), Link(peer.resource, timeout_seconds=0.1) as link:
        yield link


def test_identity_has_four_fields(instrument: Instrument, link: Link) -> None:
    instrument.answers[b"*IDN?"] = b"OHMSUM, CROSSBAR 8x4,B7 ,1.0"
    assert scpi.identity(link) == scpi.Identity("OHMSUM", "CROSSBAR 8x4", "B7", "1.0")


@pytest.mark.parametrize(
    "answer",
    [b"", b"OHMSUM", b"A,B,C", b"A,B,C,D,E", b",,,", b"A" * 300 + b",B,C,D", b"\xffA,B,C,D"],
)
def test_rubbish_is_no_identity(instrument: Instrument, link: Link, answer: bytes) -> None:
    instrument.answers[b"*IDN?"] = answer
    with pytest.raises(LinkGarbled):
        scpi.identity(link)


def test_a_refusal_carries_the_whole_queue_in_order(instrument: Instrument, link: Link) -> None:
    instrument.refused[b"SET 9"] = [
        b'-222,"Data out of range;9 is ""too"" much"',
        b'101,"Interlock open"',
        b'-350,"Queue overflow"',
    ]
    with pytest.raises(CommandRefused) as caught:
        scpi.checked_write(link, "SET 9")
    refused = caught.value
    assert (refused.number, refused.error) == (-222, 'Data out of range;9 is "too" much')
    assert refused.later == ((101, "Interlock open"), (-350, "Queue overflow"))
    assert refused.command == "SET 9"
    assert str(refused).startswith(f"{link.resource}: SET 9 refused: -222, Data out of range")
    scpi.checked_write(link, "SET 1")


def test_a_checked_write_is_one_exchange(link: Link) -> None:
    scpi.checked_write(link, "SET 1")
    assert link.exchanges == 1


def test_a_refused_query_answers_with_its_error_alone(instrument: Instrument, link: Link) -> None:
    instrument.refused[b"DATA?"] = [b'104,"Outputs are off"']
    with pytest.raises(CommandRefused, match="104, Outputs are off"):
        scpi.checked_query_block(link, "DATA?")


def test_checked_queries_return_what_was_asked_for(instrument: Instrument, link: Link) -> None:
    instrument.answers[b"DATA?"] = scpi.encode_block(b';"\n#')
    instrument.answers[b"NAME?"] = b'"a;b"'
    assert scpi.checked_query_block(link, "DATA?") == b';"\n#'
    assert scpi.checked_query(link, "NAME?;DATA?") == ['"a;b"', b';"\n#']
    with pytest.raises(LinkGarbled):
        scpi.checked_query_block(link, "NAME?")


def test_an_answer_where_none_is_due_is_garbled(instrument: Instrument, link: Link) -> None:
    instrument.answers[b"SET 1;:SYST:ERR?"] = b"7;" + NO_ERROR
    with pytest.raises(LinkGarbled, match="SET 1"):
        scpi.checked_write(link, "SET 1")


@pytest.mark.parametrize("entry", [b"", b"OK", b"0", b'x,"No error"', b"0,No error", b"#13abc"])
def test_a_queue_that_makes_no_sense_is_garbled(
    instrument: Instrument, link: Link, entry: bytes
) -> None:
    instrument.answers[b"SET 1;:SYST:ERR?"] = entry
    with pytest.raises(LinkGarbled):
        scpi.checked_write(link, "SET 1")
    assert link.query("NEXT?") == "1"


@pytest.mark.parametrize("zero", [b"+0", b"0.0", b"0E0", b"-0"])
def test_the_numbers_of_the_queue_are_read_as_ieee_488_2_writes_them(
    instrument: Instrument, link: Link, zero: bytes
) -> None:
    instrument.answers = {b":SYST:ERR?": zero + b',"No error"'}
    assert scpi.drain(link) == []


def test_a_queue_without_end_ends(instrument: Instrument, link: Link) -> None:
    instrument.answers[b":SYST:ERR?"] = b'-1,"again"'
    with pytest.raises(LinkGarbled, match="without end"):
        scpi.drain(link)


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**50), 2**50))
def test_numbers_read_as_written(echo_link: Link, number: float, whole: int) -> None:
    assert scpi.real(echo_link, repr(number)) == number
    assert scpi.real(echo_link, f"{number:+.17E}") == number
    assert scpi.integer(echo_link, str(whole)) == whole


@settings(deadline=None)
@given(st.one_of(st.text(max_size=12), st.binary(max_size=12)))
def test_any_text_is_a_finite_number_or_garbled(echo_link: Link, text: str | bytes) -> None:
    with contextlib.suppress(LinkGarbled):
        assert math.isfinite(scpi.real(echo_link, text))


@pytest.mark.parametrize("text", ["nan", "inf", "1e999", "1_000", "", "0x10", "1,2", "٣"])
def test_what_python_would_take_for_a_number_is_garbled(link: Link, text: str) -> None:
    with pytest.raises(LinkGarbled):
        scpi.real(link, text)


@settings(deadline=None, max_examples=40)
@given(st.binary(max_size=100_000))
def test_blocks_round_trip_over_the_wire(echo_link: Link, data: bytes) -> None:
    message = b"ECHO? " + scpi.encode_block(data)
    assert echo_link.query_elements(message, timeout_seconds=5.0) == [data]


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=60), st.integers(0, 10**6))
def test_any_answer_is_read_or_refused_and_the_next_is_right(
    echo_link: Link, answer: bytes, nonce: int
) -> None:
    # What stands behind a line feed in the answer comes as an answer of its own.
    with contextlib.suppress(InstrumentError):
        echo_link.query_elements(b"ECHO? " + answer)
    assert echo_link.query(f"ECHO? {nonce}", timeout_seconds=5.0) == str(nonce)


def test_a_message_shows_blocks_by_their_length() -> None:
    command = b":ROUT:PATT " + scpi.encode_block(b"\n" * 2560) + b",12"
    assert scpi.abbreviated(command) == ":ROUT:PATT <2560 bytes>,12"
    assert scpi.abbreviated("x" * 1000) == "x" * 80 + "…"
    assert scpi.abbreviated(b"#9abc") == "#9abc"


def test_silence_is_a_timeout(instrument: Instrument, link: Link) -> None:
    with pytest.raises(LinkTimeout):
        link.query("SET 1", timeout_seconds=0.1)

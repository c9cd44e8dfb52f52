"""The trace of the bus: every message, readable, and its blocks by length and checksum."""

import base64
import json
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instrument.bus_trace import described, tracing
from instrument.errors import UsageError


def block(data):
    length = str(len(data))
    return b"#%d%s%s" % (len(length), length.encode(), data)


@given(
    st.lists(st.tuples(st.text("ABC?:; 0123456789", max_size=8), st.binary(max_size=300))),
    st.text("ABC", max_size=4),
)
def test_text_and_blocks_come_apart(parts, rest):
    """Whatever a block holds, also what looks like another block."""
    message = b"".join(text.encode() + block(data) for text, data in parts) + rest.encode()
    told = described(message, whole_blocks=True)
    assert [base64.b64decode(each["base64"]) for each in told["blocks"]] == [d for _, d in parts]
    assert [each["bytes"] for each in told["blocks"]] == [len(data) for _, data in parts]
    assert [each["crc32"] for each in told["blocks"]] == [
        f"{zlib.crc32(data):08x}" for _, data in parts
    ]
    assert told["text"] == "".join(f"{text}<{n}>" for n, (text, _) in enumerate(parts)) + rest


@given(st.binary(max_size=100))
def test_any_bytes_are_a_line(data):
    told = described(data)
    assert "\n" not in json.dumps(told)
    assert told["text"].isascii()


def test_a_run_with_a_trace(ohmsum, tmp_path):
    run = ("run", "--bench", "sim:8x4", "--matrix", "random", "--out")
    assert ohmsum(*run, "kept", "--trace", "bus.jsonl", "--trace-blocks").status == 0
    lines = [json.loads(line) for line in (tmp_path / "bus.jsonl").read_text().splitlines()]
    assert {line["direction"] for line in lines} == {"sent", "received"}
    assert lines[0]["text"] == "*IDN?\n"
    assert "OHMSUM,CROSSBAR 8x4" in lines[1]["text"]
    times = [line["seconds"] for line in lines]
    assert all(0 <= later - earlier < 60 for earlier, later in pairwise(times))
    scans = [line for line in lines if ":MEAS:SCAN?" in line["text"]]
    assert all(line["text"].count("<0>") == 1 for line in scans)
    assert len(base64.b64decode(scans[0]["blocks"][0]["base64"])) == scans[0]["blocks"][0]["bytes"]
    before = (tmp_path / "bus.jsonl").read_bytes()
    refused = ohmsum(*run, "other", "--trace", "bus.jsonl")
    assert refused.status == 2
    assert "bus.jsonl: exists already; name a new file with --trace" in refused.err
    assert (tmp_path / "bus.jsonl").read_bytes() == before
    assert not (tmp_path / "other").exists()


def test_no_trace_is_asked_for():
    with tracing(None) as trace:
        assert trace is None


def test_a_file_that_is_there_is_left_alone(tmp_path):
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        tracing(tmp_path / "mine").__enter__()
    assert (tmp_path / "mine").read_text() == "mine"

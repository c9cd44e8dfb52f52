"""`ohmsum sim`: a simulated bench for another terminal."""

import json
import os
import re
import signal
import socket

import numpy as np
import pytest

from drivers.crossbar_board import CrossbarBoard
from instrument.bench_file import load_bench_config
from instrument.cli.sim_server import MARK


@pytest.fixture
def announced():
    """The line that a sim with --json prints when it listens."""

    def read(process):
        line = process.stdout.readline()
        assert line, process.communicate()
        return json.loads(line)

    return read


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_announces_serves_and_stops(start, announced, ended, ask, tmp_path, number):
    process = start("sim", "--board", "8x4", "--seed", "7", "--json")
    said = announced(process)
    board = said["resources"]["board"]
    assert set(board) == {"socket", "serial"}
    assert said["bench"] == str(tmp_path / "bench.toml")
    assert load_bench_config(tmp_path / "bench.toml").board.resource == board["socket"]
    assert ask(board["socket"], "*IDN?") == ["OHMSUM,CROSSBAR 8x4,B000007,1.0"]
    for resource in board.values():
        with CrossbarBoard.open(resource) as opened:
            assert (opened.rows, opened.columns, opened.branches) == (8, 8, 10)

    process.send_signal(number)
    outcome = ended(process)
    assert (outcome.status, outcome.out, outcome.err) == (0, "", "")
    match = re.fullmatch(r"TCPIP::127\.0\.0\.1::(\d+)::SOCKET", board["socket"])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(match[1])), timeout=5)


def test_another_terminal_runs_on_it_and_the_next_sim_replaces_its_file(
    start, announced, ended, ask, all_open_crc, ohmsum, tmp_path
):
    first = announced(start("sim", "--board", "8x4", "--json", "--bench", "b.toml"))
    outcome = ohmsum("run", "--bench", "b.toml", "--matrix", "random", "--json")
    assert outcome.status == 0
    socket_resource = first["resources"]["board"]["socket"]
    assert json.loads(outcome.out)["links"]["board"] == socket_resource
    state = ask(socket_resource, "OUTP?;:ROUT:PATT:CRC?")
    assert state == ["0", str(all_open_crc(8, 8, 10))]

    second = announced(start("sim", "--board", "8x4", "--json", "--bench", "b.toml"))
    assert second["resources"] != first["resources"]
    written = (tmp_path / "b.toml").read_text()
    assert written.startswith(MARK)
    assert second["resources"]["board"]["socket"] in written


def test_it_tells_a_person_what_to_do_next(start, tmp_path):
    process = start("sim", "--board", "8x4", "--bench", "my.toml")
    said = "".join(process.stdout.readline() for _ in range(4))
    assert "Simulated board 8x4, seed 1" in said
    assert re.search(r"socket +TCPIP::127\.0\.0\.1::\d+::SOCKET", said)
    assert re.search(r"serial +ASRL/dev/\S+::INSTR", said)
    assert "ohmsum run --bench my.toml --matrix random" in said


@pytest.mark.parametrize("content", ["", "[board]\nresource = 'mine'\n", " " + MARK, "\udcff"])
def test_a_file_that_is_not_its_own_stays(ohmsum, tmp_path, content):
    path = tmp_path / "bench.toml"
    before = content.encode("utf-8", "surrogateescape")
    path.write_bytes(before)
    outcome = ohmsum("sim", "--board", "8x4", "--json")
    assert outcome.status == 2
    assert outcome.out == ""
    assert outcome.err.startswith("ohmsum: bench.toml")
    assert len(outcome.err.splitlines()) == 1
    assert path.read_bytes() == before


def test_a_port_that_is_taken(ohmsum, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        outcome = ohmsum("sim", "--board", "8x4", "--json", "--port", port)
    assert outcome.status == 2
    assert outcome.out == ""
    assert outcome.err.startswith("ohmsum: ")
    assert f"port {port}" in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert not (tmp_path / "bench.toml").exists()


def test_a_port_of_choice(start, announced):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    said = announced(start("sim", "--board", "8x4", "--json", "--port", port))
    assert said["resources"]["board"]["socket"] == f"TCPIP::127.0.0.1::{port}::SOCKET"


def test_hosts_beyond_the_limit_are_sent_away(start, announced):
    said = announced(start("sim", "--board", "8x4", "--json", "--max-sessions", "1"))
    resource = said["resources"]["board"]["socket"]
    port = int(resource.split("::")[2])
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20) as first,
        socket.create_connection(("127.0.0.1", port), timeout=20) as second,
    ):
        assert second.recv(1) == b""
        first.sendall(b"*IDN?\n")
        assert first.recv(100).startswith(b"OHMSUM")


@pytest.mark.parametrize("bench", ["no/such/folder/bench.toml", "."])
def test_a_bench_file_that_cannot_be_written(ohmsum, bench):
    outcome = ohmsum("sim", "--board", "8x4", "--json", "--bench", bench)
    assert outcome.status == 2
    assert outcome.out == ""
    assert f"{bench}" in outcome.err
    assert len(outcome.err.splitlines()) == 1


@pytest.mark.parametrize("name", ["w.npz", "w.csv", "pipe", "."])
def test_a_truth_replaces_nothing_but_a_truth(ohmsum, tmp_path, name):
    np.savez(tmp_path / "w.npz", w=np.eye(2))
    (tmp_path / "w.csv").write_text("1,0\n0,1\n", "utf-8")
    os.mkfifo(tmp_path / "pipe")
    before = {path.name: path.is_file() and path.read_bytes() for path in tmp_path.iterdir()}
    outcome = ohmsum("sim", "--board", "8x4", "--truth", name)
    assert outcome.status == 2
    assert f"ohmsum: {name}: exists and is not from ohmsum sim" in outcome.err
    after = {path.name: path.is_file() and path.read_bytes() for path in tmp_path.iterdir()}
    assert after == before

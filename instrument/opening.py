"""How a bench is opened, and how it is closed: with everything off, whatever ends it."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Literal, get_args

from calibration.branches import USUAL_SECONDS
from drivers import CrossbarBoard, InstrumentError, OutputsUnproved, Trace
from instrument import interruption
from instrument.arguments import one_of, whole_number
from instrument.bench import Bench
from instrument.bench_file import BenchConfig, BoardConfig, load_bench_config
from instrument.bench_names import SIMULATED
from instrument.board_limits import require_supported
from instrument.errors import UsageError
from instrument.journal import Journal, close_session, record_exchanges, replay_exchanges

LinkKind = Literal["socket", "serial"]
OUTPUTS_OFF = "the outputs are off"
LEFT_TO_ANOTHER = "the board is left to the other host"


def open_bench(
    bench: str | Path,
    *,
    seed: int = 1,
    link: LinkKind = "socket",
    take_over: bool = False,
    journal: Journal | None = None,
    trace: Trace | None = None,
) -> Bench:
    """Open the bench of a bench.toml, or `sim:PRESET`: a bench simulated in this process.

    The simulated bench is reached over a real wire. Use the bench in a `with` statement, or close
    it by `close()`: however it ends, the outputs are off and every switch is open. A bench that is
    left open is closed when Python ends. `seed` and `link` are those of the simulated bench. A
    board that another host works with is refused, unless `take_over` is set, which switches its
    outputs off. With a `journal` every exchange is kept in it; one that holds some already answers
    these, and the board goes on behind them. `trace` is called with every message on the wire.

    Raises UsageError where the file or an argument is wrong, or the journal is of another board;
    InstrumentError where the board does not answer as one, BoardInUse where another host works with
    it.
    """
    if not isinstance(bench, str | os.PathLike):
        raise UsageError(
            f"a bench is the path of a bench.toml or sim:PRESET, not a {type(bench).__name__}"
        )
    name = str(bench)
    seed = whole_number(seed, "seed", minimum=0)
    one_of(link, "link", get_args(LinkKind))
    way_out = ExitStack()
    goes_on = journal is not None and journal.count > 0
    try:
        if name.startswith(SIMULATED):
            resource = way_out.enter_context(_simulated(name.removeprefix(SIMULATED), seed, link))
            config = BenchConfig(board=BoardConfig(resource=resource))
        else:
            config = load_bench_config(Path(bench))
        settings = config.board
        board = CrossbarBoard.open(
            settings.resource,
            timeout_seconds=settings.timeout_seconds,
            watchdog_seconds=settings.watchdog_seconds,
            retries=settings.retries,
            reconnect_seconds=settings.reconnect_seconds,
            take_over=take_over,
            left_on=goes_on,
            trace=trace,
            check=interruption.check,
        )
        way_out.push(_closing(board))
        require_supported(board, settings.resource)
        if settings.row_volts is not None and settings.row_volts > board.row_volts_limit:
            raise UsageError(
                f"{name}: board.row_volts: {settings.row_volts:g} V is beyond the limit of "
                f"{board.identity.serial}, ±{board.row_volts_limit:g} V"
            )
        board.configure(
            aperture_seconds=settings.nplc / board.line_hertz,
            delay_seconds=USUAL_SECONDS
            if settings.fixed_settle_seconds is None
            else settings.fixed_settle_seconds,
        )
        if journal is None:
            opened = Bench(board, config, name, board.spent_seconds(), way_out)
        else:
            simulated = name.startswith(SIMULATED)
            recorded = record_exchanges(journal, board, config, simulated=simulated)
            way_out.push(partial(_note_outcome, journal))
            opened = Bench(
                recorded, config, name, recorded.spent_seconds(), way_out, recorded.clocks
            )
        atexit.register(opened.close_at_exit, os.getpid())
        return opened
    except BaseException as error:
        way_out.__exit__(type(error), error, error.__traceback__)
        raise


def replay_bench(name: str, journal: Journal) -> Bench:
    """Return a bench whose board answers from a journal alone: no hardware is touched.

    `name` is that of the bench that was recorded. Raises UsageError where the journal cannot be
    used.
    """
    board, config = replay_exchanges(journal)
    return Bench(board, config, name, board.spent_seconds(), ExitStack(), board.clocks)


def _note_outcome(
    journal: Journal,
    _kind: type[BaseException] | None,
    error: BaseException | None,
    _at: TracebackType | None,
) -> None:
    close_session(journal, error)


def _closing(
    board: CrossbarBoard,
) -> Callable[[type[BaseException] | None, BaseException | None, TracebackType | None], None]:
    """Return a callback that closes a board and notes on the error whether its outputs are off.

    The error is the one that ended the bench.
    """

    def close(
        _kind: type[BaseException] | None, ended_by: BaseException | None, _at: TracebackType | None
    ) -> None:
        outputs = OUTPUTS_OFF
        try:
            if not board.close():
                outputs = LEFT_TO_ANOTHER
        except InstrumentError as failed:
            if ended_by is None:
                raise
            if isinstance(failed, OutputsUnproved):
                outputs = failed.text
        except BaseException as cut_short:
            cut_short.add_note(
                OUTPUTS_OFF
            )  # board.close() begins again before it lets this error through
            raise
        # An error in a file or in the program needs no such note while the outputs are off.
        if ended_by is not None and (
            outputs != OUTPUTS_OFF
            or isinstance(ended_by, InstrumentError)
            or not isinstance(ended_by, Exception)
        ):
            ended_by.add_note(outputs)

    return close


@contextmanager
def _simulated(preset_name: str, seed: int, link: LinkKind) -> Iterator[str]:
    from simulator.bench import serve_bench
    from simulator.preset import PresetError, load_preset
    from simulator.servers import PtyUnavailableError

    with ExitStack() as stack:
        try:
            preset = load_preset(preset_name)
            simulated = stack.enter_context(serve_bench(preset, seed, (link,)))
        except (PresetError, PtyUnavailableError) as error:
            raise UsageError(str(error)) from error
        yield simulated.resources["board"][link]

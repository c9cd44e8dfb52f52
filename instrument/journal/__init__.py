"""The journal of a run: every exchange with the board, kept before anything is computed from it.

All computation is deterministic. The journal is therefore the checkpoint of a run: the same run,
begun anew, is answered from it, and goes on with the board at the first exchange that is not in it.
Read first: exchanges.py (answered from the journal, then by the board), then recorded_board.py (the
board in front of them). session.py is the processes of a run and the board they met, file.py the
file, packed.py how a request is written.
"""

from instrument.journal.exchanges import Gap, RecordingEnds, RunDiffers
from instrument.journal.file import Journal, copied_for_reading
from instrument.journal.recorded_board import RecordedBoard
from instrument.journal.session import (
    DONE,
    Session,
    close_session,
    record_exchanges,
    replay_exchanges,
    sessions_of,
)

__all__ = [
    "DONE",
    "Gap",
    "Journal",
    "RecordedBoard",
    "RecordingEnds",
    "RunDiffers",
    "Session",
    "close_session",
    "copied_for_reading",
    "record_exchanges",
    "replay_exchanges",
    "sessions_of",
]

"""Boards without a wire, as programs use a driver."""

import threading

from drivers.patterns import pattern_crc


def as_driver(board):
    """Let a board tell which pattern it holds, and lock it, as drivers do; return it."""
    apply, scan = board.apply, board.scan
    board.lock, board.held_crc = threading.RLock(), None

    def note_and_apply(pattern):
        board.held_crc = pattern_crc(pattern)
        apply(pattern)

    def forget_and_scan(*arguments):
        board.held_crc = None
        return scan(*arguments)

    board.apply, board.scan = note_and_apply, forget_and_scan
    return board

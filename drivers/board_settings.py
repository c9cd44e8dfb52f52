"""Setting range, aperture and delay: sent, read back, compared."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivers.board_look import read_settings
from drivers.board_memory import Settings
from drivers.board_state import BoardState, is_printed
from drivers.errors import CommandRefused, SettingDiffers
from drivers.host_session import HostSession
from drivers.link import Link


class Asked(NamedTuple):
    """Settings that are asked for; None leaves one as it is."""

    range_amperes: float | None
    aperture_seconds: float | None
    delay_seconds: float | None

    def units(self) -> list[str]:
        """Return the message units that set them. Raises ValueError for what is no setting."""
        units = []
        for header, value in zip((":CURR:RANG", ":CURR:APER", ":TRIG:DEL"), self, strict=True):
            if value is None:
                continue
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{header} cannot be {value}")
            units.append(f"{header} {float(value)!r}")
        return units


def configure(
    session: HostSession, ranges_amperes: NDArray[np.float64], asked: Asked, *, unless_set: bool
) -> None:
    """Set what is asked for and read it back; with `unless_set`, look first if it is set.

    Raises SettingDiffers where the board then holds another value, CommandRefused where it refuses
    one, and BoardChanged where it holds another value of what was not asked for.
    """
    link, memory = session.link, session.memory
    was_armed = session.armed
    session.hold()
    if unless_set:
        texts = session.settings_texts()
        if _difference(link, texts, ranges_amperes, asked) is None:
            memory.settings = settings_in(link, texts, ranges_amperes)
            return
    try:
        texts = session.settings_texts(*asked.units())
    except CommandRefused:
        memory.settings = settings_in(link, session.settings_texts(), ranges_amperes)
        raise
    settings = settings_in(link, texts, ranges_amperes)
    left = [name for name, value in asked._asdict().items() if value is None]
    expected = BoardState(**{name: getattr(memory.settings, name) for name in left})
    state = BoardState(**{name: getattr(settings, name) for name in left})
    if was_armed and state.differences(expected):
        raise session.explained(state, expected)
    memory.settings = settings
    if (differs := _difference(link, texts, ranges_amperes, asked)) is not None:
        raise differs


def settings_in(link: Link, texts: list[str], ranges_amperes: NDArray[np.float64]) -> Settings:
    """Read how the settings are told. Raises LinkGarbled for a range not in the catalog."""
    settings = read_settings(link, texts)
    nearest = ranges_amperes[np.abs(ranges_amperes - settings.range_amperes).argmin()]
    if not math.isclose(settings.range_amperes, nearest, rel_tol=1e-5):
        raise link.garbled(f"a range that the board does not have: {texts[0][:80]!r}")
    return settings


def _difference(
    link: Link, texts: list[str], ranges_amperes: NDArray[np.float64], asked: Asked
) -> SettingDiffers | None:
    """Return the error for a setting that is told otherwise than it was asked for, or None.

    The range is the smallest that is not below the one that was asked for.
    """
    held, wanted = settings_in(link, texts, ranges_amperes).range_amperes, asked.range_amperes
    if wanted is not None:
        below = ranges_amperes[ranges_amperes < held]
        if wanted > held * (1 + 1e-6) or (len(below) and wanted <= below[-1]):
            return SettingDiffers.of(link.resource, "range (A)", texts[0], wanted)
    for words, text, value in (
        ("aperture (s)", texts[1], asked.aperture_seconds),
        ("settling delay (s)", texts[2], asked.delay_seconds),
    ):
        if value is not None and not is_printed(value, text):
            return SettingDiffers.of(link.resource, words, text, value)
    return None

"""A look at the board: what it tells of its power, its watchdog and its outputs."""

from dataclasses import dataclass

from drivers import scpi
from drivers.board_memory import BoardMemory, Settings
from drivers.board_time import BoardTime
from drivers.link import Link

SETTINGS = ":CURR:RANG?;:CURR:APER?;:TRIG:DEL?"
LOOK = f"*ESR?;:SYST:TIME?;:STAT:QUES:COND?;:OUTP?;:SYST:WATC?;{SETTINGS}"
ANSWERS = LOOK.count("?")
_POWER_ON_BIT, _INTERLOCK_BIT, _WATCHDOG_BIT = 1 << 7, 1 << 9, 1 << 10


@dataclass(frozen=True)
class Look:
    """What a board answered to LOOK."""

    events: int
    """Standard events since they were last read."""
    seconds: float
    condition: int
    """Questionable condition."""
    outputs: bool
    watchdog_seconds: float
    settings: Settings
    questionable: int = 0
    """Questionable events, where they were asked for as well: reading clears them."""

    @property
    def watchdog_has_fired(self) -> bool:
        """Whether the watchdog has fired since the outputs were last switched on."""
        return bool(self.condition & _WATCHDOG_BIT)

    @property
    def watchdog_fired(self) -> bool:
        """Whether the watchdog has fired since somebody looked, or since the outputs were on."""
        return bool((self.condition | self.questionable) & _WATCHDOG_BIT)

    @property
    def interlock_opened(self) -> bool:
        """Whether the interlock is open, or was since somebody looked."""
        return bool((self.condition | self.questionable) & _INTERLOCK_BIT)

    def tells_power_on(self, link: Link) -> bool:
        """Return whether the power came on in this session, where it lasts as long as the power."""
        return link.session_lasts and bool(self.events & _POWER_ON_BIT)

    def power_failed(self, link: Link, memory: BoardMemory, time: BoardTime, *, anew: bool) -> bool:
        """Return whether the board's power has failed since this host set the board.

        Its clock ran backwards; or the session tells; or the settings are those of power-on, and
        `anew` says that this is not another host's work.
        """
        if time.ran_backwards(self.seconds) or self.tells_power_on(link):
            return True
        settings = self.settings
        reset = settings.is_close(memory.power_on) and not settings.is_close(memory.settings)
        return anew and reset


def read_settings(link: Link, texts: list[str]) -> Settings:
    """Read the answers to SETTINGS. Raises LinkGarbled for settings that cannot be."""
    amperes, aperture_seconds, delay_seconds = texts
    return Settings(
        scpi.positive(link, amperes),
        scpi.positive(link, aperture_seconds),
        scpi.real(link, delay_seconds),
    )


def read_look(link: Link, texts: list[str]) -> Look:
    """Read the answers to LOOK. Raises LinkGarbled."""
    events, seconds, condition, outputs, watchdog, *settings = texts
    return Look(
        events=scpi.integer(link, events),
        seconds=scpi.real(link, seconds),
        condition=scpi.integer(link, condition),
        outputs=scpi.boolean(link, outputs),
        watchdog_seconds=scpi.real(link, watchdog),
        settings=read_settings(link, settings),
    )

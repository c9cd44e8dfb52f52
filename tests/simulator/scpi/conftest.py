"""A tiny instrument: a real engine with a few commands of every kind."""

from collections.abc import Callable

import pytest

from simulator.scpi import Block, Boolean, Command, Engine, Integer, Real, ScpiError, Status


class TinyInstrument:
    """Keeps the parameters that its handlers received, for tests to look at."""

    def __init__(self) -> None:
        self.status = Status({101: "Interlock open"})
        self.levels = dict.fromkeys(range(1, 9), 0.0)
        self.received: dict[str, object] = {}
        commands = [
            Command("*IDN?", lambda: "OHMSUM,TINY,0,1.0"),
            Command(
                "SOURce<n>[:VOLTage][:LEVel]",
                self._set_level,
                (Real("V", low=-1.0, high=1.0, default=0.5),),
                suffixes=((1, 8),),
            ),
            Command("SOURce<n>[:VOLTage][:LEVel]?", self.levels.__getitem__, (), ((1, 8),)),
            Command("SOURce:VOLTage:ALL?", lambda: tuple(self.levels.values())),
            self._teller("[SENSe:]CURRent:RANGe", Real("A")),
            self._asker("[SENSe:]CURRent:RANGe"),
            self._teller("[SENSe:]CURRent:APERture", Real("S", low=1e-5, high=10.0)),
            self._asker("[SENSe:]CURRent:APERture"),
            self._teller("FREQuency", Real("HZ")),
            self._teller("RESistance", Real("OHM")),
            self._teller("FACTor", Real()),
            self._teller("COUNt", Integer(-100, 2**32 - 1)),
            self._teller("OUTPut[:STATe]", Boolean()),
            self._teller("DATA", Block()),
            self._asker("DATA"),
            Command(
                "ROUTe<n>:CLOSe<n>[:PORT<n>]",
                lambda *values: self.received.update(close=values),
                (Integer(0, 9), Integer(0, 9, optional=True)),
                suffixes=((1, 2), (0, 3), (1, 4)),
            ),
            Command("FAULT?", lambda: 1 // 0),
            Command("FAULT:ANSWer", lambda: "none was asked for"),
            Command("FAULT:ANSWer?", lambda: None),
            Command("INTerlock", self._refuse),
        ]
        self._engine = Engine(commands, self.status)

    def execute(self, message: bytes) -> bytes:
        return self._engine.execute(message)

    def errors(self) -> list[str]:
        """The queue's entries, oldest first, asked for as a host does."""
        entries = []
        while (entry := self.execute(b"SYST:ERR?")) != b'0,"No error"\n':
            entries.append(entry.decode("ascii").removesuffix("\n"))
        return entries

    def error_numbers(self) -> list[int]:
        return [int(entry.split(",")[0]) for entry in self.errors()]

    def _set_level(self, row: int, volts: float) -> None:
        self.levels[row] = volts

    def _teller(self, header: str, parameter: object) -> Command:
        return Command(header, lambda value: self.received.update({header: value}), (parameter,))

    def _asker(self, header: str) -> Command:
        return Command(header + "?", lambda: self.received.get(header, 0))

    def _refuse(self) -> None:
        raise ScpiError(101, 'door "A"')


@pytest.fixture(scope="session")
def new_instrument() -> Callable[[], TinyInstrument]:
    """Makes a fresh instrument; of session scope so that property tests may use it."""
    return TinyInstrument


@pytest.fixture
def instrument() -> TinyInstrument:
    return TinyInstrument()

"""The commands that every SCPI instrument has and that need only its status."""

from collections.abc import Callable

from simulator.scpi.commands import Command
from simulator.scpi.parameters import Integer
from simulator.scpi.status import Register, Status

_BYTE = (Integer(0, 255),)
_WORD = (Integer(0, 65535),)


def mandatory_commands(status: Status) -> list[Command]:
    """Return the IEEE 488.2 commands, `SYSTem:ERRor`, `SYSTem:VERSion` and `STATus`.

    `*IDN?`, `*RST` and `*TST?` are left to the instrument.
    """

    def set_standard_enable(mask: int) -> None:
        status.standard_enable = mask

    def set_service_enable(mask: int) -> None:
        status.service_enable = mask

    return [
        Command("*CLS", status.clear),
        Command("*ESE", set_standard_enable, _BYTE),
        Command("*ESE?", lambda: status.standard_enable, at_any_time=True),
        Command("*ESR?", status.take_standard_event, at_any_time=True),
        Command("*OPC", status.complete_operation),
        Command("*OPC?", lambda: True),
        Command("*SRE", set_service_enable, _BYTE),
        Command("*SRE?", lambda: status.service_enable, at_any_time=True),
        Command("*STB?", lambda: status.byte, at_any_time=True),
        Command("*WAI", lambda: None),
        Command("SYSTem:ERRor[:NEXT]?", status.next_error, at_any_time=True),
        Command("SYSTem:ERRor:COUNt?", lambda: status.count, at_any_time=True),
        Command("SYSTem:VERSion?", lambda: "1999.0", at_any_time=True),
        Command("STATus:PRESet", status.preset),
        *_register_commands("STATus:QUEStionable", lambda: status.questionable),
        *_register_commands("STATus:OPERation", lambda: status.operation),
    ]


def _register_commands(path: str, register: Callable[[], Register]) -> list[Command]:
    def set_enable(mask: int) -> None:
        register().enable = mask

    return [
        Command(f"{path}[:EVENt]?", lambda: register().take_event(), at_any_time=True),
        Command(f"{path}:CONDition?", lambda: register().condition, at_any_time=True),
        Command(f"{path}:ENABle", set_enable, _WORD),
        Command(f"{path}:ENABle?", lambda: register().enable, at_any_time=True),
    ]

"""The state that a board reports, and its differences from the state that was set."""

from dataclasses import dataclass, fields

from drivers import scpi
from drivers.link import Link

_MAX_ROUNDING_SHARE = 1e-3
"""Maximum share of a setting that rounding to the printed digits may change."""


@dataclass(frozen=True)
class BoardState:
    """The settings that readings depend on. In an expected state, None stands for any value."""

    outputs: bool | None = None
    watchdog_seconds: float | None = None
    range_amperes: float | None = None
    aperture_seconds: float | None = None
    delay_seconds: float | None = None
    pattern_crc: int | None = None
    scan_points: int | None = None
    watchdog_owner: str | None = None

    def names(self) -> tuple[str, ...]:
        """Return the names of the fields that are not None."""
        return tuple(field.name for field in fields(self) if getattr(self, field.name) is not None)

    def differences(self, expected: "BoardState") -> list[str]:
        """Return the differences from the expected state, in words."""
        return [
            f"{_WORDS[field.name]} {_shown(is_now)}, {_shown(was_set)} was set"
            for field in fields(self)
            if (was_set := getattr(expected, field.name)) is not None
            and (is_now := getattr(self, field.name)) != was_set
        ]


_WORDS = {
    "outputs": "outputs are",
    "watchdog_seconds": "watchdog (s) is",
    "range_amperes": "range (A) is",
    "aperture_seconds": "aperture (s) is",
    "delay_seconds": "settling delay (s) is",
    "pattern_crc": "CRC of the pattern is",
    "scan_points": "length of the scan list is",
    "watchdog_owner": "owner of the watchdog is",
}
_QUERIES = {
    "outputs": ":OUTP?",
    "watchdog_seconds": ":SYST:WATC?",
    "range_amperes": ":CURR:RANG?",
    "aperture_seconds": ":CURR:APER?",
    "delay_seconds": ":TRIG:DEL?",
    "pattern_crc": ":ROUT:PATT:CRC?",
    "scan_points": ":ROUT:SCAN:POIN?",
    "watchdog_owner": ":SYST:WATC:OWN?",
}


def state_queries(names: tuple[str, ...]) -> str:
    """Return the message units that query these fields of a BoardState."""
    return ";".join(_QUERIES[name] for name in names)


def read_state(link: Link, names: tuple[str, ...], answers: list[str | bytes]) -> BoardState:
    """Read the answers to state_queries(names). Raises LinkGarbled."""
    if len(answers) != len(names):
        raise link.garbled(f"{len(answers)} answers to {state_queries(names)}")
    read: dict[str, bool | int | float | str] = {}
    for name, answer in zip(names, answers, strict=True):
        if name == "outputs":
            read[name] = scpi.boolean(link, answer)
        elif name in ("pattern_crc", "scan_points"):
            read[name] = scpi.integer(link, answer)
        elif name == "watchdog_owner":
            read[name] = watchdog_owner(link, answer)
        else:
            read[name] = scpi.real(link, answer)
    return BoardState(**read)  # type: ignore[arg-type]


def watchdog_owner(link: Link, answer: str | bytes) -> str:
    """Read NOB (nobody), OWN (this session) or OTH (another live one). Raises LinkGarbled."""
    owner = answer.strip().upper()[:3] if isinstance(answer, str) else ""
    if owner not in ("NOB", "OWN", "OTH"):
        raise link.garbled(f"no owner of a watchdog: {answer[:80]!r}")
    return owner


def is_printed(wanted: float, text: str) -> bool:
    """Return whether `text` may be how an instrument prints a setting of `wanted`."""
    mantissa, _, exponent = text.strip().lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    # Parsed, not computed: a power of ten with an exponent off the wire may overflow.
    half_a_digit = float(f"5e{int(exponent or 0) - decimals - 1}")
    allowed = max(1e-6 * wanted, min(half_a_digit * 1.001, _MAX_ROUNDING_SHARE * wanted))
    return abs(float(text) - wanted) <= allowed


def _shown(value: bool | float | str) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g}"
    words = {"NOB": "nobody", "OWN": "this host", "OTH": "another host"}
    return words.get(str(value), str(value))

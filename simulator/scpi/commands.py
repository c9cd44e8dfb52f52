"""Commands as an instrument declares them, and the tree in which their headers are found."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from simulator.scpi.errors import ScpiError
from simulator.scpi.keywords import forms
from simulator.scpi.parameters import Parameter
from simulator.scpi.parser import MAX_KEYWORD_CHARACTERS, Element, Header, Keyword
from simulator.steps import Steps

AnswerPart = str | bool | int | float | bytes
Answer = AnswerPart | tuple[AnswerPart, ...] | None
Handler = Callable[..., Answer | Steps[Answer]]

_OPTIONAL_NODE = re.compile(r"\[([^\[\]]*)\]")
_NUMBERED = re.compile(r"(.*?)(?:<(\d+)>)?")


@dataclass(frozen=True)
class Command:
    """A header and its handler; the header is written as in `[SENSe:]CURRent<n>:RANGe?`.

    The handler gets the numeric suffixes (an int for each `<n>`, within the inclusive limits that
    `suffixes` gives in the same order), then the parameters. A query's handler returns its answer,
    another one None; a handler that takes long returns steps that end with the same. Raises
    ValueError if limits or optional parameters do not fit the header.
    """

    header: str
    handler: Handler
    parameters: tuple[Parameter, ...] = ()
    suffixes: tuple[tuple[int, int], ...] = ()
    at_any_time: bool = False
    """Whether it is a query that changes nothing and depends on no half executed message."""

    def __post_init__(self) -> None:
        if self.header.count("<n>") != len(self.suffixes):
            raise ValueError(f"{self.header}: one pair of suffix limits for each <n>, please")
        optional = [parameter.optional for parameter in self.parameters]
        if optional != sorted(optional):
            raise ValueError(f"{self.header}: an optional parameter before one that is not")

    @property
    def query(self) -> bool:
        """Whether the header is that of a query."""
        return self.header.endswith("?")

    def suffix_values(self, given: tuple[int, ...]) -> tuple[int, ...]:
        """Return the suffixes. Raises ScpiError -114 unless all are within their limits."""
        for value, (low, high) in zip(given, self.suffixes, strict=True):
            if not low <= value <= high:
                raise ScpiError(-114, f"allowed: {low} to {high}")
        return given

    def parameter_values(self, elements: list[Element]) -> list[object]:
        """Return one value per parameter. Raises ScpiError -108, -109, or that of a parameter."""
        if len(elements) > len(self.parameters):
            raise ScpiError(-108, f"{len(elements)} given, {len(self.parameters)} allowed")
        left_out = self.parameters[len(elements) :]
        if not all(parameter.optional for parameter in left_out):
            raise ScpiError(-109, f"{len(elements)} given")
        values = [
            parameter.convert(element)
            for parameter, element in zip(self.parameters, elements, strict=False)
        ]
        return values + [None] * len(left_out)


class Route(NamedTuple):
    """A command, and the place of each of its suffixes in a header's path (None: left out)."""

    command: Command
    positions: tuple[int | None, ...]


@dataclass
class Node:
    """One keyword of the tree; `children` holds each child under its short and its long form."""

    spelling: tuple[str, str] = ("", "")
    children: dict[str, "Node"] = field(default_factory=dict)
    routes: dict[bool, Route] = field(default_factory=dict)  # by whether it is the query


class Level(NamedTuple):
    """The node at which a unit without a leading colon continues."""

    node: Node
    suffixes: tuple[int | None, ...]


class CommandTree:
    """All headers of an instrument. Raises ValueError if two commands claim the same header."""

    def __init__(self, commands: Iterable[Command]) -> None:
        self.root = Level(Node(), ())
        for command in commands:
            for path in _paths(command.header):
                _insert(self.root.node, path, command)

    def find(self, header: Header, level: Level) -> tuple[Command, tuple[int, ...], Level]:
        """Return command, suffixes and the level behind it. Raises ScpiError -113 without one."""
        start = self.root if header.absolute or header.common else level
        parent = _walk(start, header.keywords[:-1])
        leaf = _walk(parent, header.keywords[-1:]) if parent else None
        route = leaf.node.routes.get(header.query) if leaf else None
        if parent is None or leaf is None or route is None:
            raise _undefined(header)
        numbered = {position for position in route.positions if position is not None}
        if any(n is not None and k not in numbered for k, n in enumerate(leaf.suffixes)):
            raise _undefined(header)
        suffixes = tuple(
            1 if position is None else _default_one(leaf.suffixes[position])
            for position in route.positions
        )
        return route.command, suffixes, level if header.common else parent


def _default_one(suffix: int | None) -> int:
    return 1 if suffix is None else suffix


def _walk(level: Level, keywords: tuple[Keyword, ...]) -> Level | None:
    node = level.node
    for keyword in keywords:
        if keyword.name not in node.children:
            return None
        node = node.children[keyword.name]
    return Level(node, level.suffixes + tuple(keyword.suffix for keyword in keywords))


def _undefined(header: Header) -> ScpiError:
    shown = ":".join(
        keyword.name + ("" if keyword.suffix is None else str(keyword.suffix))
        for keyword in header.keywords[:8]
    )
    return ScpiError(-113, shown[:40] + ("?" if header.query else ""))


def _paths(header: str) -> Iterator[list[tuple[str, int | None]]]:
    """Yield every path of a header: optional nodes in or out, an ordinal for each `<n>`."""
    parts = header.removesuffix("?").split("<n>")
    numbered = parts[0] + "".join(f"<{k}>{part}" for k, part in enumerate(parts[1:]))
    for variant in _variants(numbered):
        path = []
        for keyword in variant.strip(":").split(":"):
            match = _NUMBERED.fullmatch(keyword)
            assert match is not None  # the pattern accepts every text
            path.append((match[1], None if match[2] is None else int(match[2])))
        yield path


def _variants(header: str) -> Iterator[str]:
    option = _OPTIONAL_NODE.search(header)
    if option is None:
        yield header
        return
    for content in (option[1], ""):
        yield from _variants(header[: option.start()] + content + header[option.end() :])


def _insert(node: Node, path: list[tuple[str, int | None]], command: Command) -> None:
    for keyword, _ in path:
        node = _child(node, keyword, command.header)
    if command.query in node.routes:
        raise ValueError(f"{command.header} is declared twice")
    ordinals = [ordinal for _, ordinal in path]
    positions = tuple(
        ordinals.index(k) if k in ordinals else None for k in range(len(command.suffixes))
    )
    node.routes[command.query] = Route(command, positions)


def _child(node: Node, keyword: str, header: str) -> Node:
    short, long = spelling = forms(keyword)
    if long[-1].isdigit() or len(long.lstrip("*")) > MAX_KEYWORD_CHARACTERS:
        raise ValueError(f"{header}: {keyword} ends with a digit or is too long")
    child = node.children.get(short) or node.children.get(long) or Node(spelling)
    if child.spelling != spelling:
        raise ValueError(f"{header}: {keyword} cannot be told from {child.spelling[1]}")
    node.children[short] = node.children[long] = child
    return child

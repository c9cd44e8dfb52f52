"""Small changes to source code that alter what it does, and the tests that should notice.

A change replaces one piece of a file's text, so that the rest of the file, its comments and line
numbers stay as they are. Left alone is what says something and does nothing: docstrings, type
annotations, decorators, imports, `__all__`, texts, and the arguments of `raise` and of log calls.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

PACKAGES = ("ohmsum", "instrument", "drivers", "simulator", "calibration", "kirchhoff")

COMPARISONS = {
    ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"), ast.In: ("in", "not in"), ast.NotIn: ("not in", "in"),
}  # fmt: skip
ARITHMETIC = {
    ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "/"), ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "/"), ast.Mod: ("%", "//"), ast.Pow: ("**", "*"), ast.MatMult: ("@", "*"),
    ast.BitAnd: ("&", "|"), ast.BitOr: ("|", "&"), ast.LShift: ("<<", ">>"),
    ast.RShift: (">>", "<<"),
}  # fmt: skip
OPPOSITES = {
    "min": "max", "minimum": "maximum", "any": "all", "floor": "ceil", "argmin": "argmax",
}  # fmt: skip
OPPOSITES |= {other: name for name, other in OPPOSITES.items()}
LOGS = ("_log", "log", "logging", "warnings")


@dataclass(frozen=True)
class Mutation:
    """One change: the text between two offsets of a file becomes another one."""

    path: str
    """Relative to the root of the tree, with slashes."""
    line: int
    start: int
    """Bytes from the beginning of the file."""
    before: str
    after: str

    def apply(self, root: Path) -> None:
        """Change the file in the tree at `root`.

        Raises ValueError where the file does not hold `before` at `start`.
        """
        file = root / self.path
        file.write_bytes(self.applied_to(file.read_bytes()))

    def applied_to(self, source: bytes) -> bytes:
        """Return the changed text of the file; see `apply`."""
        end = self.start + len(self.before.encode())
        if source[self.start : end] != self.before.encode():
            raise ValueError(f"{self.path}:{self.line} does not hold {self.before!r}")
        return source[: self.start] + self.after.encode() + source[end:]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def draw(root: Path, seed: int, count: int) -> list[Mutation]:
    """Draw `count` different mutations: a package by its number of lines, then a place in it.

    A larger count with the same seed begins with the same mutations.

    Raises ValueError where a tree has fewer places to change.
    """
    stream = random.Random(seed)
    lines, places = {}, {}
    for package in PACKAGES:
        files = sorted((root / package).rglob("*.py"))
        lines[package] = sum(len(file.read_text().splitlines()) for file in files)
        places[package] = [m for f in files for m in mutations(f.relative_to(root).as_posix(), f)]
    drawn: list[Mutation] = []
    while len(drawn) < count and any(places.values()):
        (package,) = stream.choices(PACKAGES, weights=[lines[p] for p in PACKAGES])
        if not places[package]:
            continue
        mutation = places[package].pop(stream.randrange(len(places[package])))
        if _compiles(mutation.applied_to((root / mutation.path).read_bytes())):
            drawn.append(mutation)
    if len(drawn) < count:
        raise ValueError(f"there are fewer than {count} places to change")
    return drawn


def mutations(path: str, file: Path) -> list[Mutation]:
    """Return every mutation of a file, in the order of its text."""
    source = file.read_bytes()
    every = _Finder(path, source).found
    unique = {(m.start, m.before, m.after): m for m in every}
    return [mutation for _, mutation in sorted(unique.items())]


def _compiles(source: bytes) -> bool:
    try:
        compile(source, "mutated", "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return True


class _Finder(ast.NodeVisitor):
    """Collects the mutations of one file."""

    def __init__(self, path: str, source: bytes) -> None:
        self.path = path
        self.source = source
        self.line_starts = [0]
        for line in source.splitlines(keepends=True):
            self.line_starts.append(self.line_starts[-1] + len(line))
        self.found: list[Mutation] = []
        self.returns_nothing = False
        self.visit(ast.parse(source))

    def offset(self, line: int, column: int) -> int:
        return self.line_starts[line - 1] + column

    def span(self, node: Any) -> tuple[int, int]:
        return (
            self.offset(node.lineno, node.col_offset),
            self.offset(node.end_lineno, node.end_col_offset),
        )

    def text(self, node: Any) -> str:
        start, end = self.span(node)
        return self.source[start:end].decode()

    def add(self, start: int, before: str, after: str) -> None:
        line = self.source.count(b"\n", 0, start) + 1
        self.found.append(Mutation(self.path, line, start, before, after))

    def replace(self, node: Any, after: str) -> None:
        self.add(self.span(node)[0], self.text(node), after)

    def replace_operator(self, left: Any, right: Any, names: tuple[str, str]) -> None:
        """Replace the operator between two nodes; parentheses may stand beside it."""
        start, end = self.span(left)[1], self.span(right)[0]
        between = self.source[start:end]
        at = between.find(names[0].encode())
        if at >= 0 and b"#" not in between:
            self.add(start + at, *names)

    # What says something and does nothing.

    def leave(self, node: ast.AST) -> None:
        """Look no further."""

    visit_Import = visit_ImportFrom = visit_Raise = visit_JoinedStr = visit_Assert = leave

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        names = [t.id for t in node.targets if isinstance(t, ast.Name)]
        if "__all__" not in names and not self.is_type(node.value):
            self.generic_visit(node)

    def is_type(self, node: ast.expr) -> bool:
        """Say whether a value could be a type alias: names, subscripts and bars alone."""
        inner = (ast.Name, ast.Attribute, ast.Subscript, ast.BinOp, ast.BitOr, ast.Load, ast.Tuple)
        text = self.text(node)
        return ("|" in text or text[:1].isupper()) and all(
            isinstance(n, inner) or (isinstance(n, ast.Constant) and n.value is None)
            for n in ast.walk(node)
        )

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for statement in node.body:
            self.visit(statement)

    def visit_FunctionDef(self, node: Any) -> None:
        outer = self.returns_nothing
        inside = [
            n for n in ast.walk(node) if isinstance(n, ast.Return | ast.Yield | ast.YieldFrom)
        ]
        self.returns_nothing = not any(n.value for n in inside)
        for default in [*node.args.defaults, *filter(None, node.args.kw_defaults)]:
            self.visit(default)
        for statement in node.body:
            self.visit(statement)
        self.returns_nothing = outer

    visit_AsyncFunctionDef = visit_FunctionDef

    # What is done.

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant) or self.is_log(node.value):
            return
        self.replace(node, "return" if self.returns_nothing else "pass")
        self.generic_visit(node)

    def is_log(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Call) and self.text(node.func).split(".")[0] in LOGS

    def visit_Compare(self, node: ast.Compare) -> None:
        operands = [node.left, *node.comparators]
        for left, operator, right in zip(operands, node.ops, operands[1:], strict=False):
            self.replace_operator(left, right, COMPARISONS[type(operator)])
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        texts = isinstance(node.left, ast.JoinedStr) or (
            isinstance(node.left, ast.Constant) and isinstance(node.left.value, str | bytes)
        )
        if not texts:
            self.replace_operator(node.left, node.right, ARITHMETIC[type(node.op)])
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        before, after = ARITHMETIC.get(type(node.op), ("", ""))
        if before:
            self.replace_operator(node.target, node.value, (before + "=", after + "="))
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        names = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            self.replace_operator(left, right, names)
        self.generic_visit(node)

    def negate(self, test: ast.expr) -> None:
        if self.text(test) != "TYPE_CHECKING":
            self.replace(test, f"(not ({self.text(test)}))")

    def visit_If(self, node: Any) -> None:
        if self.text(node.test) != "TYPE_CHECKING":
            self.negate(node.test)
            self.generic_visit(node)

    visit_While = visit_IfExp = visit_If

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self.negate(test)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        self.replace(node, self.text(node.operand))
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool):
            self.replace(node, str(not node.value))
        elif isinstance(node.value, int):
            self.replace(node, str(node.value + 1))
        elif isinstance(node.value, float):
            self.replace(node, repr(2 * node.value or 1.0))

    def visit_Slice(self, node: ast.Slice) -> None:
        for bound in (node.lower, node.upper):
            if bound is not None and not isinstance(bound, ast.Constant):
                self.replace(bound, f"({self.text(bound)}) + 1")
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if self.is_log(node):
            return
        function = node.func
        name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
        if name in OPPOSITES:
            start = self.span(function)[1] - len(name)
            self.add(start, name, OPPOSITES[name])
        self.generic_visit(node)


class Imports:
    """Who imports whom in a tree, through the doors of rooms, and how near a test is to a file."""

    def __init__(self, root: Path) -> None:
        self.root = root
        folders = (*PACKAGES, "tests", "benchmarks")
        files = sorted(f for folder in folders for f in (root / folder).rglob("*.py"))
        self.files = {self.module(file): file for file in files}
        self.trees = {name: ast.parse(file.read_bytes()) for name, file in self.files.items()}

    def module(self, file: Path) -> str:
        parts = file.relative_to(self.root).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @cached_property
    def importers(self) -> dict[str, set[str]]:
        """The modules that import each module, anywhere in their text."""
        importers: dict[str, set[str]] = {name: set() for name in self.files}
        for name, tree in self.trees.items():
            for node in ast.walk(tree):
                for imported in self.imported(name, node):
                    importers[imported].add(name)
            for conftest in self.conftests(name):
                importers[conftest].add(name)
        return importers

    def conftests(self, module: str) -> list[str]:
        """Return the modules whose fixtures pytest hands to a test."""
        parts = module.split(".")
        names = [".".join([*parts[:end], "conftest"]) for end in range(1, len(parts))]
        return [name for name in names if name in self.files and name != module]

    def imported(self, module: str, node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name in self.files)
        elif isinstance(node, ast.ImportFrom) and node.module in self.files:
            for alias in node.names:
                if (home := self.home(node.module, alias.name)) != module:
                    yield home

    def home(self, module: str, name: str) -> str:
        """Return the module in which what `module` calls `name` is defined."""
        if f"{module}.{name}" in self.files:
            return f"{module}.{name}"
        for node in self.trees[module].body:
            if isinstance(node, ast.ImportFrom) and node.module in self.files:
                for alias in node.names:
                    if (alias.asname or alias.name) == name:
                        return self.home(node.module, alias.name)
        return module

    def tests_of(self, path: str) -> list[str]:
        """Return the paths of the test files that import a file, the nearest first.

        First comes the test that mirrors it, then by the number of imports between; of as many,
        those that stand in the nearest folder, and of these those that name it most often.
        """
        target = self.module(self.root / path)
        distance, ring, steps = {target: 0}, {target}, 0
        while ring:
            steps += 1
            ring = {i for module in ring for i in self.importers[module]} - distance.keys()
            distance |= dict.fromkeys(ring, steps)
        mirror = Path("tests", path).parts[:-1]
        own = f"test_{Path(path).stem}.py"
        ranked = []
        for module, file in self.files.items():
            if not file.name.startswith("test_"):
                continue
            folder = file.relative_to(self.root).parts[:-1]
            shared = sum(1 for _ in _common(folder, mirror))
            is_mirror = file.name == own and folder == mirror
            is_beside = folder == mirror and len(mirror) > 2
            near = 0 if is_mirror else distance.get(module, 2 if is_beside else None)
            if near is not None:
                named = file.read_text().lower().count(Path(path).stem.strip("_"))
                ranked.append((near, -shared, -named, file.relative_to(self.root).as_posix()))
        return [name for *_, name in sorted(ranked)]


def _common(left: tuple[str, ...], right: tuple[str, ...]) -> Iterator[str]:
    for a, b in zip(left, right, strict=False):
        if a != b:
            return
        yield a

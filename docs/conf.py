"""How Sphinx makes the site of these pages: `make docs` writes it to build/docs."""

import re
import textwrap
from importlib.metadata import version as version_of
from typing import Any

project = "ohmsum"
author = "the authors of ohmsum"
release = version = version_of("ohmsum")

extensions = ["myst_parser", "sphinx.ext.autodoc"]
# Links to headings are checked, too: `page.md#heading`.
myst_heading_anchors = 4

html_theme = "furo"
html_title = f"ohmsum {release}"
html_show_sourcelink = False
html_show_copyright = False

autodoc_member_order = "bysource"
autodoc_default_options = {"undoc-members": True}
autodoc_typehints_format = "short"
autodoc_type_aliases = {"Floats": "Floats", "Ints": "Ints", "Bools": "Bools"}
default_role = "code"

CODE = re.compile(r"(``.+?``|`[^`]+`)", re.DOTALL)
SPECIAL = re.compile(r"([\\*|_])")


def as_restructured_text(docstring: str) -> str:
    """Return a docstring as reStructuredText.

    Docstrings here are plain text: names of code stand between backticks, equations and examples
    are indented. So a `|x|` or an `x*` is no markup, and an indented block is shown as it stands.
    """
    blocks = [block for block in re.split(r"\n\s*\n", docstring.strip("\n")) if block.strip()]
    return "\n\n".join(_block(block) for block in blocks)


def _block(block: str) -> str:
    if block.startswith(" "):
        return "::\n\n" + textwrap.indent(textwrap.dedent(block), "    ")
    if "\n " in block:  # arguments, one after another, each with its continuation indented
        items = re.split(r"\n(?! )", block)
        return "\n".join("* " + _text(re.sub(r"\n +", " ", item)) for item in items)
    return _text(block)


def _text(text: str) -> str:
    return "".join(
        f"``{part.strip('`')}``" if CODE.fullmatch(part) else SPECIAL.sub(r"\\\1", part)
        for part in CODE.split(text)
    )


def _take_as_plain(
    _app: Any, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]
) -> None:
    lines[:] = as_restructured_text("\n".join(lines)).split("\n")


def setup(app: Any) -> None:
    """Register the hook that reads the docstrings' form."""
    app.connect("autodoc-process-docstring", _take_as_plain)

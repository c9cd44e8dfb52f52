"""Short summaries of results for a prompt and for a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

Figures = Mapping[str, str]
"""Figures with their units, by their names."""


def as_text(title: str, figures: Figures) -> str:
    """Return one line: <title: name figure, name figure>."""
    return f"<{title}: {', '.join(f'{name} {figure}' for name, figure in figures.items())}>"


def as_html(title: str, figures: Figures) -> str:
    """Return a small HTML table."""
    rows = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th>'
        f'<td style="text-align:left">{escape(figure)}</td></tr>'
        for name, figure in figures.items()
    )
    return f"<table><caption>{escape(title)}</caption><tbody>{rows}</tbody></table>"

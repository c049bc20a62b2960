"""Columns that fit a width: the least important ones give way, nothing wraps. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from cli.look import UNICODE, Look

GAP = 2
_NARROWEST = 6


@dataclass(frozen=True)
class Column:
    """`keep` orders the columns by importance: 0 is always there, and the highest goes first.

    The most important one is cut so that the next one fits, but not below `least`.
    """

    title: str
    keep: int = 0
    right: bool = False
    most: int = 64
    least: int = _NARROWEST


Row = Sequence[Text] | Text
"""One cell for each column, or one text across all of them."""


def grid(
    columns: Sequence[Column], rows: Sequence[Row], *, width: int | None, look: Look, titles: bool
) -> tuple[list[Text], int]:
    """Return the lines and how many cells of the width they take. A width of None is as wide as it needs."""
    needed = [_needed(place, column, rows, titles=titles) for place, column in enumerate(columns)]
    chosen = _chosen(columns, needed, width)
    lines = [_line([Text(column.title, "dim") for column in columns], columns, chosen, look)] if titles else []
    for row in rows:
        if isinstance(row, Text):
            lines.append(cut(row, width, look))
        else:
            lines.append(_line(row, columns, chosen, look))
    return lines, sum(chosen.values()) + GAP * (len(chosen) - 1)


def cut(text: Text, width: int | None, look: Look) -> Text:
    """Return a copy of no more than `width` cells."""
    text = text.copy()
    if width is not None:
        text.truncate(max(1, width), overflow="ellipsis" if look is UNICODE else "crop")
    return text


def _needed(place: int, column: Column, rows: Sequence[Row], *, titles: bool) -> int:
    cells = [row[place].cell_len for row in rows if not isinstance(row, Text)]
    widest = max(cells, default=0)
    if widest == 0:  # an empty column takes no room, whatever its title
        return 0
    return max(min(widest, column.most), len(column.title) if titles else 0)


def _chosen(columns: Sequence[Column], needed: Sequence[int], width: int | None) -> dict[int, int]:
    """Return the width of each column that is shown, by its place."""
    places = sorted((p for p in range(len(columns)) if needed[p]), key=lambda p: columns[p].keep)
    if width is None:
        return {place: needed[place] for place in sorted(places)}
    shown: dict[int, int] = {}
    left = width
    for order, place in enumerate(places):
        room = left - (GAP if shown else 0)
        want = needed[place]
        if order == 0 and len(places) > 1:
            # The first shrinks, rather than that the second is not shown at all.
            want = min(want, max(columns[place].least, room - GAP - needed[places[1]]))
        want = min(want, room) if order == 0 else want
        if want <= 0 or want > room:
            continue
        shown[place] = want
        left = room - want
    if places and places[0] in shown:  # what the others left
        shown[places[0]] = min(needed[places[0]], shown[places[0]] + left)
    return {place: shown[place] for place in sorted(shown)}


def _line(row: Sequence[Text], columns: Sequence[Column], widths: dict[int, int], look: Look) -> Text:
    line = Text(no_wrap=True)
    for place, width in widths.items():
        cell = cut(row[place], width, look)
        padding = width - cell.cell_len
        if line.plain:
            line.append(" " * GAP)
        if columns[place].right:
            line.append(" " * padding).append_text(cell)
        else:
            line.append_text(cell).append(" " * padding)
    line.rstrip()
    return line

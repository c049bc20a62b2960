"""A JSON object as a report that one can read: a lead sentence, then a line for each group of facts. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from cli.look import Look
from cli.text import clean
from orchestration.payload import Json

_MOST_ITEMS = 8  # of a list


def report(value: dict[str, Json], look: Look, width: int) -> Table:
    """Return the facts, grouped by the value's own keys. A key `summary` is a title, and left out here."""
    groups = [(_label(key), list(_facts("", item))) for key, item in value.items() if key != "summary"]
    room = width - 2 - max((cell_len(label) for label, _ in groups), default=0)
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for label, facts in groups:
        table.add_row(label, _filled(facts, look.dot, room))
    return table


def _filled(facts: Sequence[Text], separator: str, room: int) -> Text:
    """Return the facts in lines that break between them, as far as each fits a line."""
    filled, used = Text(), 0
    for fact in facts:
        if used and used + len(separator) + fact.cell_len > room:
            filled.append("\n")
            used = 0
        elif used:
            filled.append(separator, "dim")
            used += len(separator)
        filled.append_text(fact)
        used += fact.cell_len
    return filled


def _facts(name: str, item: Json) -> Iterator[Text]:
    """Yield `name value` for each plain value inside the item; a list of small objects is one fact."""
    if isinstance(item, dict):
        for key, inner in item.items():
            yield from _facts(f"{name} {_label(key)}".strip(), inner)
    elif isinstance(item, list):
        shown = [_short(entry) for entry in item[:_MOST_ITEMS]]
        more = f", and {len(item) - _MOST_ITEMS} more" if len(item) > _MOST_ITEMS else ""
        yield _fact(name, ", ".join(shown) + more)
    else:
        yield _fact(name, _plain(item))


def _fact(name: str, value: str) -> Text:
    return Text.assemble((f"{name} " if name else "", "dim"), value)


def _short(entry: Json) -> str:
    values = entry.values() if isinstance(entry, dict) else [entry]
    return " ".join(_plain(value) for value in values)


def _plain(value: Json) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, dict | list):
        return "..."
    text = clean(value)
    # A digest in full says no more than its beginning, and fills a line.
    return text if len(text) <= 60 else text[:16] + "..."


def _label(key: str) -> str:
    return clean(key).replace("_", " ")

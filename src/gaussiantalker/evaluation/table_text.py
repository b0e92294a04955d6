"""A table as text: the paper's numbers and ours in each cell, and whether the differences point the same way."""

from statistics import fmean, stdev
from typing import Any

from gaussiantalker.evaluation.papers import OTHER_PAPER, OWN_COLUMNS, OWN_DRIVEN_COLUMNS, Row, Table
from gaussiantalker.evaluation.record import shown

DASH = "–"
SAME, OPPOSITE, NOISE = "✓", "✗", "~"


def markdown(table: Table, result: dict[str, Any]) -> str:
    """Every number as `paper / here`, mean and standard deviation over trainings; then the differences."""
    columns = list(table.keys)
    lines = [
        f"## Table {table.name}: {table.title}",
        f"Capture `{result['capture']}`, preset `{result['preset']}`. Each cell: paper / here.",
        "",
        f"| | {' | '.join(columns)} |",
        "|---" * (len(columns) + 1) + "|",
    ]
    for row in table.rows:
        here = result["rows"][row.title]["here"]
        cells = [_cell(row, column, here.get(column, [])) for column in columns]
        lines.append(f"| {row.title}{' †' if row.elsewhere else ''} | {' | '.join(cells)} |")
    lines += _differences(table, result)
    notes = [*result["caveats"], *([f"† {OTHER_PAPER}"] if any(row.elsewhere for row in table.rows) else [])]
    return "\n".join([*lines, "", *(f"- {note}" for note in notes), ""])


def _cell(row: Row, column: str, values: list[float | None]) -> str:
    if column in OWN_COLUMNS | OWN_DRIVEN_COLUMNS:
        return _here(values)
    paper = row.paper.get(column)
    return f"{DASH if paper is None else f'{paper:g}'} / {_here(values)}"


def _here(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return DASH
    spread = f" ± {shown(stdev(known), 2)}" if len(known) > 1 else ""
    return shown(fmean(known)) + spread


def _differences(table: Table, result: dict[str, Any]) -> list[str]:
    """Rows less the one they are compared with. Without a second training nothing can be said of chance."""
    lines = []
    for row in table.rows:
        against = row.against or table.reference
        here, other = (result["rows"][title]["here"] for title in (row.title, against))
        cells = [_difference(table, result, column, row, against) for column in table.columns]
        if row.title != against and here and other and set(cells) != {DASH}:
            lines.append(f"| {row.title} less {against} | {' | '.join(cells)} |")
    if not lines:
        return []
    head = f"| | {' | '.join(table.columns)} |"
    told = (
        f"Differences: {SAME} the paper's direction, {OPPOSITE} the opposite, {NOISE} too small to tell from the "
        "spread over trainings (less than two standard errors); no mark with one training a row."
    )
    return ["", told, "", head, "|---" * (len(table.columns) + 1) + "|", *lines]


def _difference(table: Table, result: dict[str, Any], column: str, row: Row, against: str) -> str:
    pair = [_known(result, title, column) for title in (row.title, against)]
    papers = [result["rows"][title]["paper"].get(column) for title in (row.title, against)]
    if not all(pair) or row.elsewhere:
        return DASH
    here = fmean(pair[0]) - fmean(pair[1])
    if None in papers:
        return f"{DASH} / {signed(here)}"
    paper = papers[0] - papers[1]
    error = noise(table, result, column) * (1 / len(pair[0]) + 1 / len(pair[1])) ** 0.5
    mark = "" if error == 0 else NOISE if abs(here) < 2 * error else SAME if here * paper > 0 else OPPOSITE
    return f"{signed(paper)} / {signed(here)} {mark}".rstrip()


def noise(table: Table, result: dict[str, Any], column: str) -> float:
    """Standard deviation between trainings of the same row, pooled over the table; 0 when no row has two."""
    groups = [values for row in table.rows if len(values := _known(result, row.title, column)) > 1]
    if not groups:
        return 0.0
    squares = sum(stdev(values) ** 2 * (len(values) - 1) for values in groups)
    return (squares / sum(len(values) - 1 for values in groups)) ** 0.5


def signed(value: float) -> str:
    return ("+" if value > 0 else "−" if value < 0 else "") + shown(abs(value), 3)


def _known(result: dict[str, Any], title: str, column: str) -> list[float]:
    return [value for value in result["rows"][title]["here"].get(column, []) if value is not None]

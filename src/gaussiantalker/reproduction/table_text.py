"""A table as text: the paper's numbers and ours in each cell, and whether the differences point the same way."""

from statistics import fmean, stdev
from typing import Any

from gaussiantalker.evaluation.record import shown
from gaussiantalker.reproduction.papers import OTHER_PAPER, OWN_COLUMNS, OWN_DRIVEN_COLUMNS, Row, Table

_DASH = "–"
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
    return f"{_DASH if paper is None else f'{paper:g}'} / {_here(values)}"


def _here(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return _DASH
    spread = f" ± {shown(stdev(known), 2)}" if len(known) > 1 else ""
    return shown(fmean(known)) + spread


def _differences(table: Table, result: dict[str, Any]) -> list[str]:
    """Rows less the one they are compared with, and how much a row differs from itself when it is trained again."""
    rows: dict[str, list[str]] = {}
    for row in table.rows:
        against = row.against or table.reference
        here, other = (result["rows"][title]["here"] for title in (row.title, against))
        if row.title != against and here and other:
            cells = [_difference(table, result, column, row, against) for column in table.keys]
            rows[f"{row.title} less {against}"] = cells
    if not rows:
        return []
    spreads = [_noise(table, result, column) for column in table.keys]
    told = "Differences, paper / here. With one training a row nothing is known of chance."
    if any(spreads):
        told = (
            f"Differences, paper / here: {SAME} the paper's direction, {OPPOSITE} the opposite, {NOISE} less than two "
            "standard errors by the spread between trainings of the same row."
        )
        rows["standard deviation between trainings"] = [shown(spread, 2) if spread else _DASH for spread in spreads]
    known = [k for k in range(len(table.keys)) if any(cells[k] != _DASH for cells in rows.values())]
    head = [list(table.keys)[k] for k in known]
    lines = [f"| {title} | {' | '.join(cells[k] for k in known)} |" for title, cells in rows.items()]
    return ["", told, "", f"| | {' | '.join(head)} |", "|---" * (len(head) + 1) + "|", *lines]


def _difference(table: Table, result: dict[str, Any], column: str, row: Row, against: str) -> str:
    pair = [_known(result, title, column) for title in (row.title, against)]
    if not all(pair):
        return _DASH
    here = fmean(pair[0]) - fmean(pair[1])
    error = _noise(table, result, column) * (1 / len(pair[0]) + 1 / len(pair[1])) ** 0.5
    chance = NOISE if abs(here) < 2 * error else ""
    papers = [result["rows"][title]["paper"].get(column) for title in (row.title, against)]
    if None in papers or row.elsewhere:
        own = _signed(here) if column not in table.columns else f"{_DASH} / {_signed(here)}"
        return f"{own} {chance}".rstrip()
    paper = papers[0] - papers[1]
    mark = chance or ((SAME if here * paper > 0 else OPPOSITE) if error and paper else "")
    return f"{_signed(paper)} / {_signed(here)} {mark}".rstrip()


def _noise(table: Table, result: dict[str, Any], column: str) -> float:
    """Standard deviation between trainings of the same row, pooled over the table; 0 when no row has two."""
    groups = [values for row in table.rows if len(values := _known(result, row.title, column)) > 1]
    if not groups:
        return 0.0
    squares = sum(stdev(values) ** 2 * (len(values) - 1) for values in groups)
    return (squares / sum(len(values) - 1 for values in groups)) ** 0.5


def _signed(value: float) -> str:
    """With its sign, at three digits and no more than four decimals."""
    value = round(value, 4)
    return ("+" if value > 0 else "−" if value < 0 else "") + shown(abs(value), 3)


def _known(result: dict[str, Any], title: str, column: str) -> list[float]:
    return [value for value in result["rows"][title]["here"].get(column, []) if value is not None]

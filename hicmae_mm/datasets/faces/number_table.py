"""Tables of numbers per frame, as trackers write them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.text_files import read_rows, shown


def read_numbers(
    path: Path, columns: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[tuple[int, dict[str, float]]]:
    """Yields line number and numbers of each row of a CSV file, whose first line names the columns.

    Args:
        path: The file.
        columns: Columns that must be there.
        optional: Columns that are read where they are there; an empty cell counts as none.

    Raises:
        MediaError: If the file is no such table; file and line are named.
    """
    try:
        rows = list(read_rows(path, ','))
    except ValueError as error:
        raise MediaError(str(error)) from error
    header = rows[0][1] if rows else []
    missing = [column for column in columns if column not in header]
    if missing:
        raise MediaError(f'{path}: no column {missing[0]!r}, the first line must name {",".join(columns)}')
    wanted = [(column, header.index(column)) for column in (*columns, *optional) if column in header]
    for number, fields in rows[1:]:
        cells = {column: fields[index] if index < len(fields) else '' for column, index in wanted}
        try:
            row = {column: float(cell) for column, cell in cells.items() if cell or column in columns}
        except ValueError as error:
            raise MediaError(f'{path}, line {number}: expected numbers, got {shown(",".join(fields))}') from error
        if not all(map(math.isfinite, row.values())):
            raise MediaError(f'{path}, line {number}: expected finite numbers, got {shown(",".join(fields))}')
        yield number, row

"""Label tables of corpora: comma-separated files with a header, read strictly, errors name file and line."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar('T')


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        position: File and line, for messages.
        cells: Text of the wanted columns, without surrounding white space; never empty.
    """

    position: str
    cells: Mapping[str, str]

    def number(self, column: str) -> float:
        """A cell as a finite number.

        Raises:
            ValueError: If it is none.
        """
        try:
            value = float(self.cells[column])
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise ValueError(f'{self.position}: {column} {self.cells[column]!r} is not a number')
        return value

    def choice(self, column: str, choices: Mapping[str, T]) -> T:
        """What a cell stands for.

        Raises:
            ValueError: If it is none of the choices.
        """
        if self.cells[column] not in choices:
            raise ValueError(f'{self.position}: {column} {self.cells[column]!r} is none of {list(choices)}')
        return choices[self.cells[column]]


def read_table(path: Path, columns: Mapping[str, Sequence[str]]) -> list[Row]:
    """Reads some columns of a table, UTF-8 with or without byte order mark; empty lines are skipped.

    Args:
        path: The file.
        columns: What to read, and the names that the header may give it; the first that is there counts.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the header lacks a column, a cell is empty, or there are no rows.
    """
    if not path.is_file():
        raise FileNotFoundError(f'{path} does not exist')
    with path.open(encoding='utf-8-sig', newline='') as file:
        try:
            lines = csv.DictReader(file, skipinitialspace=True)
            header = [name.strip() for name in lines.fieldnames or ()]
            lines.fieldnames = header
            found = {column: _spelling(path, column, names, header) for column, names in columns.items()}
            rows = []
            for line in lines:
                cells = {column: (line[spelling] or '').strip() for column, spelling in found.items()}
                if not all(cells.values()):
                    empty = ', '.join(found[column] for column, text in cells.items() if not text)
                    raise ValueError(f'{path}, line {lines.line_num}: {empty} is empty')
                rows.append(Row(f'{path}, line {lines.line_num}', cells))
        except UnicodeDecodeError as error:
            raise ValueError(f'{path} is not UTF-8 text: {error}') from error
    if not rows:
        raise ValueError(f'{path} has a header, but no rows')
    return rows


def _spelling(path: Path, column: str, names: Sequence[str], header: Sequence[str]) -> str:
    for name in names:
        if name in header:
            return name
    raise ValueError(f'{path}, line 1: no column for {column}, called {" or ".join(names)}; it has {", ".join(header)}')

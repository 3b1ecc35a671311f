"""Reading the tables of corpora strictly; errors name file and line."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from hicmae_mm.datasets import text_files
from hicmae_mm.datasets.text_files import shown

T = TypeVar('T')


@dataclass(frozen=True)
class Row:
    """Describes a row of a table.

    Attributes:
        position: File and line, for messages.
        cells: Text of the wanted columns, without surrounding white space; never empty. An optional column is left out
            where its cell is empty.
    """

    position: str
    cells: Mapping[str, str]

    def number(self, column: str) -> float:
        """Reads a cell as a finite number.

        Raises:
            ValueError: If it is none.
        """
        try:
            value = float(self.cells[column])
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise ValueError(f'{self.position}: {column} {shown(self.cells[column])} is not a number')
        return value

    def choice(self, column: str, choices: Mapping[str, T]) -> T:
        """Returns the meaning of a code in a cell.

        Raises:
            ValueError: If it is none of the choices.
        """
        if self.cells[column] not in choices:
            raise ValueError(f'{self.position}: {column} {shown(self.cells[column])} is none of {list(choices)}')
        return choices[self.cells[column]]


def read_table(
    path: Path, columns: Mapping[str, Sequence[str]], optional: Mapping[str, Sequence[str]] = MappingProxyType({})
) -> list[Row]:
    """Reads some columns of a table; empty lines are skipped.

    Args:
        path: The file.
        columns: Columns to read, and the names that the header may give it; the first that is there counts.
        optional: The same for columns that the table may lack, and whose cells may be empty.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the header lacks a column, a cell is empty, or there are no rows.
    """
    lines = list(read_rows(path, ','))
    if len(lines) < 2:
        raise ValueError(f'{path} has no rows; expected a header and a row per clip')
    (position, header), *rows = lines
    found = {column: _index(position, column, names, header) for column, names in columns.items()}
    further = {
        column: header.index(next(name for name in names if name in header))
        for column, names in optional.items()
        if not set(names).isdisjoint(header)
    }
    return [
        Row(position, _cells(position, fields, header, found) | _filled_cells(fields, further))
        for position, fields in rows
    ]


def _index(position: str, column: str, names: Sequence[str], header: Sequence[str]) -> int:
    for name in names:
        if name in header:
            return header.index(name)
    raise ValueError(f'{position}: no column for {column}, called {" or ".join(names)}; it has {", ".join(header)}')


def _cells(position: str, fields: Sequence[str], header: Sequence[str], found: Mapping[str, int]) -> dict[str, str]:
    cells = {column: fields[index] if index < len(fields) else '' for column, index in found.items()}
    empty = [header[found[column]] for column, text in cells.items() if not text]
    if empty:
        raise ValueError(f'{position}: no {" and no ".join(empty)} in {shown(",".join(fields))}')
    return cells


def _filled_cells(fields: Sequence[str], found: Mapping[str, int]) -> dict[str, str]:
    return {column: fields[index] for column, index in found.items() if index < len(fields) and fields[index]}


def read_rows(path: Path, delimiter: str | None = None, errors: str = 'strict') -> Iterator[tuple[str, list[str]]]:
    """Yields where a line of a text file stands (``'set_1/train.txt, line 3'``) and its fields; skips empty lines.

    Args:
        path: Text in any form that :mod:`~hicmae_mm.datasets.text_files` reads.
        delimiter: Character between the columns, as in CSV files. None means white space.
        errors: ``'replace'`` where remarks may hold anything.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not text; file and line are named.
    """
    if not path.is_file():
        raise FileNotFoundError(f'{path} does not exist; is DATA_ROOT the corpus as its owners distribute it?')
    for number, fields in text_files.read_rows(path, delimiter, errors):
        yield f'{path}, line {number}', fields

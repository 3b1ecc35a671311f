"""Small emotion wheels in the form of the challenges' files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import openpyxl

INNER = [('Happy', 'Joyful', 'Merry'), (None, None, 'Cheery'), (None, 'Content', 'Calm'), ('Sad', 'Gloomy', 'Blue')]


def write_sheet(path: Path, rows: Sequence[Sequence[str | None]]) -> None:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)


def write_wheels(folder: Path) -> Path:
    """Four equal wheels, and a fifth on which ``merry`` has a second place."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, 6):
        second_place = [('Mad', 'Cross', 'Merry')] if number == 5 else []
        write_sheet(folder / f'wheel{number}.xlsx', [('level1', 'level2', 'level3'), *INNER, *second_place])
    synonyms = [
        ('word_run1', 'synonym_run1', 'word_run2', 'synonym_run2'),
        ('merry', 'jolly, festive', 'Merry', 'Jolly'),
        ('blue', 'down', 'gloomy', 'down, dark'),
        ('happy', 'glad', None, None),
    ]
    write_sheet(folder / 'synonym.xlsx', synonyms)
    forms = ('merry,"merry,merrily"', 'jolly,"jolly,merrily"', 'down,down', 'happy,"happy,Happily"', 'cold,"cold"')
    (folder / 'format.csv').write_text('\n'.join(['name,format', *forms]) + '\n')
    return folder

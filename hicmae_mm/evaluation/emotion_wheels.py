"""Maps words to sectors of the emotion wheels of the MER2025 and MER2026 challenges."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hicmae_mm.utils.files import read_regular

EDITIONS = (2025, 2026)
NUM_WHEELS = 5
LEVELS = (1, 2)
_MOST_BYTES = 1 << 26

Map = dict[str, str]


@dataclass(frozen=True)
class EmotionWheels:
    """Applies three maps one after the other: form of a word, synonyms, sector of a wheel.

    Attributes:
        forms: Form of a word -> the words that it is a form of.
        synonyms: Word -> the words of the wheels that it is a synonym of.
        sectors: ``(wheel, level)`` -> word of the wheel -> its sector. Wheels count from 1; level 1 is the inner ring,
            level 2 the middle one.
    """

    forms: Mapping[str, tuple[str, ...]]
    synonyms: Mapping[str, tuple[str, ...]]
    sectors: Mapping[tuple[int, int], Map]

    @classmethod
    def read(cls, folder: str | Path, edition: int = 2026) -> EmotionWheels:
        """Reads the organisers' files: ``wheel1.xlsx`` to ``wheel5.xlsx``, ``synonym.xlsx``, and ``format.csv``.

        The list of word forms differs between the editions; ``format_2025.csv`` and ``format_2026.csv`` are taken
        before ``format.csv``.

        Raises:
            FileNotFoundError: If a file is missing.
            ValueError: If the edition is unknown, or a file has another form.
        """
        if edition not in EDITIONS:
            raise ValueError(f'edition must be one of {EDITIONS}, got {edition}')
        folder = Path(folder)
        listed = folder / f'format_{edition}.csv'
        forms = _read_forms(listed if listed.is_file() else folder / 'format.csv')
        sectors: dict[tuple[int, int], Map] = {}
        for wheel in range(1, NUM_WHEELS + 1):
            rows = _read_wheel(folder / f'wheel{wheel}.xlsx')
            sectors[wheel, 1], sectors[wheel, 2] = _inner(rows), _middle(rows)
        return cls(forms, _read_synonyms(folder / 'synonym.xlsx'), sectors)

    def sector(self, word: str, wheel: int, level: int) -> str | None:
        """Returns the sector of a word; ``None`` if the wheel does not have it."""
        sectors = self.sectors[wheel, level]
        reached = {found for form in self.forms.get(word, ()) for found in self.synonyms.get(form, ())}
        return next((sectors[found] for found in sorted(reached) if found in sectors), None)

    def sector_set(self, words: Iterable[str], wheel: int, level: int) -> set[str]:
        """Returns the sectors of words; words that the wheel does not have are left out."""
        found = (self.sector(word, wheel, level) for word in words)
        return {sector for sector in found if sector is not None}


def _read_forms(path: Path) -> dict[str, tuple[str, ...]]:
    if not path.is_file():
        raise FileNotFoundError(
            f'{path} does not exist; it is one of the public files of the MER2025 and 2026 challenges'
        )
    rows = list(csv.DictReader(io.StringIO(read_regular(path, _MOST_BYTES).decode('utf-8-sig'), newline='')))
    if not rows or not {'name', 'format'} <= set(rows[0]):
        raise ValueError(f'{path} must have the columns name and format')
    words: dict[str, dict[str, None]] = {}
    for row in rows:
        for form in _listed(row['format']):
            words.setdefault(form, {})[_word(row['name'])] = None
    return {form: tuple(found) for form, found in words.items()}


def _read_synonyms(path: Path) -> dict[str, tuple[str, ...]]:
    """Maps every synonym to its words of the wheels, over all runs; every word is a synonym of itself."""
    words: dict[str, dict[str, None]] = {}
    for row in _rows(path):
        runs = [name.removeprefix('word_') for name in row if name.startswith('word_')]
        if not runs:
            raise ValueError(f'{path} must have the columns word_run1, synonym_run1, word_run2, ..., got {list(row)}')
        for run in runs:
            word = _word(row[f'word_{run}'])
            if word:
                for synonym in (word, *_listed(row.get(f'synonym_{run}'))):
                    words.setdefault(synonym, {})[word] = None
    return {synonym: tuple(found) for synonym, found in words.items()}


def _read_wheel(path: Path) -> list[tuple[str, str, str]]:
    """Returns the inner, middle and outer word of each row; blank cells inherit from above."""
    filled: list[tuple[str, str, str]] = []
    last = {'level1': '', 'level2': ''}
    for row in _rows(path):
        if not {'level1', 'level2', 'level3'} <= set(row):
            raise ValueError(f'{path} must have the columns level1, level2 and level3, got {list(row)}')
        last = {name: _word(row[name]) or last[name] for name in last}
        filled.append((last['level1'], last['level2'], _word(row['level3'])))
    return filled


def _inner(rows: list[tuple[str, str, str]]) -> Map:
    """Maps every word of a wheel to its word on the inner ring. If a word occurs twice, the last one counts."""
    return {word: inner for inner, middle, outer in rows for word in (inner, middle, outer) if word}


def _middle(rows: list[tuple[str, str, str]]) -> Map:
    """Maps every word to its word on the middle ring, and inner words to the first of their sector by alphabet."""
    sectors: dict[str, set[str]] = {}
    for inner, middle, _ in rows:
        sectors.setdefault(inner, set()).add(middle)
    found = {inner: min(middles) for inner, middles in sectors.items()}
    return found | {word: middle for _, middle, outer in rows for word in (middle, outer) if word}


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """Reads the rows of the first sheet, by the names in its first row."""
    from openpyxl import load_workbook

    if not path.is_file():
        raise FileNotFoundError(
            f'{path} does not exist; it is one of the public files of the MER2025 and 2026 challenges'
        )
    content = io.BytesIO(read_regular(path, _MOST_BYTES))
    try:
        sheet = load_workbook(content, read_only=True, data_only=True).worksheets[0]
        rows = list(sheet.iter_rows(values_only=True))
    except Exception as error:  # openpyxl raises whatever the damage causes
        raise ValueError(f'{path} is not a readable .xlsx file: {error}') from error
    names = [str(name or '') for name in rows[0]] if rows else []
    for row in rows[1:]:
        yield dict(zip(names, row))


def _word(value: Any) -> str:
    return '' if value is None else str(value).strip().lower()


def _listed(value: Any) -> list[str]:
    return [word for word in map(_word, str(value or '').split(',')) if word]


@cache
def read_wheels(folder: str, edition: int) -> EmotionWheels:
    """Calls :meth:`EmotionWheels.read` once per process."""
    return EmotionWheels.read(folder, edition)

"""Lists of emotion words: how the MER challenges read them from text, and files that hold one list per clip."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hicmae_mm.utils.files import read_regular

WordLists = dict[str, list[str]]

_MOST_BYTES = 1 << 28
_QUOTES = r'\'"\u2018\u2019\u201c\u201d'
_NAMES = ('name', 'sample_id', 'id', 'clip', 'filename')
_WORDS = ('openset', 'words', 'labels', 'fileitems', 'answer', 'response', 'text', 'content')
_FREE = re.compile(r'[,;\n\u3001\uff0c]')


def as_words(value: Any, edition: int = 2026) -> list[str]:
    """Returns the lower-case words of a list, or of text as the challenge of an edition splits it.

    If a text has brackets, the edition of 2024 takes what is between the first ``[`` and the first ``]`` and splits it
    at quotes. Later editions split at quotes and commas. Text without brackets, such as the free answer of a language
    model, is split at commas, semicolons and line ends.

    Example:
        >>> as_words("The person feels ['Happy', 'relieved'].")
        ['happy', 'relieved']
        >>> as_words('Happy, relieved')
        ['happy', 'relieved']
    """
    if value is None or value != value:  # empty cells are NaN in some tables
        return []
    if isinstance(value, Iterable) and not isinstance(value, str):
        parts = [str(part) for part in value]
    else:
        text = str(value)
        inside = re.search(r'\[([^\]]*)', text)
        if inside is None:
            parts = _FREE.split(text)
        else:
            parts = re.split(f'[{_QUOTES}]' if edition <= 2024 else f'[{_QUOTES},]', inside[1])
    words = (re.sub(f'^[\\s{_QUOTES}*-]+|[\\s{_QUOTES}.]+$', '', part).lower() for part in parts)
    return [word for word in words if word and word != ',']


def as_groups(text: str) -> list[list[str]]:
    """Groups of words, written as a list of lists: ``[['happy', 'joyful'], ['sad']]``."""
    groups = (as_words(f'[{inside}]', 2024) for inside in re.findall(r'\[([^\[\]]*)\]', text))
    return [group for group in groups if group]


def read_columns(path: Path) -> dict[str, Any]:
    """Reads what a file says about each clip: text, or a list of words.

    A CSV file has the name of the clip in a column ``name`` and the words in a column ``openset``, as the challenges
    have them (other names that are understood: ``sample_id``, ``words``, ``answer`` and the like). JSON is a dictionary
    by clip, or a list of such rows; ``.jsonl`` has a row per line.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is another kind of file, or a row lacks the clip or the words, or a clip occurs twice.
    """
    if not path.is_file():
        raise FileNotFoundError(f'{path} does not exist')
    try:
        text = read_regular(path, _MOST_BYTES).decode('utf-8-sig')
        if path.suffix == '.csv':
            rows: Any = list(csv.DictReader(io.StringIO(text, newline='')))
        elif path.suffix == '.jsonl':
            rows = [json.loads(line) for line in text.splitlines() if line.strip()]
        elif path.suffix == '.json':
            rows = json.loads(text)
        else:
            raise ValueError('expected .csv, .json or .jsonl')
    except (ValueError, RecursionError, csv.Error) as error:
        raise ValueError(f'{path} is not a file of words by clip: {error}') from error
    if isinstance(rows, Mapping):
        return {str(name): value for name, value in rows.items()}
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise ValueError(f'{path} must hold a dictionary by clip, or rows')
    return _by_clip(path, rows)


def _by_clip(path: Path, rows: list[Mapping[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, row in enumerate(rows, start=1):
        name, words = (next((key for key in names if key in row), None) for names in (_NAMES, _WORDS))
        if name is None or words is None:
            raise ValueError(
                f'{path}: row {number} has the columns {list(row)[:8]}; expected one of {list(_NAMES)} for the clip '
                f'and one of {list(_WORDS)} for the words'
            )
        clip = str(row[name])
        if clip in found:
            raise ValueError(f'{path}: clip {clip!r} occurs twice, the second time in row {number}')
        found[clip] = row[words]
    return found


def read_word_lists(path: Path, edition: int = 2026) -> WordLists:
    """Words by clip; errors as in :func:`read_columns`."""
    return {name: as_words(value, edition) for name, value in read_columns(path).items()}

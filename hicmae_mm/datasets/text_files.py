"""Reads text files with byte order marks, in UTF-16 (Excel's "Unicode text"), and with all line ends.

All text tables and JSON files from outside are read with these functions, so that all commands accept the same forms.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_SHOWN_CHARACTERS = 80
_MARKS = {  # UTF-32 comes first, because one of its marks begins with the bytes of a mark of UTF-16
    codecs.BOM_UTF32_LE: 'utf-32',
    codecs.BOM_UTF32_BE: 'utf-32',
    codecs.BOM_UTF16_LE: 'utf-16',
    codecs.BOM_UTF16_BE: 'utf-16',
    codecs.BOM_UTF8: 'utf-8-sig',
}
_DELIMITERS = (',', '\t', ';')  # in tables that programs call CSV; Excel writes semicolons in some languages
_LINE = re.compile(r'[^\r\n]*(?:\r\n|\r|\n|$)')


def shown(value: object) -> str:
    """Returns the ``repr`` of a value for a message, shortened if it is long."""
    text = repr(value[: _SHOWN_CHARACTERS * 2] if isinstance(value, (str, bytes)) else value)
    size = len(value) if isinstance(value, (str, bytes)) else len(text)
    return text if size <= _SHOWN_CHARACTERS else f'{text[:_SHOWN_CHARACTERS]}... ({size} characters)'


def decode_text(content: bytes, name: object, errors: str = 'strict') -> str:
    """Decodes the bytes of a text file, and removes the byte order mark.

    Args:
        content: The bytes, in UTF-8 or in the encoding that the byte order mark names.
        name: Name of the file in error messages.
        errors: See :meth:`bytes.decode`; ``'replace'`` accepts every byte.

    Returns:
        The text, with its line ends.

    Raises:
        ValueError: If the bytes are not text. The message names the line.
    """
    encoding = next((encoding for mark, encoding in _MARKS.items() if content.startswith(mark)), 'utf-8')
    try:
        text = content.decode(encoding, errors)
    except UnicodeDecodeError as error:
        before = content[: error.start].decode(encoding, 'replace')
        place = f'{name}, line {len(_split(before))}'
        form = encoding.removesuffix('-sig').upper()
        raise ValueError(f'{place}: not {form} ({error.reason}); convert the file to UTF-8') from error
    text = text.lstrip('\ufeff')  # a second program may have added a second mark
    end = text.find('\0')
    if end >= 0:
        raise ValueError(
            f'{name}, line {len(_split(text[:end]))}: a zero byte, so this is not UTF-8 text; '
            'save the file as UTF-8, or as UTF-16 with a byte order mark'
        )
    return text


def read_text(path: Path, errors: str = 'strict') -> str:
    """Reads a text file; see :func:`decode_text`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If ``path`` is not a file, or its content is not text.
    """
    if not path.exists():
        raise FileNotFoundError(f'{path} does not exist')
    if not path.is_file():
        raise ValueError(f'{path} is not a file')
    return decode_text(path.read_bytes(), path, errors)


def text_lines(text: str) -> Iterator[str]:
    """Yields the lines of a text without their ends, which may be LF, CR LF, or CR alone (old programs for Mac)."""
    lines = _split(text)
    yield from lines if lines[-1] else lines[:-1]


def lines_with_ends(text: str) -> list[str]:
    """Returns the lines of a text, each with its line end."""
    return [line for line in _LINE.findall(text) if line]


def _split(text: str) -> list[str]:
    return text.replace('\r\n', '\n').replace('\r', '\n').split('\n')


def read_rows(path: Path, delimiter: str | None = None, errors: str = 'strict') -> Iterator[tuple[int, list[str]]]:
    """Yields the number (counted from 1) and the fields of every line that is not empty.

    Fields have no white space around them.

    Args:
        path: The file.
        delimiter: Character between the columns of a CSV file. If the first line does not contain it, but tabs or
            semicolons, these separate the columns. None means that white space separates them.
        errors: See :func:`decode_text`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not text, or a quotation does not end.
    """
    text = read_text(path, errors)
    if delimiter is None:
        for number, line in enumerate(text_lines(text), start=1):
            if fields := line.split():
                yield number, fields
        return
    first = next((line for line in text_lines(text) if line.strip()), '')
    candidates = (delimiter, *_DELIMITERS)
    reader = csv.reader(text_lines(text), delimiter=next((mark for mark in candidates if mark in first), delimiter))
    try:
        for fields in reader:
            if any(field.strip() for field in fields):
                yield reader.line_num, [field.strip() for field in fields]
    except csv.Error as error:
        raise ValueError(f'{path}, line {reader.line_num}: not a table of columns ({error})') from error


def read_json(path: Path) -> Any:
    """Reads a JSON file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the content is malformed or nested too deeply, or an object has a key twice. The message names
            the file, and the line if it is known.
    """
    text = read_text(path)
    try:
        return json.loads(text, object_pairs_hook=unique_object)
    except json.JSONDecodeError as error:
        line = len(_split(text[: error.pos]))
        end = ', the file ends too early' if not text[error.pos :].strip() else ''
        raise ValueError(f'{path}, line {line}: not valid JSON ({error.msg}{end}); write or fetch it again') from error
    except RecursionError as error:
        raise ValueError(
            f'{path}: the JSON is nested too deeply for this program; write it with fewer levels'
        ) from error
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error


def unique_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Makes the dict of a JSON object, and refuses an object that has a key twice (a hook of :func:`json.loads`)."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f'an object has the key {shown(twice)} twice; remove one of them')
    return found

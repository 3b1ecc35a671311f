"""Clips of a list: the rows of a table or of an annotation list, such as the utterances of a conversation."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hicmae_mm.datasets.annotations import load_annotations
from hicmae_mm.datasets.labels import LabelParser
from hicmae_mm.datasets.records import CONVERSATION


@dataclass(frozen=True)
class ListedClip:
    """Describes a row of a list.

    Attributes:
        given: Values that the row gives for the streams by name, and ``name``.
        place: The list and the row, for messages.
        span: Start and end in the files (seconds). None means that they are used completely.
        speaker: Name of the speaker; None if it is not known.
        conversation: Name of the conversation, from the column ``dialogue``; None if it is not known.
    """

    given: dict[str, Any]
    place: str
    span: tuple[float, float] | None
    speaker: str | None
    conversation: str | None = None


def read_listed_clips(path: Path, others: Collection[str] = ()) -> Iterator[ListedClip]:
    """Yields the clips of an annotation list; docs/data_format.md describes its forms.

    Args:
        path: The list. Its labels are not used. Relative paths start from its folder.
        others: Names of streams besides pictures and sound that the rows may give.

    Raises:
        ValueError: If a row is malformed. The message names it.
    """
    records, _ = load_annotations(str(path), LabelParser('unlabelled'))
    for record in records:
        given = _given(record, path.parent, others)
        span = record.get('span')
        file = given.get('video', given.get('audio'))
        name = record.get('sample_id') or (file.name if isinstance(file, Path) else record['position'])
        if span is not None and 'sample_id' not in record:
            name = f'{name}@{span[0]:g}-{span[1]:g}'
        place = f'{path}, {record["position"]}'
        conversation = record.get('columns', {}).get(CONVERSATION)
        named = None if conversation in (None, '') else str(conversation)
        yield ListedClip(dict(given, name=name), place, span, record.get('speaker'), named)


def _given(record: Mapping[str, Any], folder: Path, others: Collection[str]) -> dict[str, Any]:
    names = ('video', 'audio', *others)
    lacks = {*record.get('absent', ()), *(set(names) - set(record.get('streams', names)))}
    cells = {**record.get('columns', {}), **{name: record[name] for name in ('video', 'audio')}}
    given: dict[str, Any] = {}
    for name, value in cells.items():
        if name in names and name not in lacks and value not in (None, ''):
            is_path = name in ('video', 'audio') or (isinstance(value, str) and (folder / value).is_file())
            given[name] = folder / value if is_path else value
    if 'audio' in lacks and 'audio' not in others:
        given['audio'] = None
    return given

"""Lengths of the clips of a list: from a column, from spans, or from the headers of the media."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av
import numpy as np
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.logging import print_log

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.labels import as_number
from hicmae_mm.datasets.readers.audio import open_audio
from hicmae_mm.datasets.readers.tracks import open_container
from hicmae_mm.utils.files import write_text

_THREADS = 4


def clip_lengths(dataset: Any, column: str | None = None, store: str | None = None) -> np.ndarray:
    """Lists the length of every sample of a data set, ``(N,)`` float64.

    Args:
        dataset: A data set, or a wrapper of data sets, with the method ``get_data_info``.
        column: Column of the list with the lengths, in any unit. None means seconds: those of the ``start`` and
            ``end`` of a sample, or of its sound file, or of its video. The first rank reads them from the files.
        store: JSON file in which the lengths of files are kept, so that they are read once. A file that has changed is
            read again. None means ``durations.json`` beside the list. If it cannot be written, nothing is kept.

    Raises:
        ValueError: If a sample has no length above 0.
    """
    if not hasattr(dataset, 'get_data_info'):
        raise ValueError(f'{type(dataset).__name__} cannot list its samples, which bucketing needs')
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    if column is not None:
        return np.array([_of_column(info, column) for info in infos])
    lengths = [_of_span(info) for info in infos]
    files = [None if length is not None else _file_of(info) for info, length in zip(infos, lengths)]
    needed = sorted({file for file in files if file is not None})
    stored = Path(store) if store is not None else _default_store(dataset)
    shared: list[Any] = [_read_or_error(needed, stored) if needed and is_main_process() else {}]
    broadcast_object_list(shared)
    if isinstance(shared[0], str):
        raise MediaError(shared[0])
    return np.array([length if file is None else shared[0][file] for length, file in zip(lengths, files)])


def _of_column(info: dict[str, Any], column: str) -> float:
    value = info.get('columns', {}).get(column)
    number = as_number(value)
    if number is None or not math.isfinite(number) or number <= 0:
        raise ValueError(f'{_place(info)}: column {column!r} must hold a length above 0, got {value!r}')
    return number


def _place(info: dict[str, Any]) -> str:
    return str(info.get('position', info.get('sample_id')))


def _of_span(info: dict[str, Any]) -> float | None:
    start, end = info.get('span', (0, math.inf))
    return float(end - start) if math.isfinite(end) else None


def _file_of(info: dict[str, Any]) -> str:
    streams = info.get('streams', ('video', 'audio'))
    names = [name for name in ('audio', 'video') if name in streams] or ['audio', 'video']
    paths = [info.get(f'{name}_path') for name in [*names, 'video', 'audio']]
    path = next((path for path in paths if path is not None), None)
    if path is None:
        raise ValueError(
            f'{_place(info)}: the sample has no file of sound or video, so its length is not known; name a column with '
            'lengths, by column=...'
        )
    return str(path)


def _default_store(dataset: Any) -> Path | None:
    """``durations.json`` beside the list of the innermost first data set."""
    while not hasattr(dataset, 'ann_file'):
        inner = getattr(dataset, 'dataset', None) or next(iter(getattr(dataset, 'datasets', ())), None)
        if inner is None:
            return None
        dataset = inner
    return Path(dataset.ann_file).parent / 'durations.json'


def _read_or_error(files: Sequence[str], store: Path | None) -> dict[str, float] | str:
    """Seconds by file; or the text of an error, which every rank then raises."""
    known = _stored(store)
    facts = {file: _version(file) for file in files}
    missing = [file for file in files if known.get(file, [None])[:-1] != facts[file]]
    try:
        if missing:
            print_log(f'Reading the lengths of {len(missing)} files', 'current')
            with ThreadPoolExecutor(_THREADS) as pool:
                for file, seconds in zip(missing, pool.map(_seconds_of, missing)):
                    known[file] = [*facts[file], seconds]
    except (MediaError, FileNotFoundError) as error:
        return str(error)
    if missing and store is not None:
        try:
            write_text(store, json.dumps(known))
        except OSError as error:
            print_log(f'{store} cannot be written ({error.strerror}): the lengths of files are read again next time')
    return {file: known[file][-1] for file in files}


def _stored(store: Path | None) -> dict[str, list[Any]]:
    """Returns size, time of change and seconds by file. A damaged store counts as an empty one."""
    if store is None or not store.is_file():
        return {}
    try:
        content = json.loads(store.read_text())
    except ValueError:
        return {}
    entries = content.items() if isinstance(content, dict) else ()
    return {
        file: entry
        for file, entry in entries
        if isinstance(entry, list) and len(entry) == 3 and all(isinstance(value, (int, float)) for value in entry)
    }


def _version(file: str) -> list[int]:
    if not Path(file).is_file():
        return [0, 0]
    state = Path(file).stat()
    return [state.st_size, state.st_mtime_ns]


def _seconds_of(file: str) -> float:
    """Reads the length that the header of a file states; without one, that of its sound track."""
    with open_container(Path(file)) as container:
        if container.duration:
            return float(container.duration / av.time_base)
    reader = open_audio(file)
    try:
        return reader.num_samples / reader.sample_rate_hz
    finally:
        reader.close()

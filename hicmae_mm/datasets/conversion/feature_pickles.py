"""Reads the public feature files of CMU-MOSI, CMU-MOSEI and CH-SIMS, pickles of three streams, without running code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hicmae_mm.evaluation.plain_pickle import read_plain
from hicmae_mm.utils.files import read_regular, replaced_file, write_text

SPLITS = ('train', 'valid', 'test')
# name of the stream -> key of the file
STREAMS = {'text': 'text', 'audio': 'audio', 'video': 'vision'}
_LABELS = {'': 'regression_labels', '_text': 'regression_labels_T', '_audio': 'regression_labels_A'}
_LABELS['_video'] = 'regression_labels_V'
_MOST_BYTES = 1 << 36


class SplitReport(NamedTuple):
    """Counts what was written of a split.

    Attributes:
        clips: Number of clips.
        replaced: Number of values that were not finite and became 0.
        longest: Length of the longest sequence by stream.
    """

    clips: int
    replaced: int
    longest: dict[str, int]


def read_feature_pickle(path: Path) -> dict[str, dict[str, Any]]:
    """Reads a file as MMSA (Mao et al., 2022) distributes them: split -> key -> values of all clips.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, asks for code, or has another form.
    """
    if not path.is_file():
        raise FileNotFoundError(f'{path} does not exist')
    try:
        content = read_plain(read_regular(path, _MOST_BYTES), has_text=True)
    except ValueError as error:
        raise ValueError(f'{path} cannot be read: {error}') from error
    splits = [name for name in SPLITS if isinstance(content, Mapping) and isinstance(content.get(name), Mapping)]
    if not splits:
        raise ValueError(f'{path} has none of the splits {SPLITS}; expected a file of MOSI, MOSEI or SIMS by MMSA')
    for split in splits:
        lacking = [key for key in ('id', *STREAMS.values(), _LABELS['']) if key not in content[split]]
        if lacking:
            raise ValueError(f'{path}: the split {split!r} lacks {lacking}, it has {sorted(content[split])}')
    return {split: dict(content[split]) for split in splits}


def write_split(split: Mapping[str, Any], out_dir: Path, name: str) -> SplitReport:
    """Writes ``features/STREAM/CLIP.npy`` of every clip, cut to its length, and the list ``NAME.jsonl``.

    The text is that of BERT, special words included, so that a model can set them apart.

    Raises:
        ValueError: If arrays do not fit each other, or two clips have one name.
    """
    names = [str(item).replace('/', '_') for item in np.asarray(split['id']).reshape(-1).tolist()]
    if len(set(names)) < len(names):
        raise ValueError(f'{name}: two clips have the same name, among {sorted(names)[:3]}')
    lengths, replaced, longest = _lengths(split, len(names)), 0, {}
    for stream, key in STREAMS.items():
        values = np.asarray(split[key])
        if values.dtype.kind not in 'fiu' or values.ndim != 3 or len(values) != len(names):
            raise ValueError(f'{name}: {key} must be numbers ({len(names)}, T, D), got {values.dtype} {values.shape}')
        folder = out_dir / 'features' / stream
        folder.mkdir(parents=True, exist_ok=True)
        longest[stream] = 0
        for clip, sequence, length in zip(names, values, lengths[stream]):
            sequence = sequence[: max(int(length), 1)].astype(np.float32)
            replaced += int((~np.isfinite(sequence)).sum())
            longest[stream] = max(longest[stream], len(sequence))
            with replaced_file(folder / f'{clip}.npy') as partial, partial.open('wb') as file:
                np.save(file, np.nan_to_num(sequence, nan=0.0, posinf=0.0, neginf=0.0))
    lines = [json.dumps(row, ensure_ascii=False) for row in _rows(split, names)]
    write_text(out_dir / f'{name}.jsonl', '\n'.join(lines) + '\n')
    return SplitReport(len(names), replaced, longest)


def _lengths(split: Mapping[str, Any], count: int) -> dict[str, np.ndarray]:
    """Counts the real vectors of each clip: by the attention mask for text; all of them if the file has no mask."""
    whole = {stream: np.full(count, np.asarray(split[key]).shape[1]) for stream, key in STREAMS.items()}
    if 'text_bert' in split:
        whole['text'] = np.asarray(split['text_bert'])[:, 1].sum(axis=1).astype(int)  # ids, mask, segments: (N, 3, T)
    for stream in ('audio', 'video'):
        found = split.get(f'{STREAMS[stream]}_lengths')
        if found is not None:
            whole[stream] = np.asarray(found).reshape(-1).astype(int)
    for stream, found in whole.items():
        if len(found) != count:
            raise ValueError(f'{len(found)} lengths of {stream}, but {count} clips')
    return whole


def _rows(split: Mapping[str, Any], names: list[str]) -> list[dict[str, Any]]:
    columns: dict[str, list[Any]] = {'sample_id': names}
    for suffix, key in _LABELS.items():
        if split.get(key) is not None and len(split[key]):
            values = np.asarray(split[key], np.float64).reshape(len(names), -1)[:, 0].tolist()
            columns[f'sentiment{suffix}' if suffix else 'values'] = values
    if split.get('raw_text') is not None:
        columns['text'] = [str(text) for text in np.asarray(split['raw_text']).reshape(-1).tolist()]
    return [dict(zip(columns, row)) for row in zip(*columns.values(), strict=True)]

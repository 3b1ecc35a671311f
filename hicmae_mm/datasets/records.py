"""Records of named columns: one row of a table, or one item of a JSON list.

A record is a dict of ``video``, ``audio`` (None means no path), ``position`` (its place in the file, for error
messages) and its labels. ``sample_id``, ``speaker``, ``streams`` and ``span`` are there if the row gives them. All
columns whose meaning this package does not fix are in ``columns``, under their own names.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from hicmae_mm.datasets.labels import LabelParser, as_number
from hicmae_mm.datasets.text_files import shown

OWN_SOUND_TRACK = '-'
CONVERSATION, TURN = 'dialogue', 'turn'  # columns of utterances, as the converters write them
_OWN_COLUMNS = {'video', 'audio', 'label', 'values', 'sample_id', 'streams', 'start', 'end'}
# Keys of pipelines. A column of such a name is in ``results['columns']`` only, so that it cannot disturb a transform.
PIPELINE_KEYS = frozenset(
    re.findall(
        r'\w+',
        """
        absent_streams columns data_folders features packed_clip place position span targets
        avg_fps clip_len first_frame frame_inds frame_interval imgs num_clips total_frames video_reader
        audio_seconds audio_spans sample_rate_hz spectrograms waveform waveforms masks pending_warp
        crop_bbox crop_quadruple flip flip_direction img_fields img_shape input_shape keep_ratio lazy modality
        original_shape scale scale_factor start_index
        """,
    )
)
_NAME = re.compile(r'[^\W\d]\w*')


def named_record(item: Any, position: str, labels: LabelParser) -> dict[str, Any]:
    """Makes a record of a row.

    Args:
        item: The row, a dict of its columns. None stands for an empty cell.
        position: Place of the row in its file.
        labels: Parser of the label columns.

    Raises:
        ValueError: If a column is malformed. The caller adds the file and the position to the message.
    """
    if not isinstance(item, dict):
        raise ValueError(f"expected a dict such as {{'video': 'a.mp4', 'label': 0}}, got {shown(item)}")
    record: dict[str, Any] = {key: _path(item, key) for key in ('video', 'audio')}
    record['position'] = position
    others = {key: value for key, value in item.items() if key not in _OWN_COLUMNS}
    sources = [value for key, value in others.items() if key != 'speaker']
    if (
        record['video'] is record['audio'] is None
        and item.get('sample_id') is None
        and not any(map(_is_given, sources))
    ):
        raise ValueError("video and audio are both '-' or missing, at least one must name a file")
    record.update(labels.parse_row(item))
    for key in ('sample_id', 'speaker'):
        if key in item:
            if isinstance(item[key], bool) or not isinstance(item[key], (str, int)):
                raise ValueError(f'{key} must be a text, got {shown(item[key])}')
            record[key] = str(item[key])
    others.pop('speaker', None)
    if 'streams' in item:
        record['streams'] = _streams(item['streams'])
    elif absent := _empty_streams(item, record):
        record['absent'] = absent
    if _is_given(item.get('start')) or _is_given(item.get('end')):
        record['span'] = _span(item.get('start'), item.get('end'))
    if others:
        record['columns'] = others
    return record


def columns_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the columns of a record that reach the pipeline: the speaker, and all without a fixed meaning."""
    others: dict[str, Any] = record.get('columns', {})
    return {'speaker': record['speaker'], **others} if 'speaker' in record else others


def add_columns(results: dict[str, Any], columns: Mapping[str, Any]) -> None:
    """Adds columns to the input of a pipeline: all as ``columns``, and each under its name if that is free."""
    if columns:
        results['columns'] = dict(columns)
        results.update({key: columns[key] for key in columns if key not in results and key not in PIPELINE_KEYS})


def add_labels(results: dict[str, Any], labels: Mapping[str, Any]) -> None:
    """Adds what :meth:`LabelParser.parse` returned to the input of a pipeline. Candidate classes become a target."""
    results.update({key: labels[key] for key in ('gt_label', 'gt_values', 'gt_score') if key in labels})
    if 'gt_candidates' in labels:
        results['targets'] = dict(candidates=np.array(labels['gt_candidates']))


def is_column_name(name: str) -> bool:
    """Tells whether a text can be the name of a column: a letter, then letters, digits and underscores."""
    return _NAME.fullmatch(name) is not None


def _is_given(value: Any) -> bool:
    return value is not None and value != ''


def _path(item: Mapping[str, Any], key: str) -> str | None:
    path = OWN_SOUND_TRACK if item.get(key) is None else item[key]
    if not isinstance(path, str) or not path.strip() or '\0' in path:
        raise ValueError(f"{key} must be a path, or '-' for none, got {shown(path)}")
    return None if path == OWN_SOUND_TRACK else path


def _streams(value: Any) -> tuple[str, ...]:
    is_list = isinstance(value, list) and all(isinstance(name, str) and is_column_name(name) for name in value)
    if not is_list or not value:
        raise ValueError(f"streams must be some of 'video', 'audio' and other names, as a list, got {shown(value)}")
    return tuple(value)


def _empty_streams(item: Mapping[str, Any], record: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the columns that are there and empty: the clip lacks the streams of these names.

    An empty audio cell beside a video stands for the sound track of the video.
    """
    empty = [key for key, value in item.items() if not _is_given(value) or (key == 'video' and record['video'] is None)]
    if 'audio' in item and record['video'] is record['audio'] is None:
        empty.append('audio')
    elif 'audio' in empty:
        empty.remove('audio')
    return tuple(dict.fromkeys(empty))


def _span(start: Any, end: Any) -> tuple[float, float]:
    edges = []
    for name, value, default in (('start', start, 0.0), ('end', end, math.inf)):
        number = as_number(value) if _is_given(value) else default
        if number is None or math.isnan(number) or number < 0:
            raise ValueError(f'{name} must be a time in seconds of at least 0, got {shown(value)}')
        edges.append(number)
    if edges[0] >= edges[1]:
        raise ValueError(f'start must lie before end, got start={start}, end={end} (seconds)')
    return edges[0], edges[1]

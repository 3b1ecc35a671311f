"""Describe how to read the inputs of a model from files, for programs that do not use this package."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from hicmae_mm.datasets import filterbank
from hicmae_mm.datasets.transforms.audio_io import Filterbank, LoadAudio
from hicmae_mm.datasets.transforms.video_aug import SpatialViews
from hicmae_mm.datasets.transforms.video_io import SampleClips


def describe_reading(stream: str, steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Describes how the test pipeline reads a stream, with the values of all defaults.

    Args:
        stream: Name of the stream.
        steps: Configs of the pipeline's steps.

    Returns:
        The sampling of frames for ``video``, the sound and its filterbank for ``audio``, or the vocabulary of the
        stream that ``Tokenize`` makes. It is empty for other streams, or if the pipeline does not have the steps.
    """
    by_type = {str(step.get('type')).rpartition('.')[2]: step for step in steps}
    if stream == 'video' and 'SampleClips' in by_type:
        sampling = _with_defaults(SampleClips, by_type['SampleClips'])
        spatial = _with_defaults(SpatialViews, by_type['SpatialViews']) if 'SpatialViews' in by_type else {}
        return {
            'frame_interval': sampling['frame_interval'],
            'temporal_views': sampling['num_clips'],
            'spatial_views': spatial.get('num_views', 1),
        }
    if stream == 'audio' and 'Filterbank' in by_type:
        sound = _with_defaults(LoadAudio, by_type.get('LoadAudio', {}))
        bank = _with_defaults(Filterbank, by_type['Filterbank'])
        return {
            'sample_rate_hz': sound['sample_rate_hz'],
            'frame_length_ms': filterbank.FRAME_LENGTH_MS,
            'frame_shift_ms': filterbank.FRAME_SHIFT_MS,
            'window': 'hann',
            'preemphasis': filterbank.PREEMPHASIS,
            'lowest_hz': filterbank.LOWEST_HZ,
            'highest_hz': sound['sample_rate_hz'] / 2,
            'num_mel_bins': bank['num_mel_bins'],
            'energy_floor': torch.finfo(torch.float32).eps,
            'mean': bank['mean'],
            'std': bank['std'],
        }
    if 'Tokenize' in by_type and by_type['Tokenize'].get('stream', 'text') == stream:
        return {'vocabulary': by_type['Tokenize']['vocabulary']}
    return {}


def _with_defaults(kind: type, step: Mapping[str, Any]) -> dict[str, Any]:
    parameters = inspect.signature(kind).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    return {**defaults, **step}

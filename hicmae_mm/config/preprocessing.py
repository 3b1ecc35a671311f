"""Compares what pre-trained encoders expect of their input with what a config gives them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor, nn

from hicmae_mm.datasets.transforms.text import open_vocabulary
from hicmae_mm.models.encoders.expected_input import ExpectedInput
from hicmae_mm.models.encoders.model_folder import read_preprocessing
from hicmae_mm.registry import TRANSFORMS

# the option of a transform that decides about the size of pictures, and about the sampling rate of sound
_SIZES = {'Resize': 'scale', 'CenterCrop': 'crop_size', 'RandomResizedCropFlip': 'size', 'SpatialViews': 'size'}
_RATES = {'WholeTrack': 'sample_rate_hz', 'LoadAudio': 'sample_rate_hz'}
_LARGEST_DIFFERENCE = 0.01  # of a pixel in 0..255


def check_preprocessing(model: nn.Module, cfg: Config) -> None:
    """Compares normalisation, size of pictures, sampling rate and vocabulary with what encoders were trained on.

    Args:
        model: A model with ``encoders``. An encoder says what it expects by ``expected_input``.
        cfg: The config, with the pipelines of its data loaders.

    Raises:
        ValueError: If values do not match. The error names both values and the key to change.
    """
    encoders: Any = getattr(model, 'encoders', {})
    for name, encoder in encoders.items():
        expected = getattr(encoder, 'expected_input', None)
        if expected is None:
            continue
        _check_normalisation(f'encoders.{name}', expected, getattr(model, 'data_preprocessor', None))
        for key, dataset in _datasets(dict(cfg.items())):
            pipeline = [step for step in dataset['pipeline'] if isinstance(step, Mapping)]
            _check_pipeline(f'encoders.{name}', expected, f'{key}.pipeline', pipeline)
            for index, step in enumerate(pipeline):
                if _name_of(step) == 'Tokenize' and step.get('stream', 'text') == name and 'vocabulary' in step:
                    file = Path(dataset.get('data_root') or '', step['vocabulary'])
                    _check_vocabulary(f'encoders.{name}', expected, f'{key}.pipeline[{index}].vocabulary', file)


def _check_normalisation(encoder: str, expected: ExpectedInput, preprocessor: Any) -> None:
    for name in ('mean', 'std'):
        wanted, given = getattr(expected, name), getattr(preprocessor, name, None)
        if wanted is None or not isinstance(given, Tensor):
            continue
        values = given.float().flatten().tolist()
        if not torch.allclose(torch.tensor(values), torch.tensor(wanted), atol=_LARGEST_DIFFERENCE):
            found, right = ([round(value, 3) for value in numbers] for numbers in (values, wanted))
            raise ValueError(
                f'{encoder}: {expected.source} says {name}={right} of pixels, the config gives {found}; set '
                f'model.data_preprocessor.{name}={right}'
            )


def _check_pipeline(encoder: str, expected: ExpectedInput, key: str, pipeline: Sequence[Mapping[str, Any]]) -> None:
    size, rate = _last_option(pipeline, _SIZES), _last_option(pipeline, _RATES)
    if expected.image_size is not None and size is not None:
        index, option, value = size
        # a pair is (width, height), as in MMAction2
        given = (value, value) if isinstance(value, int) else tuple(reversed(value))
        if given != expected.image_size and -1 not in given:
            height, width = expected.image_size
            right = height if height == width else (width, height)
            raise ValueError(
                f'{encoder}: {expected.source} says pictures of {height}x{width}, the config gives '
                f'{given[0]}x{given[1]}; set {key}[{index}].{option} to {right}'
            )
    if expected.sample_rate_hz is not None and rate is not None and rate[2] != expected.sample_rate_hz:
        raise ValueError(
            f'{encoder}: {expected.source} says sound of {expected.sample_rate_hz} Hz, the config gives {rate[2]} Hz; '
            f'set {key}[{rate[0]}].{rate[1]}={expected.sample_rate_hz}'
        )
    if expected.extractor is not None:
        _check_extractor(encoder, expected, key, pipeline)


def _check_extractor(encoder: str, expected: ExpectedInput, key: str, pipeline: Sequence[Mapping[str, Any]]) -> None:
    for index, step in enumerate(pipeline):
        if _name_of(step) == 'Filterbank':
            raise ValueError(
                f'{encoder}: {expected.source} says how spectrograms are made, the config makes others by '
                f'{key}[{index}] Filterbank; put dict(type="ExtractorSpectrogram", path={expected.extractor!r}) there'
            )
        path = step.get('path')
        if _name_of(step) == 'ExtractorSpectrogram' and read_preprocessing(path) != read_preprocessing(
            expected.extractor
        ):
            raise ValueError(
                f'{encoder}: {expected.source} says how spectrograms are made, {key}[{index}].path={path!r} says '
                f'something else; set it to {expected.extractor!r}'
            )


def _check_vocabulary(encoder: str, expected: ExpectedInput, key: str, file: Path) -> None:
    """Compares the ids of a vocabulary. A vocabulary that is not there is an error of the training, which names it."""
    if expected.num_ids is None or not file.exists():
        return
    ids = open_vocabulary(str(file)).ids
    if expected.tokenizer is not None and ids == open_vocabulary(expected.tokenizer).ids:
        return
    given, largest = f'{key}={str(file)!r}', max(ids.values())
    if largest >= expected.num_ids:
        raise ValueError(
            f'{encoder}: {expected.source} knows the ids 0 to {expected.num_ids - 1}, {given} has ids up to {largest}; '
            'name the vocabulary that belongs to the encoder'
        )
    if expected.tokenizer is not None:
        raise ValueError(
            f'{encoder}: {given} gives tokens other ids than {expected.tokenizer}; set it to {expected.tokenizer!r}'
        )


def _name_of(step: Mapping[str, Any]) -> str:
    kind = step.get('type', '')
    return kind.rpartition('.')[2] if isinstance(kind, str) else kind.__name__


def _last_option(pipeline: Sequence[Mapping[str, Any]], options: Mapping[str, str]) -> tuple[int, str, Any] | None:
    """Returns index, option and value of the last transform that decides."""
    for index in reversed(range(len(pipeline))):
        step = pipeline[index]
        option = options.get(_name_of(step))
        if option is None:
            continue
        if _name_of(step) == 'Resize' and step.get('keep_ratio', True):
            return None  # the other side is open
        if option in step:
            return index, option, step[option]
        cls = TRANSFORMS.get(_name_of(step))
        default = inspect.Parameter.empty if cls is None else inspect.signature(cls).parameters[option].default
        if default is not inspect.Parameter.empty and default is not None:
            return index, option, default
    return None


def _datasets(value: Any, key: str = '') -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Returns all data sets of a config's data loaders that have a pipeline, with their keys."""
    if not isinstance(value, Mapping):
        return
    if key and isinstance(value.get('pipeline'), (list, tuple)):
        yield key, value
    for name, part in value.items():
        if key or str(name).endswith('_dataloader'):
            yield from _datasets(part, f'{key}.{name}' if key else str(name))

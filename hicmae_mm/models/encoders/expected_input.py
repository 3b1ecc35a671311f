"""Reads what a pre-trained encoder expects of its input from the files beside its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class ExpectedInput:
    """Describes the pre-processing that belongs to weights. ``None`` means that nothing is said.

    Attributes:
        source: The file or package that says it.
        mean: Mean of the colour channels, of pixels in 0..255.
        std: Their standard deviation.
        image_size: Height and width of pictures.
        sample_rate_hz: Sampling rate of sound.
        extractor: Folder whose feature extractor makes the spectrograms.
        num_ids: Number of token ids.
        tokenizer: The ``tokenizer.json`` that makes the ids.
    """

    source: str
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    image_size: tuple[int, int] | None = None
    sample_rate_hz: int | None = None
    extractor: str | None = None
    num_ids: int | None = None
    tokenizer: str | None = None


def expected_input(source: str, kind: str, facts: Mapping[str, Any]) -> ExpectedInput | None:
    """Reads the ``preprocessor_config.json`` of a model of transformers.

    Args:
        source: Folder of the encoder.
        kind: Input that the model takes, such as ``'pixel_values'``.
        facts: Content of the file; empty if there is none.

    Returns:
        What it says about the kind; ``None`` means nothing.
    """
    file = f'{source}/preprocessor_config.json'
    if not facts or kind == 'input_ids':
        return None
    if kind != 'pixel_values':
        rate = facts.get('sampling_rate')
        extractor = source if kind == 'input_features' else None
        return ExpectedInput(file, sample_rate_hz=None if rate is None else int(rate), extractor=extractor)
    scale = float(facts.get('rescale_factor') or 1 / 255) if facts.get('do_rescale', True) else 1.0
    mean, std = facts.get('image_mean'), facts.get('image_std')
    if not facts.get('do_normalize', True):
        mean, std = [0.0] * 3, [1.0] * 3
    size = facts.get('crop_size') if facts.get('do_center_crop', 'crop_size' in facts) else facts.get('size')
    return ExpectedInput(
        file,
        None if mean is None else tuple(float(value) / scale for value in mean),
        None if std is None else tuple(float(value) / scale for value in std),
        _height_and_width(size),
    )


def expected_text(folder: str | None, num_ids: int) -> ExpectedInput:
    """Returns what an encoder of token ids takes.

    Args:
        folder: Folder of the encoder; ``None``: there is none.
        num_ids: Number of ids that it knows.
    """
    if folder is None:
        return ExpectedInput('the encoder', num_ids=num_ids)
    tokenizer = Path(folder, 'tokenizer.json')
    found = str(tokenizer) if tokenizer.is_file() else None
    return ExpectedInput(f'{folder}/config.json', num_ids=num_ids, tokenizer=found)


def _height_and_width(size: Any) -> tuple[int, int] | None:
    if isinstance(size, int):
        return size, size
    if isinstance(size, Mapping) and {'height', 'width'} <= set(size):
        return int(size['height']), int(size['width'])
    return None  # a shortest edge alone leaves the other side open

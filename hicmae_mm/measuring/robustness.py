"""Degraded test sets: which degradations there are, and where they stand in the test pipeline of a config."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config, ConfigDict

from hicmae_mm.datasets.noise import root_mean_square
from hicmae_mm.datasets.transforms.degraded_sound import within_range
from hicmae_mm.datasets.writers import write_wav
from hicmae_mm.registry import DATASETS
from hicmae_mm.structures import SkippedSample

_PINK_SECONDS = 30.0
_TALKERS = 6
_BABBLES = 8  # recordings of babble


@dataclass(frozen=True)
class Degradation:
    """Describes one way to degrade a test set.

    Attributes:
        title: Description for the reader.
        axis: Name and unit of the levels.
        levels: Default levels, from the weakest to the strongest.
        transform: Makes the transform of a level. Its second argument has the folder of recordings by degradation.
        follows: Transform of the pipeline that it follows; None puts it first.
        stream: Stream that it degrades.
    """

    title: str
    axis: str
    levels: tuple[float, ...]
    transform: Callable[[float, Mapping[str, Path]], dict[str, Any]]
    follows: str | None
    stream: str


Make = Callable[[float, Mapping[str, Path]], dict[str, Any]]


def _noise(name: str) -> Make:
    return lambda level, folders: dict(type='AddNoise', noise=str(folders[name]), snr_db=[float(level)])


def _with(kind: str, key: str, **options: Any) -> Make:
    return lambda level, _: dict(type=kind, **{key: _as_whole(level)}, **options)


def _as_whole(level: float) -> float:
    """Turns a level such as 50.0 of the command line into 50, because encoders take whole numbers only."""
    return int(level) if float(level).is_integer() else level


def _sound(title: str, axis: str, levels: tuple[float, ...], transform: Make) -> Degradation:
    return Degradation(title, axis, levels, transform, 'LoadAudio', 'audio')


def _pictures(title: str, axis: str, levels: tuple[float, ...], transform: Make) -> Degradation:
    return Degradation(title, axis, levels, transform, 'DecodeFrames', 'video')


_SNR, _DECIBELS = 'signal-to-noise ratio (dB)', (20.0, 10.0, 5.0, 0.0, -5.0)
_RT60, _DELAYS = 'reverberation time (s)', (-1.0, -0.5, -0.2, 0.2, 0.5, 1.0)
_RATES = (12.0, 6.0, 3.0, 1.0)
DEGRADATIONS: dict[str, Degradation] = {
    'noise': _sound('Noise', _SNR, _DECIBELS, _noise('noise')),
    'babble': _sound('Babble', _SNR, _DECIBELS, _noise('babble')),
    'reverberation': _sound('Reverberation', _RT60, (0.2, 0.5, 1, 2), _with('Reverberate', 'seconds')),
    'overdrive': _sound('Clipped peaks', 'clipped share', (0.05, 0.1, 0.3, 0.6), _with('OverdriveSound', 'share')),
    'codec': _sound('MP3', 'bit rate (kbit/s)', (64, 32, 16, 8), _with('CompressSound', 'kilobits_per_second')),
    'offset': _sound('Delay of the sound', 'delay (s)', _DELAYS, _with('DelaySound', 'seconds')),
    'blur': _pictures('Blur', 'sigma / shorter side', (0.01, 0.02, 0.05, 0.1), _with('GaussianBlur', 'sigma_share')),
    'compression': _pictures('JPEG', 'quality', (50, 20, 10, 5), _with('CompressFrames', 'quality')),
    'occlusion': _pictures('Occlusion', 'covered share', (0.1, 0.25, 0.5, 0.75), _with('OccludeFrames', 'share')),
    'frame_rate': Degradation(
        'Frame rate', 'frames per second', _RATES, _with('LowerFrameRate', 'frames_per_second'), 'SampleClips', 'video'
    ),
}
"""Degradations by name. A missing stream is one more for every stream: ``missing_video``, ``missing_audio``, ..."""

_MISSING_LEVELS = (0.1, 0.3, 0.5, 0.7, 1.0)


def degradations_of(cfg: Config) -> dict[str, Degradation]:
    """Returns the degradations that the test pipeline of a config can get.

    Args:
        cfg: A config with ``test_dataloader`` and a model with ``encoders``.
    """
    streams = tuple(cfg.model.get('encoders') or {})
    steps = {step.type for step in test_set(cfg).pipeline}
    found = {
        name: degradation
        for name, degradation in DEGRADATIONS.items()
        if degradation.stream in streams and degradation.follows in steps
    }
    if len(streams) > 1:
        for stream in streams:
            drop = _with('DropStream', 'prob', stream=stream, seed=0)
            title, axis = f'Missing {stream}', 'share of clips without it'
            found[f'missing_{stream}'] = Degradation(title, axis, _MISSING_LEVELS, drop, None, stream)
    return found


def test_set(cfg: Config) -> ConfigDict:
    """Returns the innermost data set of ``test_dataloader``.

    Raises:
        ValueError: If there is no test set, or it joins several, or it has no pipeline.
    """
    dataset = (cfg.get('test_dataloader') or {}).get('dataset')
    while isinstance(dataset, Mapping) and isinstance(dataset.get('dataset'), Mapping):
        dataset = dataset['dataset']
    if not isinstance(dataset, Mapping) or not dataset.get('pipeline'):
        raise ValueError('the config needs a test_dataloader with one data set that has a pipeline')
    return dataset


def degraded(cfg: Config, degradation: Degradation, level: float, recordings: Mapping[str, Path]) -> Config:
    """Returns a copy of a config whose test clips are degraded.

    Args:
        cfg: The config; it stays as it is.
        degradation: One of :func:`degradations_of`.
        level: Strength, in the unit of ``degradation.axis``.
        recordings: Folders of the recordings that ``noise`` and ``babble`` add, by these names.
    """
    cfg = copy.deepcopy(cfg)
    pipeline = test_set(cfg).pipeline
    types = [step.type for step in pipeline]
    place = 0 if degradation.follows is None else types.index(degradation.follows) + 1
    pipeline.insert(place, ConfigDict(degradation.transform(level, recordings)))
    if degradation.follows is None:
        cfg.model.missing_streams = 'zero'
    return cfg


def write_noise(cfg: Config, folder: Path, names: Collection[str], seed: int = 0) -> None:
    """Writes the recordings that ``noise`` and ``babble`` add: pink noise, and the voices of several test clips.

    Args:
        cfg: The config, whose test set gives the voices.
        folder: Folder for ``noise/`` and ``babble/``.
        names: Names of the degradations that are measured; recordings for others are not made.
        seed: Seed of the noise and of the choice of voices.

    Raises:
        ValueError: If the test set has no sound.
    """
    generator = np.random.default_rng(seed)
    if 'noise' in names:
        write_wav(folder / 'noise' / 'pink.wav', pink_noise(round(_PINK_SECONDS * 16000), generator), 16000)
    if 'babble' in names:
        voices, rate = _voices(cfg, generator)
        for number in range(_BABBLES):
            chosen = generator.choice(len(voices), size=min(_TALKERS, len(voices)), replace=False)
            babble = mixed([voices[index] for index in chosen])
            write_wav(folder / 'babble' / f'{number}.wav', babble, rate)


def pink_noise(num_samples: int, generator: np.random.Generator) -> np.ndarray:
    """Makes noise whose power falls by 3 dB per octave, as the long-term spectrum of many voices does roughly.

    Returns:
        ``(S,)`` with peaks at 0.5.
    """
    spectrum = np.fft.rfft(generator.standard_normal(num_samples))
    frequencies = np.fft.rfftfreq(num_samples)
    frequencies[0] = frequencies[1]
    noise = np.fft.irfft(spectrum / np.sqrt(frequencies), num_samples)
    scaled: np.ndarray = 0.5 * noise / np.abs(noise).max()
    return scaled


def mixed(voices: Sequence[np.ndarray]) -> np.ndarray:
    """Adds voices at equal loudness. Shorter ones are repeated.

    Args:
        voices: Waveforms ``(S_i,)``.

    Returns:
        ``(max S_i,)`` in -1..1.
    """
    length = max(map(len, voices))
    total = sum(np.resize(voice, length) / max(root_mean_square(voice), 1e-6) for voice in voices)
    return within_range(0.05 * np.asarray(total))


def _voices(cfg: Config, generator: np.random.Generator) -> tuple[list[np.ndarray], int]:
    """Reads the sound of up to 48 test clips, by the steps of the pipeline up to ``LoadAudio``."""
    settings = copy.deepcopy(test_set(cfg))
    types = [step.type for step in settings.pipeline]
    settings.pipeline = [
        step for step in settings.pipeline[: types.index('LoadAudio') + 1] if step.type != 'DecodeFrames'
    ]
    settings.streams = ['audio']
    dataset = DATASETS.build(settings)
    order = generator.permutation(len(dataset))[: _BABBLES * _TALKERS]
    clips = [dataset[int(index)] for index in order]
    clips = [clip for clip in clips if not isinstance(clip, SkippedSample)]
    voices = [clip['waveforms'][0] for clip in clips if clip['waveforms'] and len(clip['waveforms'][0])]
    if not voices:
        raise ValueError('the test set has no sound that babble could be made of; leave it out by --degradations')
    return voices, int(clips[0]['sample_rate_hz'])

"""What a miniature corpus is: the real folder tree, file names and metadata files, with very small media."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from hicmae_mm.datasets.writers import write_video, write_wav

NUM_FRAMES, FPS = 12, 5  # 2.4 s


@dataclass(frozen=True)
class CorpusCase:
    """A miniature corpus, and what its converter and its config must make of it.

    Attributes:
        converter: File name in ``tools/dataset_converters``, without ``.py``.
        config: Leaf of ``configs``, without ``.py``.
        root_variable: Environment variable by which the config finds the lists.
        write: Writes the corpus below a folder.
        sizes: Lines of each list, ``{'fold1': {'train': 8, 'test': 4}}``.
        metrics: Keys that the test must print; the paper's measures among them.
        arguments: Further arguments of the converter.
        environment: Further environment variables of the config.
        streams: What the corpus distributes.
    """

    converter: str
    config: str
    root_variable: str
    write: Callable[[Path], None]
    sizes: Mapping[str, Mapping[str, int]]
    metrics: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    streams: tuple[str, ...] = ('video', 'audio')


def write_frames(folder: Path, seed: int) -> None:
    """A folder of numbered 48 x 48 JPEGs, as a face extractor leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(_frames(seed)):
        cv2.imwrite(str(folder / f'{number + 1:05d}.jpg'), frame)


def write_clip(path: Path, seed: int) -> None:
    """An H.264 mp4 with AAC sound, whatever the suffix says."""
    write_video(path, _frames(seed), FPS, _noise(seed), 16000)


def write_sound(path: Path, seed: int) -> None:
    """A 16 kHz wav of the frames' length."""
    write_wav(path, _noise(seed))


def _frames(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (NUM_FRAMES, 6, 6, 3), dtype=np.uint8)
    return coarse.repeat(8, axis=1).repeat(8, axis=2)


def _noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, int(NUM_FRAMES / FPS * 16000)).astype(np.float32)

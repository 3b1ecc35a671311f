"""Long recordings made of the clips of a synthetic corpus, with labels of every frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import soundfile

from hicmae_mm.datasets.conversion.frame_windows import span_of
from hicmae_mm.datasets.preparation.pool import Failure, run_parallel
from hicmae_mm.datasets.readers.video import open_video
from hicmae_mm.datasets.synthetic.clips import RecordedClip
from hicmae_mm.datasets.synthetic.corpus import EMOTIONS, Clip, CorpusConfig, plan_clips, read_settings, record
from hicmae_mm.datasets.writers import write_video
from hicmae_mm.utils.files import csv_text, replaced_file, write_text

FOLDER = 'recordings'
TARGETS = ('expression', 'valence_arousal', 'action_units')
VALENCE_AROUSAL = {
    'ANG': (-0.6, 0.8), 'DIS': (-0.7, 0.2), 'FEA': (-0.6, 0.4), 'HAP': (0.9, 0.7), 'NEU': (0.3, -0.4),
    'SAD': (-0.8, -0.5),
}  # fmt: skip
"""Valence and arousal of each emotion at full strength, both in -1..1. They are choices of this project."""

ACTION_UNITS = {
    'AU1': ('brow_inner', 1), 'AU4': ('brow_squeeze', 1), 'AU6': ('cheeks', 1), 'AU9': ('nose_wrinkle', 1),
    'AU12': ('smile', 1), 'AU15': ('smile', -1),
}  # fmt: skip
"""For each action unit the facial action that shows it, and its direction."""

IGNORE, IGNORE_VALUES = -1, -5.0
_ACTIVE = 0.25  # strength of an action from which on its unit counts as present
_UNLABELLED_SECONDS = 0.15  # after every change of emotion
_RECORDING_SEED = 2


@dataclass(frozen=True)
class RecordingConfig:
    """Holds everything that determines the recordings of a corpus.

    Attributes:
        frame_step: Every so many frames of the corpus one is kept, so that its frame rate is divided by this number.
        image_size: Height and width (pixels), even.
        window: Frames of a window of the test table; these windows do not overlap.
        train_window: Frames of a window of the training table, from which a clip may be drawn.
        train_step: Frames from the start of a training window to that of the next one.
    """

    frame_step: int = 2
    image_size: int = 64
    window: int = 32
    train_window: int = 48
    train_step: int = 32

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 1:
                raise ValueError(f'{name} must be at least 1, got {value}')
        if self.image_size % 2:
            raise ValueError(f'image_size must be even, got {self.image_size}')


def write_recordings(
    corpus_dir: str | Path, config: RecordingConfig | None = None, num_workers: int = 0
) -> Iterator[int]:
    """Joins the labelled clips of every actor to one recording, in which emotion follows emotion.

    Writes ``recordings/{train,test}_ACTOR.mp4`` with sound, and for each the files ``*_expression.npy`` (``(T,)``
    int64, an index of the emotions), ``*_valence_arousal.npy`` (``(T, 2)`` float32) and ``*_action_units.npy``
    (``(T, 6)`` int64). Frames shortly after a change of emotion have no label: -1, and -5 for valence and arousal.
    ``train.csv`` and ``test.csv`` are tables of windows of the recordings, for a data set with ``task='unlabelled'``.

    Args:
        corpus_dir: Folder of a corpus that is complete.
        config: Settings of the recordings; None takes the defaults.
        num_workers: Processes that work side by side; 0 works in this one.

    Yields:
        The number of recordings that are written, at last all.

    Raises:
        FileNotFoundError: If there is no corpus, or a clip of it is missing.
    """
    config, root = config or RecordingConfig(), Path(corpus_dir)
    corpus = read_settings(root)
    parts: dict[tuple[str, int], list[Clip]] = {}
    for clip in plan_clips(corpus):
        if clip.split != 'unlabelled':
            parts.setdefault((clip.split, clip.actor), []).append(clip)
    write = partial(_write_recording, root, corpus, config)
    lengths: dict[str, int] = {}
    for clips, length in run_parallel(write, list(parts.values()), num_workers):
        if isinstance(length, Failure):
            raise FileNotFoundError(f'{_name(clips)}: {length.reason}')
        lengths[_name(clips)] = length
        if len(lengths) < len(parts):
            yield len(lengths)
    fps = corpus.fps / config.frame_step
    for split, window, step in (
        ('train', config.train_window, config.train_step),
        ('test', config.window, config.window),
    ):
        chosen = {name: length for name, length in sorted(lengths.items()) if name.startswith(split)}
        write_text(root / FOLDER / f'{split}.csv', window_table(chosen, fps, window, step))
    yield len(lengths)


def window_table(lengths: dict[str, int], fps: float, window: int, step: int) -> str:
    """Returns the table of windows of recordings, in CSV.

    Args:
        lengths: Number of frames by name of the recording.
        fps: Frames per second.
        window: Frames of a window. What is left behind the last whole window is not listed.
        step: Frames from the start of a window to that of the next one.
    """
    return csv_text(
        [
            dict(sample_id=f'{name}@{first}', video=f'{name}.mp4', audio='', recording=name)
            | span_of(first, first + window, fps)
            | dict(first_frame=first, num_frames=window)
            | {target: f'{name}_{target}.npy' for target in TARGETS}
            for name, length in lengths.items()
            for first in range(0, length - window + 1, step)
        ]
    )


def frame_labels(clip: RecordedClip, emotion: str, fps: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns expression ``(T,)``, valence and arousal ``(T, 2)`` and action units ``(T, 6)`` of a clip.

    Args:
        clip: The clip.
        emotion: Emotion that it shows.
        fps: Frames per second.
    """
    strengths = clip.strengths
    expression = np.full(len(strengths), EMOTIONS.index(emotion), np.int64)
    values = (np.clip(strengths, 0, 1)[:, None] * VALENCE_AROUSAL[emotion]).astype(np.float32)
    actions = np.array([sign * getattr(clip.expression, action) for action, sign in ACTION_UNITS.values()])
    units = (strengths[:, None] * actions > _ACTIVE).astype(np.int64)
    unlabelled = slice(round(_UNLABELLED_SECONDS * fps))
    expression[unlabelled], values[unlabelled], units[unlabelled] = IGNORE, IGNORE_VALUES, IGNORE
    return expression, values, units


def _name(clips: Sequence[Clip]) -> str:
    return f'{clips[0].split}_{clips[0].actor:03d}'


def _write_recording(root: Path, corpus: CorpusConfig, config: RecordingConfig, clips: list[Clip]) -> int:
    """Writes a recording and its labels; returns its number of frames."""
    order = np.random.default_rng([corpus.seed, clips[0].actor, _RECORDING_SEED]).permutation(len(clips))
    path = root / FOLDER / _name(clips)
    labels = write_joined_clips(path.with_suffix('.mp4'), root, corpus, config, [clips[number] for number in order])
    for target, rows in zip(TARGETS, labels):
        with replaced_file(path.with_name(f'{path.name}_{target}.npy')) as unfinished, unfinished.open('wb') as file:
            np.save(file, rows)
    return len(labels[0])


def write_joined_clips(
    path: Path, root: Path, corpus: CorpusConfig, config: RecordingConfig, clips: Sequence[Clip]
) -> list[np.ndarray]:
    """Joins clips of a corpus to one video with sound.

    Args:
        path: The video.
        root: Folder of the corpus.
        corpus: Settings of the corpus.
        config: Says which frames are kept, and the size of the pictures.
        clips: The clips in order of time.

    Returns:
        Expression ``(T,)``, valence and arousal ``(T, 2)`` and action units ``(T, 6)`` of the frames of the video.

    Raises:
        MediaError: If a clip cannot be read.
    """
    labels, sounds, shown = [], [], []
    for clip in clips:
        recorded = record(corpus, clip)
        sound, sample_rate_hz = soundfile.read(root / clip.audio_path, dtype='float32')
        count = -(-len(recorded.strengths) // config.frame_step)
        labels.append([rows[:: config.frame_step] for rows in frame_labels(recorded, EMOTIONS[clip.label], corpus.fps)])
        num_samples = round(count * config.frame_step / corpus.fps * sample_rate_hz)
        sounds.append(np.pad(sound[:num_samples], (0, max(num_samples - len(sound), 0))))
        shown.append((root / clip.video_path, count))
    fps = corpus.fps / config.frame_step
    write_video(path, _frames(shown, config), fps, np.concatenate(sounds), sample_rate_hz)
    return [np.concatenate(parts) for parts in zip(*labels)]


def _frames(shown: Sequence[tuple[Path, int]], config: RecordingConfig) -> Iterator[np.ndarray]:
    for path, count in shown:
        reader = open_video(path)
        frames = reader.read([min(number * config.frame_step, reader.num_frames - 1) for number in range(count)])
        reader.close()
        for frame in frames:
            yield cv2.resize(frame, (config.image_size,) * 2, interpolation=cv2.INTER_AREA)

"""Windows of long videos whose frames have labels, as tables for the data sets of this package."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from hicmae_mm.datasets.conversion.lists import listing, write_whole
from hicmae_mm.datasets.conversion.media import find_by_stem
from hicmae_mm.datasets.readers.folders import picture_files
from hicmae_mm.datasets.readers.video import open_video
from hicmae_mm.utils.files import csv_text, replaced_file

_SIDES = ('_left', '_right')  # of a video with two people, whose faces lie in two folders
_VIDEO_SUFFIXES = ('.mp4', '.avi')
_IGNORE = dict(valence_arousal=-5.0)  # of other targets: -1


class LabelledVideo(Protocol):
    """Declares a video and its labels; ``numbers (T,)`` are the numbers of its frames, counted from 1."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def numbers(self) -> np.ndarray: ...  # noqa: D102
    @property
    def targets(self) -> Mapping[str, np.ndarray]: ...  # noqa: D102


@dataclass(frozen=True)
class Windows:
    """States how videos are cut.

    Attributes:
        length: Frames of a window.
        overlap: Frames that two windows of the training part share.
    """

    length: int
    overlap: int = 0

    def __post_init__(self) -> None:
        if self.length < 1 or not 0 <= self.overlap < self.length:
            raise ValueError(
                f'a window needs at least 1 frame and an overlap below its length, got {self.length} and {self.overlap}'
            )

    def of(self, num_frames: int, is_train: bool) -> list[tuple[int, int]]:
        """Returns the bounds of the windows. The last one is short; outside of training, windows do not overlap."""
        step = self.length - self.overlap if is_train else self.length
        starts = range(0, max(num_frames - (self.overlap if is_train else 0), 1), step)
        return [(start, min(start + self.length, num_frames)) for start in starts]


@dataclass(frozen=True)
class FrameMedia:
    """States where the pictures lie: folders of numbered faces, or videos.

    Attributes:
        folder: Folder in which to search, at any depth.
        suffix: Ending of a video; empty means folders of pictures.
        fps: Frame rate of folders of pictures. Videos have their own.
    """

    folder: Path
    suffix: str = ''
    fps: float = 30.0

    @cached_property
    def _paths(self) -> dict[str, str]:
        suffixes = dict.fromkeys((self.suffix, *_VIDEO_SUFFIXES)) if self.suffix else ('',)
        return {stem: path for suffix in suffixes for stem, path in find_by_stem(self.folder, suffix).items()}

    def path_of(self, name: str) -> str | None:
        """Finds the pictures of a video; None if they are missing. Both people of a video are in one file."""
        if self.suffix and name.endswith(_SIDES):
            return self._paths.get(name) or self._paths.get(name.rpartition('_')[0])
        return self._paths.get(name)

    def frames_of(self, path: str, numbers: np.ndarray) -> tuple[np.ndarray, float]:
        """Returns the numbers of the frames that the media have, and the frame rate.

        A folder has the frames in which a face was found. A video has all, and its annotated ones are returned.

        Raises:
            ValueError: If a picture is not named by a number, or a video does not tell its frame rate.
        """
        if not self.suffix:
            files = picture_files(Path(path))
            wrong = [file.name for file in files if not file.stem.isdecimal()]
            if wrong:
                raise ValueError(f'{path}: pictures must be named by their number, such as 00001.jpg, got {wrong[0]}')
            return np.array([int(file.stem) for file in files], np.int64), self.fps
        reader = open_video(path)
        fps = reader.fps
        reader.close()
        if not fps:
            raise ValueError(f'{path} does not tell its frame rate; convert it to mp4')
        return np.arange(1, int(numbers.max()) + 1), fps


def span_of(first: int, stop: int, fps: float) -> dict[str, str]:
    """Returns ``start`` and ``end`` (seconds) of the frames from ``first`` to before ``stop``, for a table.

    Both are a quarter of a frame earlier, so that rounding excludes no frame and adds none.
    """
    return {name: f'{max(number - 0.25, 0) / fps:.6f}' for name, number in (('start', first), ('end', stop))}


@dataclass
class Summary:
    """Counts what was written for a part of a challenge."""

    videos: int = 0
    frames: int = 0
    unlabelled_frames: int = 0
    windows: int = 0
    missing: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        text = f'{self.videos} videos, {self.frames} frames ({self.unlabelled_frames} without label), '
        text += f'{self.windows} windows'
        return text + (f'; left out without pictures: {listing(self.missing)}' if self.missing else '')


def write_challenge(
    folder: Path,
    part: str,
    videos: Sequence[LabelledVideo],
    media: FrameMedia,
    windows: Windows,
    allow_missing: bool = False,
) -> Summary:
    """Writes ``folder/{part}.csv``, a row for each window, and ``folder/targets/NAME_{target}.npy``.

    A file of targets has a row for each frame of the media, so that frame and row have one number (from 0). Frames
    without annotation get -1, and -5 for valence and arousal. Windows without any label are left out of training.

    Args:
        folder: Folder of the challenge.
        part: ``'train'``, or another name.
        videos: Labels of the videos.
        media: Place of the pictures.
        windows: Lengths of the windows.
        allow_missing: Whether to leave out videos without pictures.

    Raises:
        FileNotFoundError: If pictures are missing.
        ValueError: If nothing is left, or the media are not as expected.
    """
    summary = Summary()
    summary.missing = sorted(video.name for video in videos if media.path_of(video.name) is None)
    if summary.missing and (not allow_missing or len(summary.missing) == len(videos)):
        raise FileNotFoundError(
            f'{len(summary.missing)} of {len(videos)} videos have no pictures below {media.folder}: '
            f'{listing(summary.missing)}; nothing was written. --video-dir and --video-suffix say where they are, '
            'and --allow-missing leaves videos out'
        )
    table: list[dict[str, Any]] = []
    for video in sorted(videos, key=lambda video: video.name):
        path = media.path_of(video.name)
        if path is None:
            continue
        numbers, fps = media.frames_of(path, video.numbers)
        aligned = {name: _rows_of(numbers, video.numbers, rows, name) for name, rows in video.targets.items()}
        has_label = np.any([_is_labelled(rows, name) for name, rows in aligned.items()], axis=0)
        for name, rows in aligned.items():
            with replaced_file(folder / 'targets' / f'{video.name}_{name}.npy') as partial, partial.open('wb') as file:
                np.save(file, rows)
        summary.videos += 1
        summary.frames += len(numbers)
        summary.unlabelled_frames += int((~has_label).sum())
        for first, stop in windows.of(len(numbers), is_train=part == 'train'):
            if part == 'train' and not has_label[first:stop].any():
                continue
            row: dict[str, Any] = dict(sample_id=f'{video.name}@{first}', video=path.removeprefix(f'{folder}{os.sep}'))
            row |= dict(audio='', **span_of(first, stop, fps), recording=video.name)
            row |= dict(first_frame=first, num_frames=stop - first)
            table.append(row | {name: f'targets/{video.name}_{name}.npy' for name in aligned})
    summary.windows = len(table)
    if not table:
        raise ValueError(f'{folder.name}, {part}: no frame has a label')
    write_whole({folder / f'{part}.csv': csv_text(table)})
    return summary


def _rows_of(numbers: np.ndarray, annotated: np.ndarray, rows: np.ndarray, name: str) -> np.ndarray:
    """Returns the labels of the frames ``numbers``, in their order."""
    found = np.full((len(numbers), *rows.shape[1:]), _IGNORE.get(name, -1), rows.dtype)
    _, mine, theirs = np.intersect1d(numbers, annotated, return_indices=True)
    found[mine] = rows[theirs]
    return found


def _is_labelled(rows: np.ndarray, name: str) -> np.ndarray:
    """Tells for each frame ``(T,)`` whether it has a label of this target; some action units are enough."""
    known = np.asarray(rows != _IGNORE.get(name, -1))
    return np.asarray(known.reshape(len(known), -1).any(axis=1))  # (T,) or (T, K) -> (T,)

"""Streams besides pictures and sound: which ones a model reads, and what each window of a clip has of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hicmae_mm.datasets.clips.inputs import ClipInput
from hicmae_mm.datasets.clips.transcripts import Cue, Transcript, read_transcript
from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.stored_features import INFO_FILE
from hicmae_mm.datasets.text_files import shown
from hicmae_mm.datasets.transforms import LoadFeature, Tokenize
from hicmae_mm.datasets.transforms.features import feature_of_clip, load_feature_file

MEDIA = ('video', 'audio')
TEXT, FEATURE, COLUMN = 'text', 'feature', 'column'
_LONGEST_PATH = 1024


@dataclass(frozen=True)
class Reading:
    """Describes how the pipeline of a model reads a stream that is neither pictures nor sound.

    Attributes:
        kind: ``'text'``, ``'feature'``, or ``'column'`` for all that a transform of the user reads.
        column: Column from which the pipeline reads it.
        width: Length of the feature vectors that the model takes. None if it is not known.
        stored_column: Column of a folder of features by ``tools/extract_features.py``. None takes the only one.
    """

    kind: str
    column: str
    width: int | None = None
    stored_column: str | None = None


def find_readings(pipeline: Sequence[Callable[..., Any]], encoders: Mapping[str, Any]) -> dict[str, Reading]:
    """Finds the streams of a model that are neither pictures nor sound.

    Args:
        pipeline: The transforms of the model's test data.
        encoders: Configs of the model's encoders by stream.
    """
    found: dict[str, Reading] = {}
    for step in pipeline:
        if isinstance(step, Tokenize) and step.stream in encoders:
            found[step.stream] = Reading(TEXT, step.field)
        elif isinstance(step, LoadFeature) and step.stream in encoders:
            width = encoders[step.stream].get('in_channels')
            found[step.stream] = Reading(FEATURE, step.stream, width if isinstance(width, int) else None, step.column)
    for name in encoders:
        if name not in found and name not in MEDIA:
            found[name] = Reading(COLUMN, name)
    return {name: found[name] for name in encoders if name in found}


@dataclass
class WindowStreams:
    """Holds what a window has of the streams besides pictures and sound.

    Attributes:
        columns: Cells that the transforms read.
        features: Features by stream.
        absent: Reasons why it lacks streams.
    """

    columns: dict[str, Any]
    features: dict[str, np.ndarray]
    absent: dict[str, str]


class GivenStreams:
    """Holds what the user gives for the streams of a clip besides pictures and sound.

    Args:
        clip: The clip.
        readings: Description of how the pipeline reads these streams.

    Attributes:
        missing: Reasons why the clip lacks streams, by the name of the stream.
        seconds: Length of the clip as far as these streams tell it. None if they do not.

    Raises:
        FileNotFoundError: If a file does not exist.
        MediaError: If a file is broken, or a feature does not suit the model.
    """

    def __init__(self, clip: ClipInput, readings: Mapping[str, Reading]) -> None:
        self.missing: dict[str, str] = {}
        self._readings = readings
        self._texts: dict[str, Transcript] = {}
        self._features: dict[str, np.ndarray] = {}
        self._cells: dict[str, Any] = {}
        for name, reading in readings.items():
            if name not in clip.others:
                self.missing[name] = f'it was not given; add {name}=... to the input'
            elif reading.kind == TEXT:
                self._add_text(name, clip.others[name], clip.span)
            elif reading.kind == FEATURE:
                self._features[name] = _read_feature(name, clip.others[name], reading, clip.name)
            else:
                self._cells[name] = _as_cell(clip.others[name])
        self.seconds = self._known_seconds(clip.fps)

    def _add_text(self, name: str, value: Any, span: tuple[float, float] | None) -> None:
        if not isinstance(value, (str, Path, Transcript)):
            raise MediaError(f'{name} must be a text or the path of a transcript, got {shown(value)}')
        transcript = value if isinstance(value, Transcript) else read_transcript(value)
        if span is not None:
            transcript = transcript.part(*span)
        if transcript.text:
            self._texts[name] = transcript
        else:
            self.missing[name] = 'the transcript has no words'

    def _known_seconds(self, fps: float | None) -> float | None:
        known = [text.end_seconds for text in self._texts.values() if text.words]
        if fps:
            known += [len(rows) / fps for rows in self._features.values() if rows.ndim == 2]
        return max(known, default=None)

    @property
    def num_rows(self) -> int | None:
        """Returns the number of rows of the longest feature of frames; it is None without one."""
        return max((len(rows) for rows in self._features.values() if rows.ndim == 2), default=None)

    def untimed(self) -> list[str]:
        """Returns the streams of which every window gets everything, because the user gave no times."""
        return [name for name, text in self._texts.items() if text.words is None]

    def cues(self) -> tuple[Cue, ...]:
        """Returns the subtitles of the clip; empty without any."""
        return next((text.cues for text in self._texts.values() if text.cues), ())

    def of_window(
        self, share: tuple[float, float], seconds: tuple[float, float], utterance: Cue | None = None
    ) -> WindowStreams:
        """Returns what belongs to a window.

        Args:
            share: Start and end of the window as shares of the clip's length, in 0..1.
            seconds: Start and end of the window; the last one ends at infinity.
            utterance: The subtitle that the window was made for. The window gets its words, not those of others that
                are said at the same time.
        """
        found = WindowStreams(dict(self._cells), {}, {})
        is_whole = share == (0.0, 1.0)
        for name, text in self._texts.items():
            if utterance is not None and utterance in text.cues:
                words = utterance.text
            else:
                words = text.text if is_whole else text.between(*seconds)
            if words:
                found.columns[self._readings[name].column] = words
            else:
                found.absent[name] = 'no words at that time'
        for name, rows in self._features.items():
            found.features[name] = rows if is_whole or rows.ndim == 1 else rows[slice(*rows_between(share, len(rows)))]
        return found


def rows_between(share: tuple[float, float], num_rows: int) -> tuple[int, int]:
    """Returns the first row of a part, and the row after its last; a part has one row at least."""
    first = min(round(share[0] * num_rows), num_rows - 1)
    return first, max(round(share[1] * num_rows), first + 1)


def give_streams(clips: Sequence[ClipInput], given: Mapping[str, str]) -> list[ClipInput]:
    """Adds streams to clips.

    Args:
        clips: The clips.
        given: Values by the name of a stream: a text or a file for the only clip, or a folder in which the file of each
            clip has the name of the clip with another ending. Clips without a file lack the stream. A folder that
            ``tools/extract_features.py`` wrote needs a feature of each clip.

    Raises:
        ValueError: If there are several clips and no folder, or a folder has several files of one clip.
    """
    found = []
    for clip in clips:
        others: dict[str, Any] = {}
        for name, value in given.items():
            is_folder = len(value) < _LONGEST_PATH and Path(value).is_dir()
            if not is_folder and len(clips) > 1:
                raise ValueError(f'{name}={value} is for one clip, and there are {len(clips)}; name a folder of files')
            is_stored = is_folder and (Path(value) / INFO_FILE).is_file()
            part = _file_of(clip, Path(value)) if is_folder and not is_stored else value
            if part is not None:
                others[name] = part
        found.append(replace(clip, others={**clip.others, **others}))
    return found


def _file_of(clip: ClipInput, folder: Path) -> Path | None:
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.stem == Path(clip.name).stem)
    if len(files) > 1:
        raise ValueError(f'{folder} has several files of {clip.name}: {", ".join(path.name for path in files)}')
    return files[0] if files else None


def check_names(clip: ClipInput, names: Collection[str]) -> None:
    """Refuses what belongs to no stream of the model.

    Raises:
        ValueError: If the clip gives another stream.
    """
    unknown = sorted(set(clip.others) - set(names))
    if unknown:
        raise ValueError(
            f'{clip.name}: the input gives {unknown}, which the model does not read; '
            f'{f"it reads {list(names)}" if names else "it reads pictures and sound"}'
        )


def _read_feature(name: str, value: Any, reading: Reading, clip: str) -> np.ndarray:
    source, width = name, reading.width
    if isinstance(value, (str, Path)):
        path = Path(value).expanduser()
        if path.is_dir():
            value, source = feature_of_clip(path, clip, reading.stored_column)
        elif path.is_file() and path.suffix != '.npy':
            raise MediaError(
                f'{path}: the model takes {name} as a feature, not as media; extract features of these clips '
                f'(tools/extract_features.py), and give their folder: {name}=FOLDER'
            )
        else:
            value, source = load_feature_file(path), str(path)
    try:
        feature = np.asarray(value)
    except ValueError as error:
        raise MediaError(f'{source}: the rows of a feature must have one length ({error})') from error
    if feature.ndim not in (1, 2) or not feature.size or feature.dtype.kind not in 'fiu':
        raise MediaError(f'{source}: a feature must be numbers (D,) or (T, D), got {feature.dtype} {feature.shape}')
    if width is not None and feature.shape[-1] != width:
        raise MediaError(
            f'{source}: the model takes features of length {width} as {name}, got {feature.shape}; extract them as for '
            'the training'
        )
    return feature


def _as_cell(value: Any) -> Any:
    """Returns a cell of a list. The path of an existing file becomes absolute, because cells start from data_root."""
    if isinstance(value, str) and len(value) < _LONGEST_PATH and Path(value).expanduser().exists():
        return str(Path(value).expanduser().resolve())
    return str(value.expanduser().resolve()) if isinstance(value, Path) else value

"""Converts the inputs of a user (paths, folders, arrays, and mixtures of them) to one form."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from hicmae_mm.datasets.clips.listed import ListedClip, read_listed_clips
from hicmae_mm.datasets.preparation.sources import VIDEO_EXTENSIONS, find_files
from hicmae_mm.datasets.readers.folders import visible_names
from hicmae_mm.datasets.readers.tracks import open_container, picture_tracks

AUDIO_EXTENSIONS = (
    *('wav', 'flac', 'mp3', 'm4a', 'aac', 'ogg', 'oga', 'opus', 'wma', 'mka'),
    *('w64', 'aif', 'aiff', 'au', 'caf', 'ac3', 'amr', 'mp2', 'spx', 'wv'),
)
_PICTURE_SUFFIXES = {'.jpg', '.jpeg', '.png', '.bmp', '.webp'}
_LIST_SUFFIXES = ('.csv', '.tsv', '.json', '.jsonl', '.parquet')
_MIN_RATE_HZ = 1000  # sound is never sampled less often; a rate in kHz is less
_MAX_AMPLITUDE = 100.0  # a filter may exceed 1 a little; numbers of integers are far above
_KEYS = ('video', 'audio', 'frames', 'fps', 'waveform', 'sample_rate_hz', 'name')


@dataclass(frozen=True)
class ClipInput:
    """Describes one clip of a user.

    Attributes:
        name: Name of the clip in results.
        video: A video file, a folder of numbered pictures, or frames ``(T, H, W, 3)`` uint8 RGB; None without pictures.
        audio: A file with a sound track, or a waveform ``(S,)`` float32 in -1..1; None without sound.
        fps: Frame rate of ``video`` if it is an array or a folder.
        sample_rate_hz: Sampling rate of ``audio`` if it is an array.
        others: Input for other streams of a model, by their names: a text, a path or an array.
        span: Start and end of the clip in its files (seconds). None means that they are used completely.
        speaker: Name of the speaker; None if it is not known.
        conversation: Name of the conversation that the clip is an utterance of; None if it is not known.
    """

    name: str
    video: Path | np.ndarray | None = None
    audio: Path | np.ndarray | None = None
    fps: float | None = None
    sample_rate_hz: int | None = None
    others: Mapping[str, Any] = field(default_factory=dict)
    span: tuple[float, float] | None = None
    speaker: str | None = None
    conversation: str | None = None

    @property
    def shares_clock(self) -> bool:
        """Returns whether pictures and sound come from one file, so that its time stamps align them."""
        return isinstance(self.audio, Path) and isinstance(self.video, Path) and self.audio == self.video

    @property
    def sound(self) -> Path | np.ndarray | None:
        """Returns the sound; it is None if there is none, for example in a video file without a sound track."""
        is_silent = isinstance(self.audio, Path) and 'audio' not in tracks_of(self.audio)
        return None if is_silent else self.audio


def as_clips(inputs: Any, frame_folder_fps: float = 25.0, others: Collection[str] = ()) -> list[ClipInput]:
    """Lists the clips of an input.

    Args:
        inputs: The path of a media file; the path of a folder of media files, which is searched recursively; the path
            of a folder of numbered pictures, which is one clip; the path of a list of clips
            (:mod:`~hicmae_mm.datasets.clips.listed`); a dictionary (see :func:`clip_of_dict`); a :class:`ClipInput`; or
            a sequence of any of these.
        frame_folder_fps: Frame rate of folders of pictures.
        others: Names of other streams that a dictionary may give.

    Raises:
        FileNotFoundError: If a path does not exist.
        TypeError: If an input is none of these.
        ValueError: If a folder has no media files, or a dictionary is not complete.

    Example:
        >>> silence = dict(waveform=np.zeros(16000), sample_rate_hz=16000, name='silence')
        >>> [clip.name for clip in as_clips([silence])]
        ['silence']
    """
    if isinstance(inputs, (str, Path)):
        return list(_clips_of_path(Path(inputs).expanduser(), frame_folder_fps, others))
    if isinstance(inputs, ClipInput):
        return [inputs]
    if isinstance(inputs, Mapping):
        return [clip_of_dict(inputs, frame_folder_fps, others)]
    if isinstance(inputs, Sequence) and not isinstance(inputs, bytes):
        return [clip for item in inputs for clip in as_clips(item, frame_folder_fps, others)]
    raise TypeError(
        f'an input must be a path, a dictionary or a list of them, got {type(inputs).__name__}; arrays go into a '
        'dictionary: dict(frames=..., fps=25, waveform=..., sample_rate_hz=16000)'
    )


def _clips_of_path(path: Path, frame_folder_fps: float, others: Collection[str]) -> Iterable[ClipInput]:
    if path.is_file() and path.suffix.lower() in _LIST_SUFFIXES:
        return [_clip_of_row(row, frame_folder_fps, others) for row in read_listed_clips(path, others)]
    if path.is_file():
        return [_clip_of_file(path)]
    if not path.is_dir():
        raise FileNotFoundError(f'{path}: no such file or folder')
    if _is_frame_folder(path):
        return [ClipInput(path.name, path, None, frame_folder_fps)]
    return [_clip_of_file(file) for file in find_files(path, (*VIDEO_EXTENSIONS, *AUDIO_EXTENSIONS))]


def _clip_of_row(row: ListedClip, frame_folder_fps: float, others: Collection[str]) -> ClipInput:
    try:
        clip = clip_of_dict(row.given, frame_folder_fps, others)
    except FileNotFoundError as error:
        raise FileNotFoundError(f'{row.place}: {error}') from error
    except ValueError as error:
        raise ValueError(f'{row.place}: {error}') from error
    return replace(clip, span=row.span, speaker=row.speaker, conversation=row.conversation)


def _is_frame_folder(path: Path) -> bool:
    suffixes = {Path(name).suffix.lower() for name in visible_names(path)}
    media = {f'.{extension}' for extension in (*VIDEO_EXTENSIONS, *AUDIO_EXTENSIONS)}
    return bool(suffixes & _PICTURE_SUFFIXES) and not suffixes & media


def _clip_of_file(path: Path) -> ClipInput:
    is_sound = path.suffix.lower().lstrip('.') in AUDIO_EXTENSIONS
    return ClipInput(path.name, None if is_sound else path, path)


def clip_of_dict(record: Mapping[str, Any], frame_folder_fps: float = 25.0, others: Collection[str] = ()) -> ClipInput:
    """Makes a clip from a dictionary.

    Args:
        record: ``video`` (path of a file or a folder of pictures) or ``frames`` ((T, H, W, 3) uint8 RGB, with ``fps``);
            ``audio`` (path) or ``waveform`` ((S,) or (C, S) in -1..1, with ``sample_rate_hz``); ``name``. Without the
            key ``audio`` the sound track of a video file is used; ``audio=None`` leaves the sound out. Besides, what
            belongs to ``others``.
        frame_folder_fps: Frame rate of a folder of pictures if the record has no ``fps``.
        others: Names of streams that are given as they are: a text, a path or an array.

    Raises:
        FileNotFoundError: If a path does not exist.
        TypeError: If frames or a waveform have the wrong type.
        ValueError: If a key is unknown or missing, or an array has the wrong shape.
    """
    given = {key: record[key] for key in record if key in others and record[key] is not None}
    record = {key: value for key, value in record.items() if key not in others}
    unknown = sorted(set(record) - set(_KEYS))
    if unknown:
        raise ValueError(f'an input has the unknown keys {unknown}; expected some of {(*_KEYS, *others)}')
    if not given and not any(record.get(key) is not None for key in ('video', 'frames', 'audio', 'waveform')):
        raise ValueError(
            f"an input needs 'video' or 'frames', 'audio' or 'waveform'{''.join(f' or {name!r}' for name in others)}, "
            f'got the keys {sorted(record)}'
        )
    fps = record.get('fps')
    video: Path | np.ndarray | None = None
    audio: Path | np.ndarray | None = None
    if record.get('frames') is not None:
        video = _checked_frames(record['frames'], fps)
    elif record.get('video') is not None:
        video = _existing(record['video'])
    if record.get('waveform') is not None:
        audio = _checked_waveform(record['waveform'], record.get('sample_rate_hz'))
    elif record.get('audio') is not None:
        audio = _existing(record['audio'])
    elif isinstance(video, Path) and video.is_file() and 'audio' not in record:
        audio = video
    path = next((part for part in (video, audio, *given.values()) if isinstance(part, Path)), None)
    name = record.get('name') or ('clip' if path is None else path.name)
    if isinstance(video, Path) and video.is_dir() and fps is None:
        fps = frame_folder_fps
    rate_hz = record.get('sample_rate_hz')
    return ClipInput(str(name), video, audio, fps, None if rate_hz is None else int(rate_hz), given)


def _existing(path: str | Path) -> Path:
    path = Path(path).expanduser()
    if not path.exists():
        raise FileNotFoundError(f'{path}: no such file or folder')
    return path


def _as_array(given: Any) -> np.ndarray:
    """Returns an array, also of a tensor on a device, with gradients, or of a type that NumPy does not have."""
    if not isinstance(given, Tensor):
        return np.asarray(given)
    tensor = given.detach().cpu()
    array: np.ndarray = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    return array


def _is_rate(value: Any, least: float) -> bool:
    return isinstance(value, Real) and math.isfinite(value) and float(value) >= least


def _checked_frames(given: Any, fps: Any) -> np.ndarray:
    frames = _as_array(given)
    if frames.dtype != np.uint8:
        raise TypeError(f'frames must be uint8 RGB in 0..255, got {frames.dtype}')
    if frames.ndim != 4 or frames.shape[3] != 3 or 0 in frames.shape:
        raise ValueError(f'frames must be (T, H, W, 3) with T at least 1, got {frames.shape}')
    if not _is_rate(fps, 0) or fps == 0:
        raise ValueError(f'frames need their rate, fps above 0, got {fps!r}')
    return frames


def _checked_waveform(waveform: Any, sample_rate_hz: Any) -> np.ndarray:
    samples = _as_array(waveform)
    if not np.issubdtype(samples.dtype, np.floating):
        raise TypeError(
            f'a waveform must have floating point numbers in -1..1, got {samples.dtype}; divide integers by their '
            'largest value, such as 32768 for int16'
        )
    if samples.ndim not in (1, 2) or samples.size == 0 or (samples.ndim == 2 and len(samples) > samples.shape[1]):
        raise ValueError(f'a waveform must be (S,) or (C, S), C channels, S at least 1, got {samples.shape}')
    if not _is_rate(sample_rate_hz, _MIN_RATE_HZ) or sample_rate_hz != int(sample_rate_hz):
        raise ValueError(
            f'a waveform needs its sample_rate_hz, a whole number of at least {_MIN_RATE_HZ} Hz, got {sample_rate_hz!r}'
        )
    peak = max(abs(float(samples.max())), abs(float(samples.min())))
    if _MAX_AMPLITUDE < peak < math.inf:  # what is not finite is refused where files with it are, too
        raise ValueError(
            f'a waveform must be in -1..1, got numbers up to {peak:g}; divide those of an int16 file by 32768'
        )
    mono = samples if samples.ndim == 1 else samples.mean(axis=0)
    return np.ascontiguousarray(mono, dtype=np.float32)


def tracks_of(path: Path) -> set[str]:
    """Returns which of ``'video'`` and ``'audio'`` a media file has. Cover art does not count as video.

    Raises:
        FileNotFoundError: If there is no such file.
        MediaError: If the file is truncated, or not a media file.
    """
    with open_container(path) as container:
        found = {'video': picture_tracks(container), 'audio': container.streams.audio}
        return {name for name, tracks in found.items() if tracks}

"""From the files of a clip to what goes into a shard."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hicmae_mm.datasets.annotations import LabelParser, load_annotations
from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.readers.audio import AlignedAudio, AudioReader, open_audio
from hicmae_mm.datasets.readers.video import FrameFolderReader, VideoReader, decode_image, open_video
from hicmae_mm.datasets.records import columns_of
from hicmae_mm.datasets.resampling import resample_waveform
from hicmae_mm.datasets.shards.clip import SOUND, clip_members

_CHUNK = 64  # frames decoded at once
_STAMP_ROUNDING_SECONDS = 6e-4  # containers round time stamps to milliseconds
_JPEG_SUFFIXES = {'.jpg', '.jpeg'}


@dataclass(frozen=True, slots=True)
class ListedClip:
    """Describes a line of an annotation list.

    Attributes:
        sample_id: Name of the clip.
        position: Position in the list.
        label: Label columns, as they are there.
        streams: Streams of the clip according to the list; all that are asked for, if it says nothing.
        video: File or folder.
        audio: File; None means the sound track of the video.
        columns: Further columns of the list.
    """

    sample_id: str
    position: str
    label: tuple[Any, ...]
    streams: tuple[str, ...]
    video: str | None
    audio: str | None
    columns: Mapping[str, Any] = field(default_factory=dict)


class _LabelsAsWritten(LabelParser):
    def parse(self, fields: Sequence[Any]) -> dict[str, Any]:
        return dict(label=tuple(fields))


def read_list(
    ann_file: str | Path, data_root: str | Path = '', streams: Sequence[str] = ('video', 'audio')
) -> tuple[list[ListedClip], dict[str, Any]]:
    """Reads an annotation list, text or JSON, without asking what its label columns mean.

    Args:
        ann_file: The list.
        data_root: Folder that its paths start from.
        streams: Streams to pack.

    Returns:
        Its clips, and the meta information of a JSON list.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it has no clips, or one is malformed.
    """
    records, metainfo = load_annotations(str(ann_file), _LabelsAsWritten('unlabelled'))
    clips, root = [], str(data_root)
    for record in records:
        # pathlib would take 20 s for a million clips
        paths = {key: record[key] and os.path.join(root, record[key]) for key in ('video', 'audio')}  # noqa: PTH118
        named, absent = record.get('streams', streams), record.get('absent', ())
        has = tuple(name for name in streams if name in named and name not in absent)
        name = record.get('sample_id') or record['video'] or record['audio']
        if name is None or 'span' in record:
            raise ValueError(
                f'{ann_file}, {record["position"]}: shards hold whole files of pictures and sound, and this row names '
                f'{"a part of a longer file" if name else "neither"}; cut the file, or train on the table itself'
            )
        clips.append(ListedClip(name, record['position'], record['label'], has, **paths, columns=columns_of(record)))
    return clips, metainfo


@dataclass(frozen=True)
class ClipPacker:
    """Makes the members of a clip; called in worker processes.

    Attributes:
        crop: Rectangle that is cut out of every frame: top, left, height, width. None means all of it.
        size: Height and width that frames are scaled to, after the crop. None means as they are.
        fps: Frames per second, of which the nearest earlier frame is taken. None means every frame.
        quality: Quality of the JPEG files, 1..100. JPEG files that need no change are copied.
        audio_format: ``'flac'`` or ``'pcm'``, mono with 16 bits.
        sample_rate_hz: Sample rate of the stored sound. None keeps that of the file.
        backend: Decoder; see :func:`~hicmae_mm.datasets.readers.video.open_video`.
        frame_folder_fps: Frame rate of folders of frames.

    Raises:
        ValueError: If an option is out of range.
    """

    crop: tuple[int, int, int, int] | None = None
    size: tuple[int, int] | None = None
    fps: float | None = None
    quality: int = 90
    audio_format: str = 'flac'
    sample_rate_hz: int | None = None
    backend: str | None = None
    frame_folder_fps: float | None = None

    def __post_init__(self) -> None:
        if self.crop is not None and (min(self.crop[:2]) < 0 or min(self.crop[2:]) < 1):
            raise ValueError(f'crop needs top, left of 0 or more and height, width of 1 or more, got {self.crop}')
        if self.size is not None and min(self.size) < 1:
            raise ValueError(f'size must be at least 1, got {self.size}')
        if not 1 <= self.quality <= 100:
            raise ValueError(f'quality must lie in 1..100, got {self.quality}')
        if self.audio_format not in SOUND:
            raise ValueError(f'audio must be one of {tuple(SOUND)}, got {self.audio_format!r}')
        for name in ('fps', 'sample_rate_hz', 'frame_folder_fps'):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f'{name} must be above 0, got {value}')

    def __call__(self, clip: ListedClip) -> dict[str, bytes]:
        """Packs a clip.

        Returns:
            Members, by their ending.

        Raises:
            FileNotFoundError: If a file is missing.
            MediaError: If one is broken, or too small for the crop.
            ValueError: If ``fps`` is asked of folders whose frame rate is unknown.
        """
        if not clip.streams:
            raise MediaError('the list says that the clip has none of the streams to be packed')
        frames, fps, seconds, sound, rate, sound_start = None, None, None, None, 0, None
        if 'video' in clip.streams:
            frames, fps, seconds = self._pack_video(clip)
        if 'audio' in clip.streams:
            sound, rate, sound_start = self._read_sound(clip)
        about: dict[str, Any] = dict(
            sample_id=clip.sample_id, position=clip.position, label=list(clip.label), streams=list(clip.streams)
        )
        about |= dict(columns=dict(clip.columns)) if clip.columns else {}
        return clip_members(about, frames, fps, seconds, sound, rate, self.audio_format, sound_start)

    def _pack_video(self, clip: ListedClip) -> tuple[list[bytes], float | None, list[float] | None]:
        """Returns JPEG files, frames per second, and time stamps where these are not regular."""
        if clip.video is None:
            raise MediaError('the list names no video; pack the sound alone with --streams audio')
        reader = open_video(clip.video, self.backend, self.frame_folder_fps)
        try:
            indices, fps = list(range(reader.num_frames)), reader.fps
            if self.fps is not None:
                if fps is None:
                    raise ValueError('--fps needs the frame rate of folders of frames: --frame-folder-fps')
                starts = [reader.frame_seconds(index)[0] for index in indices]
                indices, fps = resampled_frames(starts, self.fps), self.fps
            frames, shapes = zip(*self._encoded_frames(reader, indices))
            if len(set(shapes)) > 1:
                raise MediaError(f'{clip.video}: frames of different sizes, {sorted(set(shapes))}')
            return list(frames), fps, self._seconds(reader, len(frames))
        finally:
            reader.close()

    def _encoded_frames(self, reader: VideoReader, indices: Sequence[int]) -> Iterator[tuple[bytes, tuple[int, ...]]]:
        """Yields (JPEG file, its height and width)."""
        if isinstance(reader, FrameFolderReader) and self.crop is None and self.size is None:
            for index in indices:
                data = reader.files[index].read_bytes()
                frame = decode_image(data, reader.files[index])  # a broken one must not be packed
                yield (data if reader.files[index].suffix.lower() in _JPEG_SUFFIXES else self._jpeg(frame)), frame.shape
            return
        for start in range(0, len(indices), _CHUNK):
            chunk = indices[start : start + _CHUNK]
            unique, inverse = np.unique(chunk, return_inverse=True)
            frames = reader.read(unique.tolist())
            for position in inverse:
                frame = self._framed(frames[position])
                yield self._jpeg(frame), frame.shape

    def _framed(self, frame: np.ndarray) -> np.ndarray:
        """Crops and scales a frame ``(H, W, 3)``."""
        if self.crop is not None:
            top, left, height, width = self.crop
            if top + height > frame.shape[0] or left + width > frame.shape[1]:
                raise MediaError(f'frames of {frame.shape[:2]} are too small for the crop {self.crop}')
            frame = frame[top : top + height, left : left + width]
        if self.size is not None and frame.shape[:2] != self.size:
            shrinks = self.size[0] < frame.shape[0]
            frame = cv2.resize(frame, self.size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        return frame

    def _jpeg(self, frame: np.ndarray) -> bytes:
        _, data = cv2.imencode('.jpg', cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, self.quality))
        return data.tobytes()

    def _seconds(self, reader: VideoReader, num_frames: int) -> list[float] | None:
        """Returns the start of every frame and end of the last, unless they are just ``index / fps``."""
        if reader.fps is None:
            return None
        first = reader.frame_seconds(0)[0]
        if self.fps is not None:
            return None if first == 0 else [first + index / self.fps for index in range(num_frames + 1)]
        seconds = [reader.frame_seconds(index)[0] for index in range(num_frames)]
        seconds.append(reader.frame_seconds(num_frames - 1)[1])
        regular = [index / reader.fps for index in range(num_frames + 1)]
        return None if seconds == regular else seconds

    def _read_sound(self, clip: ListedClip) -> tuple[np.ndarray, int, float | None]:
        """Reads the whole track: ``(S,)`` float32, its rate, and its start if it is in the file of the pictures."""
        path = clip.audio or clip.video
        if path is None:
            raise MediaError('the list names no sound; pack the pictures alone with --streams video')
        reader: AudioReader = open_audio(path)
        with_pictures = 'video' in clip.streams
        try:
            shares_clock = with_pictures and path == clip.video
            start_seconds = reader.start_seconds if shares_clock else None
            if with_pictures and not shares_clock:
                reader = AlignedAudio(reader)
            rate, samples = reader.sample_rate_hz, reader.read(0, reader.num_samples)
        finally:
            reader.close()
        wanted = self.sample_rate_hz or rate
        return resample_waveform(samples, rate, wanted), wanted, start_seconds


def resampled_frames(starts: Sequence[float], wanted_fps: float) -> list[int]:
    """Finds for every frame at another rate the frame that is shown at its time.

    Args:
        starts: Time at which each frame is shown (s), ascending.
        wanted_fps: The rate; the first frame at it starts with the first there is.
    """
    last = starts[-1] - starts[0] + _STAMP_ROUNDING_SECONDS
    moments = starts[0] + np.arange(int(last * wanted_fps) + 1) / wanted_fps + _STAMP_ROUNDING_SECONDS
    indices: list[int] = (np.searchsorted(starts, moments, side='right') - 1).tolist()
    return indices

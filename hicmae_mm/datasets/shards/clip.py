"""Defines how the tar records of a clip in a shard are laid out, and reads its frames and its sound.

A clip is a WebDataset sample of up to three members, in this order:

* ``KEY.json``: name, labels, and what the other two hold;
* ``KEY.sound.flac`` or ``KEY.sound.pcm`` (16 bits, little endian, mono);
* ``KEY.video.jpgs``: the frames as JPEG files, one behind the other; the json says where each begins.

Reading a few frames takes the json and the bytes of these frames, and nothing else.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import soundfile

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.readers.audio import AudioReader, SoundFileReader
from hicmae_mm.datasets.readers.video import decode_image
from hicmae_mm.datasets.shards.metadata import check_clip_meta

META, FRAMES = 'json', 'video.jpgs'
SOUND = {'flac': 'sound.flac', 'pcm': 'sound.pcm'}
_BLOCK = tarfile.BLOCKSIZE  # of tar files: records and their headers start at its multiples
_FIRST_READ = 16 * _BLOCK  # takes in the header and the json of most clips
_LARGEST_GAP = 2**16  # bytes between wanted frames that are cheaper to read than to leave out
_FULL_SCALE = 32768.0


class ByteSource(Protocol):
    """Declares how the bytes of one clip are read, wherever they are.

    Attributes:
        size: Number of bytes.
    """

    size: int

    def read(self, start: int, stop: int) -> bytes | memoryview:
        """Bytes ``start..stop-1``, counted from the beginning of the clip."""


class PackedClip:
    """Reads a clip in a shard: the json when it is made, frames and sound when they are requested.

    Args:
        source: Bytes of the clip.

    Attributes:
        meta: The json: ``sample_id``, ``label`` (columns, as they were in the list), ``streams``, ``video`` and
            ``audio``.

    Raises:
        MediaError: If the shard holds something else at this place.
    """

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        head = source.read(0, min(_FIRST_READ, source.size))
        try:
            record = tarfile.TarInfo.frombuf(bytes(head[:_BLOCK]), 'utf-8', 'strict')
            if not record.name.endswith(f'.{META}'):
                raise ValueError(f'a record {record.name!r} instead of the json')
            self._meta_end = _BLOCK + record.size
            if self._meta_end > source.size:
                raise ValueError(f'a description of {record.size} bytes')
            if self._meta_end > len(head):
                head = source.read(0, self._meta_end)
            self.meta = check_clip_meta(json.loads(bytes(head[_BLOCK : self._meta_end])))
        except (tarfile.HeaderError, ValueError, RecursionError) as error:
            raise MediaError(
                f'no clip is here ({error}); shard and index do not belong together, or the shard is damaged: copy or '
                'pack it again'
            ) from error
        self.name: str = self.meta['sample_id']

    @property
    def shares_clock(self) -> bool:
        """Returns whether pictures and sound come from one file, whose time stamps say what belongs together."""
        return 'start_seconds' in (self.meta['audio'] or ())

    def open_video(self) -> PackedVideoReader:
        """Opens a reader of the frames.

        Raises:
            MediaError: If the clip has none.
        """
        if self.meta['video'] is None:
            raise MediaError(f'{self.name}: the clip was packed without pictures')
        start = _next_block(self._meta_end) + _BLOCK
        if self.meta['audio'] is not None:
            start += _next_block(self.meta['audio']['num_bytes']) + _BLOCK
        return PackedVideoReader(self._source, start, self.meta['video'], self.name)

    def open_audio(self) -> AudioReader:
        """Opens a reader of the sound.

        Raises:
            MediaError: If the clip has none, or it is damaged.
        """
        about = self.meta['audio']
        if about is None:
            raise MediaError(f'{self.name}: the clip was packed without sound')
        start = _next_block(self._meta_end) + _BLOCK
        if about['format'] == 'pcm':
            return PcmReader(self._source, start, about, self.name)
        data = io.BytesIO(self._source.read(start, start + about['num_bytes']))
        return SoundFileReader(data, self.name, about.get('start_seconds', 0.0))


def _next_block(offset: int) -> int:
    return -(-offset // _BLOCK) * _BLOCK


class PackedVideoReader:
    """Frames of a clip; see :class:`~hicmae_mm.datasets.readers.video.VideoReader`."""

    def __init__(self, source: ByteSource, start: int, about: dict[str, Any], name: str) -> None:
        self._source, self._start, self._name = source, start, name
        self._offsets: list[int] = about['offsets']
        self._seconds: list[float] | None = about.get('seconds')
        self.num_frames = len(self._offsets) - 1
        self.fps: float | None = about['fps']

    def read(self, indices: Sequence[int]) -> np.ndarray:
        """See :class:`~hicmae_mm.datasets.readers.video.VideoReader`."""
        frames = None
        for slot, (index, data) in enumerate(self._pictures(indices)):
            frame = decode_image(data, f'{self._name}, frame {index} of {self.num_frames}')
            if frames is None:
                frames = np.empty((len(indices), *frame.shape), dtype=np.uint8)
            if frame.shape != frames.shape[1:]:
                raise MediaError(f'{self._name}: frame {index} is {frame.shape[:2]}, others {frames.shape[1:3]}')
            frames[slot] = frame
        if frames is None:
            raise ValueError('read needs at least one index')
        return frames

    def _pictures(self, indices: Sequence[int]) -> Iterator[tuple[int, bytes | memoryview]]:
        """Yields (index, JPEG file); neighbours are read at once."""
        groups: list[list[int]] = []
        for index in indices:
            if groups and self._offsets[index] - self._offsets[groups[-1][-1] + 1] <= _LARGEST_GAP:
                groups[-1].append(index)
            else:
                groups.append([index])
        for group in groups:
            begin = self._offsets[group[0]]
            data = self._source.read(self._start + begin, self._start + self._offsets[group[-1] + 1])
            for index in group:
                yield index, data[self._offsets[index] - begin : self._offsets[index + 1] - begin]

    def frame_seconds(self, index: int) -> tuple[float, float]:
        """See :class:`~hicmae_mm.datasets.readers.video.VideoReader`."""
        if self._seconds is not None:
            return self._seconds[index], self._seconds[index + 1]
        if self.fps is None:
            raise ValueError(
                f'{self._name}: packed from folders of frames without --frame-folder-fps, so there are no time stamps; '
                "pack again, or use audio_alignment='fraction'"
            )
        return index / self.fps, (index + 1) / self.fps

    def close(self) -> None:
        """See :class:`~hicmae_mm.datasets.readers.video.VideoReader`."""


class PcmReader:
    """Reads sound as it is stored; only the requested part is read."""

    note: str | None = None

    def __init__(self, source: ByteSource, start: int, about: dict[str, Any], name: str) -> None:
        self._source, self._start, self._name = source, start, name
        self.start_seconds: float = about.get('start_seconds', 0.0)
        self.sample_rate_hz: int = about['sample_rate_hz']
        self.num_samples: int = about['num_samples']

    def read(self, start: int, stop: int) -> np.ndarray:
        """See :class:`~hicmae_mm.datasets.readers.audio.AudioReader`."""
        if not 0 <= start <= stop <= self.num_samples:
            raise MediaError(f'{self._name}: samples {start}..{stop} wanted, {self.num_samples} there')
        data = self._source.read(self._start + 2 * start, self._start + 2 * stop)
        samples: np.ndarray = np.frombuffer(data, dtype='<i2').astype(np.float32) / np.float32(_FULL_SCALE)
        return samples

    def close(self) -> None:
        """See :class:`~hicmae_mm.datasets.readers.audio.AudioReader`."""


def clip_members(
    about: dict[str, Any],
    frames: Sequence[bytes] | None,
    fps: float | None,
    seconds: Sequence[float] | None,
    sound: np.ndarray | None,
    sample_rate_hz: int,
    audio_format: str,
    sound_start_seconds: float | None = None,
) -> dict[str, bytes]:
    """Returns the members of a clip by their suffix.

    Args:
        about: Entries of the json besides ``video`` and ``audio``.
        frames: JPEG files; None means the clip has no pictures.
        fps: Frames per second, None if unknown.
        seconds: Start of every frame and end of the last; None means ``index / fps``.
        sound: ``(S,)`` in -1..1; None means the clip has no sound.
        sample_rate_hz: Rate of ``sound``.
        audio_format: ``'flac'`` or ``'pcm'``.
        sound_start_seconds: Time at which the sound starts on the clock of ``seconds``; None means it is from a file of
            its own.
    """
    meta: dict[str, Any] = dict(about, video=None, audio=None)
    members = {}
    if frames is not None:
        meta['video'] = dict(
            num_frames=len(frames), fps=fps, offsets=[0, *np.cumsum([len(f) for f in frames]).tolist()]
        )
        if seconds is not None:
            meta['video']['seconds'] = list(seconds)
        members[FRAMES] = b''.join(frames)
    if sound is not None:
        samples = np.rint(sound * _FULL_SCALE).clip(-_FULL_SCALE, _FULL_SCALE - 1).astype('<i2')
        data = samples.tobytes() if audio_format == 'pcm' else _flac(samples, sample_rate_hz)
        meta['audio'] = dict(
            format=audio_format, sample_rate_hz=sample_rate_hz, num_samples=len(samples), num_bytes=len(data)
        )
        if sound_start_seconds is not None:
            meta['audio']['start_seconds'] = sound_start_seconds
        members[SOUND[audio_format]] = data
    members[META] = json.dumps(meta, separators=(',', ':'), ensure_ascii=False, default=str).encode()
    return members


def _flac(samples: np.ndarray, sample_rate_hz: int) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, sample_rate_hz, format='FLAC', subtype='PCM_16')
    return buffer.getvalue()

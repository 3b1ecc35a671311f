"""Writes the media files of the synthetic corpus, of the tests, and of cut recordings."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import cv2
import numpy as np
import soundfile

_AUDIO_CHUNK = 1024  # samples per AAC frame
# mbtree=0: in x264 165, mbtree with B-frames reads uninitialised memory in small pictures, so the bytes would vary
_VIDEO_OPTIONS = {'preset': 'veryfast', 'tune': 'fastdecode', 'x264-params': 'mbtree=0'}


def write_video(
    path: str | Path,
    frames: Iterable[np.ndarray] | np.ndarray,
    fps: float,
    waveform: np.ndarray | None = None,
    sample_rate_hz: int = 16000,
    crf: int = 18,
) -> None:
    """Writes an mp4 with an H.264 (yuv420p) picture track and, if given, a mono AAC sound track.

    The same input gives the same bytes, because there is one encoder thread and the container stores no creation time.

    Args:
        path: The file to write. An existing file is overwritten, and a missing folder is made.
        frames: ``(T, H, W, 3)`` uint8 RGB, or an iterable of ``(H, W, 3)``, of which only one is in memory at a time. H
            and W are even, T is at least 1.
        fps: Frames per second, above 0.
        waveform: ``(S,)`` samples in -1..1; None writes no sound track.
        sample_rate_hz: Sampling rate of ``waveform``; one that AAC supports (8000, 16000, 22050, 44100, 48000, ...).
        crf: H.264 rate factor, 0 (lossless) to 51. A larger value gives a smaller file.

    Raises:
        ValueError: If a shape, the frame rate or the number of frames is not valid.
        TypeError: If the frames are not uint8.
    """
    if fps <= 0:
        raise ValueError(f'fps must be above 0, got {fps}')
    iterator = iter(frames)
    first = next(iterator, None)
    if first is None:
        raise ValueError(f'{path}: no frames to write, expected at least one (H, W, 3) array')
    _check_frame(first, first.shape)
    samples = None if waveform is None else _as_mono(waveform)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), 'w', format='mp4') as container:
        rate = Fraction(fps).limit_denominator(1001)
        video = container.add_stream('libx264', rate=rate, options={'crf': str(crf), **_VIDEO_OPTIONS})
        video.height, video.width = first.shape[:2]
        video.pix_fmt = 'yuv420p'
        video.codec_context.thread_count = 1
        audio = None
        if samples is not None:
            audio = container.add_stream('aac', rate=sample_rate_hz, layout='mono')
            audio.bit_rate = 64000
        for frame in chain([first], iterator):
            _check_frame(frame, first.shape)
            container.mux(video.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format='rgb24')))
        container.mux(video.encode())
        if audio is not None and samples is not None:
            for sound in _audio_frames(samples, sample_rate_hz):
                container.mux(audio.encode(sound))
            container.mux(audio.encode())


def write_wav(path: str | Path, waveform: np.ndarray, sample_rate_hz: int = 16000) -> None:
    """Writes a 16-bit PCM wav file.

    Args:
        path: The file to write. A missing folder is made.
        waveform: ``(S,)`` mono or ``(S, C)`` samples in -1..1.
        sample_rate_hz: Sampling rate of ``waveform``.

    Raises:
        ValueError: If the waveform is empty or has more than two dimensions.
    """
    waveform = np.asarray(waveform, dtype=np.float32)
    if waveform.ndim not in (1, 2) or waveform.shape[0] == 0:
        raise ValueError(f'waveform must be (S,) or (S, C) with S > 0, got shape {waveform.shape}')
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()  # soundfile does not notice a full disk
    soundfile.write(content, waveform, sample_rate_hz, subtype='PCM_16', format='WAV')
    write_content(Path(path), content.getvalue())


def write_picture(path: str | Path, frame: np.ndarray) -> None:
    """Writes a picture ``(H, W, 3)`` RGB in the format that the end of its name says; JPEG in quality 95."""
    is_encoded, content = cv2.imencode(Path(path).suffix, frame[..., ::-1])
    if not is_encoded:
        raise ValueError(f'{path}: a picture of shape {frame.shape} cannot be encoded')
    write_content(Path(path), content.tobytes())


def write_content(path: Path, content: bytes) -> None:
    """Writes a file. An error of the operating system names it."""
    try:
        path.write_bytes(content)
    except OSError as error:
        error.filename = str(path)
        raise


def _check_frame(frame: np.ndarray, shape: tuple[int, ...]) -> None:
    if frame.dtype != np.uint8:
        raise TypeError(f'frames must be uint8 in 0..255, got {frame.dtype}; convert with .astype(np.uint8)')
    if frame.ndim != 3 or frame.shape[2] != 3:
        raise ValueError(f'every frame must be (H, W, 3) RGB, got shape {frame.shape}')
    if frame.shape != shape:
        raise ValueError(f'every frame must have the shape of the first, {shape}, got {frame.shape}')
    if frame.shape[0] % 2 or frame.shape[1] % 2:
        raise ValueError(f'H.264 in yuv420p needs an even height and width, got {frame.shape[:2]}')


def _as_mono(waveform: np.ndarray) -> np.ndarray:
    samples = np.asarray(waveform, dtype=np.float32)
    if samples.ndim != 1 or samples.size == 0:
        raise ValueError(f'waveform must be mono (S,) with S > 0, got shape {samples.shape}')
    return np.clip(samples, -1.0, 1.0)


def _audio_frames(samples: np.ndarray, sample_rate_hz: int) -> Iterator[av.AudioFrame]:
    for start in range(0, len(samples), _AUDIO_CHUNK):
        chunk = np.ascontiguousarray(samples[None, start : start + _AUDIO_CHUNK])
        frame = av.AudioFrame.from_ndarray(chunk, format='fltp', layout='mono')
        frame.sample_rate = sample_rate_hz
        frame.pts = start
        frame.time_base = Fraction(1, sample_rate_hz)
        yield frame

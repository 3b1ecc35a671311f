"""Opens a video, chooses the frames and the audio spans of its clips, and decodes the frames."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.readers.frame_cache import FrameCache
from hicmae_mm.datasets.readers.spans import VideoPart
from hicmae_mm.datasets.readers.video import BACKENDS, VideoReader, open_video
from hicmae_mm.datasets.transforms.sound import follows_pictures, open_sound
from hicmae_mm.datasets.transforms.temporal import (
    AudioSpan,
    fraction_span,
    last_covered_frame,
    pretrain_frame_indices,
    train_frame_indices,
    view_frame_indices,
)
from hicmae_mm.registry import TRANSFORMS

_PLACEHOLDER_SHAPE = (256, 256)  # img_shape for spatial transforms if there are no pictures


@TRANSFORMS.register_module()
class OpenVideo(BaseTransform):
    """Opens a video file or a folder of numbered frames.

    If the sample has no video stream (``streams=('audio',)``), the video is not opened. Frames are then counted on the
    sound track at ``nominal_fps``, so that the same sampling rules choose the same time spans. A clip of other streams
    alone, such as a text, counts as one frame.

    Required keys: ``streams``, and ``video_path`` with ``audio_path``, or ``packed_clip``, which is a clip of a shard.
    If the sample is a ``span`` of a longer file, all later steps see only the frames and the sound of the span, and
    ``first_frame`` is the number of its first frame in the file.
    Added keys: ``video_reader`` (None without video), ``total_frames``, ``avg_fps``, ``img_shape`` and ``modality``.
    The last two are placeholders that MMAction2's transforms need.

    Args:
        backend: ``'pyav'`` (also the meaning of None), or ``'decord'``, which uses decord for plain H.264 mp4 files and
            PyAV for all others.
        frame_folder_fps: Frame rate of folders of frames. Only time stamps need it.
        nominal_fps: Assumed frame rate of samples without a video stream.
        cache_gigabytes: Memory (10^9 bytes) for decoded videos, which the workers of a data loader share and keep over
            epochs; 0 keeps none. It pays if most of the corpus fits: a video takes frames x height x width x 3 bytes.
            Clips of shards are not cached.

    Raises:
        ValueError: If the backend is unknown, or ``cache_gigabytes`` is below 0.
    """

    def __init__(
        self,
        backend: str | None = None,
        frame_folder_fps: float | None = None,
        nominal_fps: float = 25.0,
        cache_gigabytes: float = 0.0,
    ) -> None:
        if backend is not None and backend not in BACKENDS:
            raise ValueError(f'backend must be one of {BACKENDS} or None, got {backend!r}')
        if cache_gigabytes < 0:
            raise ValueError(f'cache_gigabytes must be at least 0, got {cache_gigabytes}')
        self.backend = backend
        self.frame_folder_fps = frame_folder_fps
        self.nominal_fps = nominal_fps
        self.cache = FrameCache(int(cache_gigabytes * 1e9)) if cache_gigabytes else None

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Adds the reader and the number of frames."""
        results['modality'] = 'RGB'
        results['img_shape'] = _PLACEHOLDER_SHAPE
        packed = results.get('packed_clip')
        if 'video' in results['streams']:
            if packed is not None:
                reader = packed.open_video()
            else:
                reader = self._open(results['video_path'])
            if results.get('span') is not None:
                part = VideoPart(reader, results['span'], results['video_path'])
                reader, results['first_frame'] = part, part.first_frame
            results['video_reader'] = reader
            results['total_frames'], results['avg_fps'] = reader.num_frames, reader.fps
            return results
        results['video_reader'], results['avg_fps'] = None, self.nominal_fps
        results['total_frames'] = max(int(_sound_seconds(results) * self.nominal_fps), 1)
        return results

    def _open(self, path: str | None) -> VideoReader:
        if path is None:
            raise MediaError("the sample names no video, and streams has 'video'; leave it out by streams=('audio',)")
        open_file = partial(open_video, path, self.backend, self.frame_folder_fps)
        return open_file() if self.cache is None else self.cache.open(path, open_file)


def _sound_seconds(results: dict[str, Any]) -> float:
    """Returns the length of the sound; it is 0 if the clip needs no sound and has none, such as a text alone."""
    packed = results.get('packed_clip')
    paths = (results.get('audio_path'), results.get('video_path'))
    has_sound = any(path is not None for path in paths) if packed is None else getattr(packed, 'has_sound', True)
    if 'audio' not in results['streams'] and not has_sound:
        return 0.0
    sound = open_sound(results)
    seconds = sound.num_samples / sound.sample_rate_hz
    sound.close()
    return seconds


@TRANSFORMS.register_module()
class SampleClips(BaseTransform):
    """Chooses the frames and the audio span of one clip (training) or of several views (testing).

    Required keys: ``streams``, ``video_reader``, ``total_frames``, ``avg_fps``. Added keys: ``frame_inds`` (V*T,),
    ``clip_len``, ``frame_interval``, ``num_clips`` = V, and ``audio_spans``, a list of V spans, which is empty without
    an audio stream.

    Args:
        mode: ``'pretrain'``, ``'train'`` (fine-tuning) or ``'test'``; the rules are in ``temporal.py``.
        clip_len: Number of frames T of a clip.
        frame_interval: Distance between neighbouring frames.
        num_clips: Number of temporal views; more than one needs ``mode='test'``.
        audio_alignment: ``'timestamps'`` places the audio span by the times of the frames. ``'fraction'`` uses the
            relative positions of the frames: Relative to the length of a separate sound file, or relative to the
            duration of the pictures if the sound is in the file of the video. None means, as published, time stamps
            for pre-training and fractions else.
        merge_identical_views: Whether to keep only one view if all of them are equal, as for short videos. The
            averaged scores do not change.

    Raises:
        ValueError: If an argument is unknown or out of range.
    """

    def __init__(
        self,
        mode: str,
        clip_len: int = 16,
        frame_interval: int = 4,
        num_clips: int = 1,
        audio_alignment: str | None = None,
        merge_identical_views: bool = True,
    ) -> None:
        if mode not in ('pretrain', 'train', 'test'):
            raise ValueError(f"mode must be 'pretrain', 'train' or 'test', got {mode!r}")
        if min(clip_len, frame_interval, num_clips) < 1:
            raise ValueError(
                'clip_len, frame_interval and num_clips must be at least 1, '
                f'got {clip_len}, {frame_interval} and {num_clips}'
            )
        if num_clips > 1 and mode != 'test':
            raise ValueError(f"num_clips={num_clips} needs mode='test'; mode={mode!r} draws one clip")
        if audio_alignment not in (None, 'fraction', 'timestamps'):
            raise ValueError(f"audio_alignment must be 'fraction' or 'timestamps', got {audio_alignment!r}")
        self.mode = mode
        self.clip_len = clip_len
        self.frame_interval = frame_interval
        self.num_clips = num_clips
        self.audio_alignment = audio_alignment or ('timestamps' if mode == 'pretrain' else 'fraction')
        self.merge_identical_views = merge_identical_views

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Adds the frame indices and the audio spans."""
        n = results['total_frames']
        views = self._frame_indices(n)
        spans = [self._audio_span(view, results) for view in views] if 'audio' in results['streams'] else []
        if self.merge_identical_views and all(np.array_equal(view, views[0]) for view in views):
            views, spans = views[:1], spans[:1]
        results['frame_inds'] = np.concatenate(views)
        results['audio_spans'] = spans
        results['clip_len'], results['frame_interval'], results['num_clips'] = (
            self.clip_len,
            self.frame_interval,
            len(views),
        )
        return results

    def _frame_indices(self, n: int) -> list[np.ndarray]:
        span = self.clip_len * self.frame_interval
        if self.mode == 'pretrain':
            start = int(np.random.randint(0, max(n - span, 0) + 1))
            return [pretrain_frame_indices(n, start, self.clip_len, self.frame_interval)]
        if self.mode == 'train':
            end = int(np.random.randint(span, n)) if n > span else n
            return [train_frame_indices(n, end, self.clip_len, self.frame_interval)]
        return view_frame_indices(n, self.num_clips, self.clip_len, self.frame_interval)

    def _audio_span(self, view: np.ndarray, results: dict[str, Any]) -> AudioSpan:
        n, first = results['total_frames'], int(view[0])
        last = last_covered_frame(view, n, self.clip_len, self.frame_interval, self.mode)
        reader = results['video_reader']
        if self.audio_alignment == 'fraction':
            span = fraction_span(first, last, n)
            return span_on_pictures(span, reader, n) if follows_pictures(results) and reader.fps else span
        if reader is None:
            return AudioSpan(first / results['avg_fps'], (last + 1) / results['avg_fps'], 'seconds')
        return AudioSpan(reader.frame_seconds(first)[0], reader.frame_seconds(last)[1], 'seconds')


def span_on_pictures(span: AudioSpan, reader: VideoReader, num_frames: int) -> AudioSpan:
    """Converts a fraction of the duration of the pictures to seconds on the clock of the file.

    The sound in the same file may start and end at other times than the pictures.
    """
    start, end = reader.frame_seconds(0)[0], reader.frame_seconds(num_frames - 1)[1]
    return AudioSpan(start + span.start * (end - start), start + span.end * (end - start), 'seconds')


@TRANSFORMS.register_module()
class DecodeFrames(BaseTransform):
    """Decodes each of the chosen frames once, and closes the reader. Without a video stream nothing is decoded.

    Required keys: ``video_reader``, ``frame_inds``. Removed key: ``video_reader``. Added keys: ``imgs``, a list of V*T
    writable ``(H, W, 3)`` uint8 RGB arrays that do not share memory, ``original_shape`` and ``img_shape``.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Adds the frames."""
        reader = results.pop('video_reader')
        if reader is None:
            return results
        unique, inverse = np.unique(results['frame_inds'], return_inverse=True)
        frames = reader.read(unique.tolist())
        reader.close()
        # a repeated frame gets a copy per use, because transforms that work in place would change a shared one twice
        frames = frames[inverse] if len(unique) < len(inverse) or (np.diff(inverse) != 1).any() else frames
        results['imgs'] = list(frames)
        results['original_shape'] = results['img_shape'] = frames.shape[1:3]
        return results

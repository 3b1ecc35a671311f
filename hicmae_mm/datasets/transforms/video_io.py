"""From a path to the frames of a clip: open, choose frames and sound, decode."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from hicmae_mm.datasets.frame_cache import FrameCache
from hicmae_mm.datasets.transforms.sound import follows_pictures, open_sound
from hicmae_mm.datasets.transforms.temporal import (
    AudioSpan,
    fraction_span,
    last_covered_frame,
    pretrain_frame_indices,
    train_frame_indices,
    view_frame_indices,
)
from hicmae_mm.datasets.video_readers import BACKENDS, VideoReader, open_video
from hicmae_mm.registry import TRANSFORMS

_PLACEHOLDER_SHAPE = (256, 256)  # what spatial transforms see where there are no pictures


@TRANSFORMS.register_module()
class OpenVideo(BaseTransform):
    """Opens a video file or a folder of numbered frames; decodes nothing.

    Where the data set leaves the video out (``streams=('audio',)``) the video is not touched: frames are counted on the
    sound track at ``nominal_fps``, so that the same sampling rules cut the same time spans from it.

    Required keys: ``streams``, ``video_path``, ``audio_path``; or ``packed_clip``, a clip from a shard, whose readers
    are taken instead. Added keys: ``video_reader`` (None without video), ``total_frames``, ``avg_fps``, ``img_shape``
    and ``modality`` (placeholders that MMAction2's transforms want).

    Args:
        backend: ``'pyav'``, None for the same, or ``'decord'``: decord for plain H.264 mp4, PyAV for all else.
        frame_folder_fps: Frame rate of folders of frames; needed only with time stamps.
        nominal_fps: Frames per second that stand in for a video that is left out.
        cache_gigabytes: Memory (10^9 bytes) in which decoded videos stay for the epochs to come, shared by the workers
            of a data loader; 0 keeps none. For corpora that fit, or nearly: a video takes frames x height x width x 3
            bytes. Clips from shards are not kept.
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
            results['video_reader'] = reader
            results['total_frames'], results['avg_fps'] = reader.num_frames, reader.fps
            return results
        sound = open_sound(results)
        seconds = sound.num_samples / sound.sample_rate_hz
        sound.close()
        results['video_reader'] = None
        results['total_frames'], results['avg_fps'] = max(int(seconds * self.nominal_fps), 1), self.nominal_fps
        return results

    def _open(self, path: str) -> VideoReader:
        open_file = partial(open_video, path, self.backend, self.frame_folder_fps)
        return open_file() if self.cache is None else self.cache.open(path, open_file)


@TRANSFORMS.register_module()
class SampleClips(BaseTransform):
    """Chooses the frames and the span of sound of one clip (training) or of several views (testing).

    Required keys: ``video_reader``, ``total_frames``, ``avg_fps``. Added keys: ``frame_inds`` (V*T,), ``clip_len``,
    ``frame_interval``, ``num_clips`` = V, ``audio_spans`` (V spans).

    Args:
        mode: ``'pretrain'``, ``'train'`` (fine-tuning) or ``'test'``; the rules are in ``temporal.py``.
        clip_len: T, frames in a clip.
        frame_interval: Distance of neighbouring frames.
        num_clips: Temporal views; more than one only for ``mode='test'``.
        audio_alignment: How the sound follows the frames: ``'timestamps'``, or ``'fraction'``, which takes relative
            frame positions for relative times: of the sound file, or of the time that the pictures take where the sound
            is the video's own. Default, as published: time stamps for pre-training, else fractions.
        merge_identical_views: Keep one view where a short video makes all of them the same; averaged scores do not
            change.
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
            return _on_pictures(span, reader, n) if follows_pictures(results) and reader.fps else span
        if reader is None:
            return AudioSpan(first / results['avg_fps'], (last + 1) / results['avg_fps'], 'seconds')
        return AudioSpan(reader.frame_seconds(first)[0], reader.frame_seconds(last)[1], 'seconds')


def _on_pictures(span: AudioSpan, reader: VideoReader, num_frames: int) -> AudioSpan:
    """A span of the time that the pictures take, in seconds: the sound of their file may start and end elsewhere."""
    start, end = reader.frame_seconds(0)[0], reader.frame_seconds(num_frames - 1)[1]
    return AudioSpan(start + span.start * (end - start), start + span.end * (end - start), 'seconds')


@TRANSFORMS.register_module()
class DecodeFrames(BaseTransform):
    """Decodes the chosen frames, each once, and closes the reader. Does nothing where there is no video stream.

    Required keys: ``video_reader``, ``frame_inds``. Removed key: ``video_reader``. Added keys: ``imgs``, a list of V*T
    writable ``(H, W, 3)`` uint8 RGB arrays of which no two share memory, ``original_shape``, ``img_shape``.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Adds the frames."""
        reader = results.pop('video_reader')
        if reader is None:
            return results
        unique, inverse = np.unique(results['frame_inds'], return_inverse=True)
        frames = reader.read(unique.tolist())
        reader.close()
        # one copy per use: transforms that work in place would otherwise meet a repeated frame twice
        frames = frames[inverse] if len(unique) < len(inverse) or (np.diff(inverse) != 1).any() else frames
        results['imgs'] = list(frames)
        results['original_shape'] = results['img_shape'] = frames.shape[1:3]
        return results

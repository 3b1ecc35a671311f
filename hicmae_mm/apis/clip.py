"""One clip on its way to the model: windows are planned, frames decoded, faces cut out, and the pipeline run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hicmae_mm.apis.faces import AUTO, FaceFinder, FaceOptions
from hicmae_mm.apis.windows import Window, WindowAudio, WindowVideo, plan_windows
from hicmae_mm.datasets.clips.media import ForwardReader, OpenClip, Timeline, origin_seconds
from hicmae_mm.datasets.errors import MediaError

NO_FACE = 'no face'
SOUND_ENDED = 'the sound track has ended'
USUAL_FRAME_RATES_HZ = (20.0, 35.0)
"""Of videos that are read as they are: a model counts frames, and would see others too fast or too slow."""


@dataclass(frozen=True)
class Settings:
    """How clips are cut, whatever the clip.

    Attributes:
        pipeline: The transforms of the model's test data.
        model_streams: All that the model has.
        streams: Those of them that are asked for.
        may_lack_streams: Whether the model takes clips without one of its streams.
        window_seconds: Length of a window; None: ``window_frames`` of the video.
        stride_seconds: From the start of a window to that of the next; None: half a window.
        window_frames: Frames that a view of the model spans.
        nominal_fps: Rate of the corpora.
        frame_rate_hz: Rate at which videos are read: a number, None (their own), or ``'auto'``: their own, but
            ``nominal_fps`` for those outside of :data:`USUAL_FRAME_RATES_HZ`.
        faces: How faces are found.
        backend: Of :func:`~hicmae_mm.datasets.video_readers.open_video`.
    """

    pipeline: Sequence[Callable[[dict[str, Any]], dict[str, Any] | None]]
    model_streams: tuple[str, ...]
    streams: tuple[str, ...]
    may_lack_streams: bool
    window_seconds: float | None
    stride_seconds: float | None
    window_frames: int
    nominal_fps: float
    frame_rate_hz: float | str | None
    faces: FaceOptions
    backend: str | None = None


@dataclass
class PreparedWindow:
    """A window that is ready for the model.

    Attributes:
        window: Where it lies.
        streams: Those that it has.
        absent: Why it lacks others, by their name.
        face_coverage: Share of its frames with a face; None without a search.
        packed: What the pipeline made of it; None if it cannot be scored.
    """

    window: Window
    streams: tuple[str, ...]
    absent: dict[str, str]
    face_coverage: float | None = None
    packed: dict[str, Any] | None = None


@dataclass
class _Plan:
    """A window, its frames of the file, and its half-run pipeline."""

    window: Window
    results: dict[str, Any] | None = None
    next_step: int = 0
    stored: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=int))  # by frame of the window's frame_inds


class WindowedClip:
    """The windows of an opened clip, in order.

    Args:
        opened: The clip.
        settings: How to cut it.

    Attributes:
        timeline: Of its frames; None without pictures.
        windows: Where the windows lie.
        window_seconds: Their length.
        stride_seconds: Their distance.
        face_boxes: ``seconds`` and ``box`` (x, y, width, height in pixels; None without a face) of every frame that was
            searched, once the windows have been read.
        warnings: What a user should know.

    Raises:
        MediaError: If the clip has none of the streams, or lacks one that the model cannot do without.
    """

    def __init__(self, opened: OpenClip, settings: Settings) -> None:
        self.opened, self.settings = opened, settings
        self.warnings: list[str] = list(opened.notes)
        self._check_streams()
        self.timeline = None if opened.video is None else self._make_timeline()
        fps = settings.nominal_fps if self.timeline is None else self.timeline.fps
        self.window_seconds = settings.window_seconds or settings.window_frames / fps
        self.stride_seconds = settings.stride_seconds or self.window_seconds / 2
        self.windows = plan_windows(self.timeline, opened.audio, self.window_seconds, self.stride_seconds)
        self.face_boxes: list[dict[str, Any]] = []
        self._faces = FaceFinder(opened, settings.faces)

    def _check_streams(self) -> None:
        missing = self.opened.missing
        if set(missing) >= set(self.settings.streams):
            raise MediaError(f'{self.opened.clip.name}: {" and ".join(missing.values())}; nothing to look at')
        if missing and not self.settings.may_lack_streams:
            raise MediaError(f'{self.opened.clip.name}: {lacking(missing)}')

    def _make_timeline(self) -> Timeline:
        assert self.opened.video is not None
        rate = self.settings.frame_rate_hz
        timeline = Timeline(self.opened.video, None if isinstance(rate, str) else rate)
        low, high = USUAL_FRAME_RATES_HZ
        if rate != AUTO or low <= timeline.fps <= high or self.opened.video.num_frames == 1:
            return timeline
        nominal = self.settings.nominal_fps
        self.warnings.append(f'{timeline.fps:.1f} frames per second, read at {nominal:g} as the model was trained')
        return Timeline(self.opened.video, nominal)

    def __iter__(self) -> Iterator[PreparedWindow]:
        plans = [self._plan(window) for window in self.windows]
        last_use = {int(frame): number for number, plan in enumerate(plans) for frame in plan.stored}
        reader = None if self.opened.video is None else self._faces.search(sorted(last_use))
        for number, plan in enumerate(plans):
            yield self._prepare(plan, reader)
            if reader is not None:
                reader.let_go([frame for frame in plan.stored.tolist() if last_use[frame] == number])
            plan.results = None
        if self.opened.audio is not None and self.opened.audio.peak == 0:
            self.warnings.append('the sound is silent, nothing but zeros')
        video = self.opened.video
        if video is not None:
            boxes = sorted(self._faces.boxes.items())
            origin = origin_seconds(video)
            times = [round(float(video.frame_seconds(index)[0]) - origin, 3) for index, _ in boxes]
            self.face_boxes = [
                dict(seconds=s, box=None if box is None else list(box)) for s, (_, box) in zip(times, boxes)
            ]

    def _start(self, streams: Sequence[str], source: _Source) -> dict[str, Any]:
        return dict(
            sample_idx=0,
            sample_id=self.opened.clip.name,
            streams=tuple(streams),
            absent_streams=tuple(name for name in self.settings.model_streams if name not in streams),
            video_path=None,
            audio_path=None,
            packed_clip=source,
        )

    def _plan(self, window: Window) -> _Plan:
        """Runs the pipeline up to the choice of frames; decodes nothing."""
        plan = _Plan(window)
        if self.timeline is None or window.frames is None:
            return plan
        streams = [name for name in self.settings.streams if name == 'video' or window.samples is not None]
        results = self._start(streams, _Source(self, window))
        for step, transform in enumerate(self.settings.pipeline):
            results = _not_none(transform(results), transform)
            if 'frame_inds' in results:
                plan.results, plan.next_step = results, step + 1
                plan.stored = self.timeline.stored_indices(np.asarray(results['frame_inds']) + window.frames[0])
                return plan
        raise ValueError('the test pipeline chooses no frames (frame_inds); SampleClips is missing')

    def _prepare(self, plan: _Plan, reader: ForwardReader | None) -> PreparedWindow:
        absent = dict(self.opened.missing)
        if 'audio' in self.settings.streams and 'audio' not in absent and plan.window.samples is None:
            absent['audio'] = SOUND_ENDED
        coverage, pictures = None, dict[int, np.ndarray]()
        if plan.results is not None:
            assert reader is not None
            indices = np.unique(plan.stored).tolist()
            faces = self._faces.cut(indices, reader.get(indices))
            coverage, pictures = faces.coverage, dict(zip(indices, faces.pictures))
            if not pictures:
                absent['video'] = NO_FACE
        streams = tuple(name for name in self.settings.streams if name not in absent)
        prepared = PreparedWindow(plan.window, streams, absent, coverage)
        if streams and (not absent or self.settings.may_lack_streams):
            prepared.packed = self._finish(plan, streams, pictures)
        return prepared

    def _finish(self, plan: _Plan, streams: Sequence[str], pictures: dict[int, np.ndarray]) -> dict[str, Any]:
        source = _Source(self, plan.window, pictures)
        if 'video' in streams:
            assert plan.results is not None
            results, steps = plan.results, self.settings.pipeline[plan.next_step :]
            results['video_reader'] = source.open_video()
            results['packed_clip'] = source
        else:
            results, steps = self._start(streams, source), self.settings.pipeline
        for transform in steps:
            results = _not_none(transform(results), transform)
        return results


class _Source:
    """What ``OpenVideo`` and ``LoadAudio`` open, instead of files: the readers of a window."""

    def __init__(self, clip: WindowedClip, window: Window, pictures: dict[int, np.ndarray] | None = None) -> None:
        self._clip, self._window, self._pictures = clip, window, pictures or {}

    @property
    def shares_clock(self) -> bool:
        """Whether time says which sound belongs to which picture: within one file, and wherever windows are cut."""
        return len(self._clip.windows) > 1 or self._clip.opened.clip.shares_clock

    def open_video(self) -> WindowVideo:
        assert self._clip.timeline is not None
        return WindowVideo(self._clip.timeline, self._window, self._read)

    def open_audio(self) -> WindowAudio:
        assert self._clip.opened.audio is not None
        assert self._window.samples is not None
        return WindowAudio(self._clip.opened.audio, self._window.samples)

    def _read(self, indices: Sequence[int]) -> list[np.ndarray]:
        assert self._clip.timeline is not None
        assert self._window.frames is not None
        stored = self._clip.timeline.stored_indices(np.asarray(indices) + self._window.frames[0])
        return [self._pictures[index] for index in stored.tolist()]


def _not_none(results: dict[str, Any] | None, transform: object) -> dict[str, Any]:
    if results is None:
        raise MediaError(f'{type(transform).__name__} gave the window up')
    return results


def lacking(missing: dict[str, str]) -> str:
    """Why a clip cannot be scored, and what to do."""
    reasons = ' and '.join(f'no {name} ({reason})' for name, reason in missing.items())
    return (
        f"{reasons}, and the model needs every stream; missing_streams='zero' makes it do without, which it was not "
        'trained for'
    )

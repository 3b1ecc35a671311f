"""Prepare one clip for the model: plan its windows, decode frames, cut out faces, and run the pipeline."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hicmae_mm.apis.faces import AUTO, FaceFinder
from hicmae_mm.apis.frames import FrameGrid
from hicmae_mm.apis.further import GivenStreams, WindowStreams
from hicmae_mm.apis.settings import Settings
from hicmae_mm.apis.windows import (
    SINGLE_WINDOW_SLACK,
    Window,
    WindowAudio,
    WindowVideo,
    clip_seconds,
    plan_utterances,
    plan_windows,
)
from hicmae_mm.datasets.clips.media import ForwardReader, OpenClip, Timeline, origin_seconds
from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.records import add_columns

NO_FACE = 'no face'
SOUND_ENDED = 'the sound track has ended'
USUAL_FRAME_RATES = (0.8, 1.4)
"""Videos with a rate in this range are read at their own rate. 1 is the rate of the corpora that the model saw.

A model sees a fixed number of frames, so motion in videos of other rates would look too fast or too slow to it.
"""


@dataclass
class PreparedWindow:
    """Holds a window that is ready for the model.

    Attributes:
        window: Position of the window in the clip.
        streams: Names of the streams that the window has.
        absent: Reasons why it lacks other streams, by the name of the stream.
        face_coverage: Share of its frames that show a face, in 0..1. None if faces were not searched.
        seen: Frames of the window that the model sees; None if it sees other streams only.
        packed: Output of the pipeline. None if the window cannot be scored.
    """

    window: Window
    streams: tuple[str, ...]
    absent: dict[str, str]
    face_coverage: float | None = None
    seen: np.ndarray | None = None
    packed: dict[str, Any] | None = None


@dataclass
class _Plan:
    """Holds a window, the frames of the file that it uses, and the state of its pipeline after the choice of frames."""

    window: Window
    results: dict[str, Any] | None = None
    next_step: int = 0
    stored: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=int))  # one index for each of frame_inds


class WindowedClip:
    """Iterates over the windows of an opened clip, in order.

    Args:
        opened: The clip.
        settings: Settings for cutting it into windows.

    Attributes:
        timeline: Time line of its frames. None if the clip has no pictures.
        windows: Positions of the windows.
        window_seconds: Length of a window. None if the windows are utterances, each with its own length.
        stride_seconds: Time from the start of one window to the start of the next. None if they are utterances.
        seconds: Length of the clip. None if nothing tells it.
        frames: The frames for which a model of frames has predictions.
        face_boxes: One dictionary for each searched frame, with ``seconds`` and ``box`` (x, y, width, height in
            pixels; None if no face was found). It is complete when all windows have been read.
        warnings: Warnings for the user.

    Raises:
        MediaError: If the clip has none of the requested streams, or lacks a stream that the model needs.
    """

    def __init__(self, opened: OpenClip, settings: Settings) -> None:
        self.opened, self.settings = opened, settings
        self.warnings: list[str] = list(opened.notes)
        self._given = GivenStreams(
            opened.clip, {name: kind for name, kind in settings.readings.items() if name in settings.streams}
        )
        self._missing = {name: opened.missing[name] for name in settings.media if name in opened.missing}
        self._missing |= self._given.missing
        self._check_streams()
        self.timeline = None if opened.video is None else self._make_timeline()
        seconds = clip_seconds(self.timeline, opened.audio, self._given.seconds)
        self.seconds = seconds or None
        self.window_seconds: float | None = None
        self.stride_seconds: float | None = None
        self.windows = self._utterances(seconds) or self._windows(seconds)
        if len(self.windows) > 1:
            self.warnings += [f'{name} has no times, so every window gets all of it' for name in self._given.untimed()]
        num_rows = None if self._shows_pictures else self._given.num_rows
        self.frames = self._make_grid(num_rows)
        self.face_boxes: list[dict[str, Any]] = []
        self._faces = FaceFinder(opened, settings.faces)

    def _check_streams(self) -> None:
        missing = self._missing
        if set(missing) >= set(self.settings.streams):
            raise MediaError(f'{self.opened.clip.name}: {" and ".join(missing.values())}; there is nothing to analyse')
        if missing and not self.settings.may_lack_streams:
            raise MediaError(f'{self.opened.clip.name}: {lacking(missing)}')

    def _utterances(self, seconds: float) -> list[Window]:
        """Plans a window for every subtitle, if the model works on conversations and the user sets no windows.

        A clip of a named conversation is an utterance itself.
        """
        is_divided = self.settings.takes_utterances and self.opened.clip.conversation is None
        cues = self._given.cues() if is_divided else ()
        windows = plan_utterances(self.timeline, self.opened.audio, seconds, cues)
        if len(windows) < len(cues):
            self.warnings.append(
                f'{len(cues) - len(windows)} of {len(cues)} subtitles are left out: they have no length, or begin '
                f'after the end of the clip at {seconds:.2f} s'
            )
        return windows

    def _windows(self, seconds: float) -> list[Window]:
        """Plans windows of one length."""
        settings = self.settings
        fps = settings.nominal_fps if self.timeline is None else self.timeline.fps
        self.window_seconds = self._length_of_windows(settings.window_frames / fps)
        self.stride_seconds = settings.stride_seconds or self.window_seconds / 2
        slack = SINGLE_WINDOW_SLACK
        if settings.predicts_frames:  # frames between two windows would have no prediction
            self.stride_seconds = min(self.stride_seconds, self.window_seconds)
            slack = 1.0
        return plan_windows(self.timeline, self.opened.audio, seconds, self.window_seconds, self.stride_seconds, slack)

    def _make_timeline(self) -> Timeline:
        assert self.opened.video is not None
        rate = self.settings.frame_rate_hz
        timeline = Timeline(self.opened.video, None if isinstance(rate, str) else rate)
        nominal = self.settings.nominal_fps
        low, high = USUAL_FRAME_RATES
        is_usual = low <= timeline.fps / nominal <= high or self.opened.video.num_frames == 1
        if rate != AUTO or is_usual or not self._shows_pictures:
            return timeline
        self.warnings.append(
            f'the video has {timeline.fps:.1f} frames per second; it is read at {nominal:g}, as the model was trained'
        )
        return Timeline(self.opened.video, nominal)

    def _make_grid(self, num_rows: int | None) -> FrameGrid:
        """Makes the grid of the predictions per frame: frames of the file, unless the user has set a rate."""
        if num_rows or self.timeline is None or self.opened.video is None:
            return FrameGrid(None, num_rows, self.seconds)
        if self.timeline.is_retimed and self.settings.frame_rate_hz == AUTO:
            return FrameGrid(Timeline(self.opened.video), None, self.seconds, self.timeline)
        return FrameGrid(self.timeline, None, self.seconds)

    def _length_of_windows(self, view_seconds: float) -> float:
        """Returns the length of a window. A model of frames has no prediction for pictures outside of its view."""
        asked = self.settings.window_seconds or view_seconds
        if not (self.settings.predicts_frames and self._shows_pictures) or asked <= view_seconds:
            return asked
        self.warnings.append(
            f'windows are {view_seconds:.2f} s: the model has a prediction for each frame, and sees so much at a time'
        )
        return view_seconds

    @property
    def _shows_pictures(self) -> bool:
        return self.opened.video is not None and 'video' in self.settings.media

    def __iter__(self) -> Iterator[PreparedWindow]:
        plans = [self._plan(window) for window in self.windows]
        last_use = {int(frame): number for number, plan in enumerate(plans) for frame in plan.stored}
        reader = self._faces.search(sorted(last_use)) if self._shows_pictures else None
        for number, plan in enumerate(plans):
            yield self._prepare(plan, reader)
            if reader is not None:
                reader.release([frame for frame in plan.stored.tolist() if last_use[frame] == number])
            plan.results = None
        if 'audio' in self.settings.media and self.opened.audio is not None and self.opened.audio.peak == 0:
            self.warnings.append('the sound is silent: all samples are zero')
        video = self.opened.video
        if video is not None and self._shows_pictures:
            boxes = sorted(self._faces.boxes.items())
            origin = origin_seconds(video)
            times = [round(float(video.frame_seconds(index)[0]) - origin, 3) for index, _ in boxes]
            self.face_boxes = [
                dict(seconds=s, box=None if box is None else list(box)) for s, (_, box) in zip(times, boxes)
            ]

    def share_of(self, window: Window) -> tuple[float, float]:
        """Returns the start and the end of a window as shares of the clip, in 0..1."""
        seconds = self.seconds
        if seconds is None:
            return 0.0, 1.0
        return window.start_seconds / seconds, min(window.end_seconds / seconds, 1.0)

    def _of_window(self, window: Window) -> WindowStreams:
        share = self.share_of(window)
        end_seconds = math.inf if share[1] == 1 else window.end_seconds
        return self._given.of_window(share, (window.start_seconds, end_seconds), window.utterance)

    def _start(self, streams: Sequence[str], window: Window, source: _Source) -> dict[str, Any]:
        given = self._of_window(window)
        results: dict[str, Any] = dict(
            sample_idx=0,
            sample_id=self.opened.clip.name,
            streams=tuple(streams),
            absent_streams=tuple(name for name in self.settings.model_streams if name not in streams),
            video_path=None,
            audio_path=None,
            packed_clip=source,
            position=self.opened.clip.name,
            data_folders={'': self.settings.data_root},
            features=given.features,
        )
        add_columns(results, given.columns)
        return results

    def _plan(self, window: Window) -> _Plan:
        """Runs the pipeline until it has chosen frames, without decoding anything."""
        plan = _Plan(window)
        if not self._shows_pictures or self.timeline is None or window.frames is None:
            return plan
        absent = self._absent_in(window)
        streams = [name for name in self.settings.streams if name not in absent]
        results = self._start(streams, window, _Source(self, window))
        for step, transform in enumerate(self.settings.pipeline):
            results = _not_none(transform(results), transform)
            if 'frame_inds' in results:
                plan.results, plan.next_step = results, step + 1
                plan.stored = self.timeline.stored_indices(np.asarray(results['frame_inds']) + window.frames[0])
                return plan
        raise ValueError('the test pipeline chooses no frames (frame_inds); SampleClips is missing')

    def _absent_in(self, window: Window) -> dict[str, str]:
        """Returns the reasons why a window lacks streams, before its pictures are searched for faces."""
        absent = dict(self._missing)
        if 'audio' in self.settings.media and 'audio' not in absent and window.samples is None:
            absent['audio'] = SOUND_ENDED
        return absent | self._of_window(window).absent

    def _prepare(self, plan: _Plan, reader: ForwardReader | None) -> PreparedWindow:
        absent = self._absent_in(plan.window)
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
        if plan.results is not None and 'video' in streams:
            prepared.seen = np.asarray(plan.results['frame_inds'])
        if streams and (not absent or self.settings.may_lack_streams):
            prepared.packed = self._finish(plan, streams, pictures)
        return prepared

    def _finish(self, plan: _Plan, streams: Sequence[str], pictures: dict[int, np.ndarray]) -> dict[str, Any]:
        source = _Source(self, plan.window, pictures)
        if 'video' in streams and plan.results is not None:
            results, steps = plan.results, self.settings.pipeline[plan.next_step :]
            results['video_reader'] = source.open_video()
            results['packed_clip'] = source
        else:
            results, steps = self._start(streams, plan.window, source), self.settings.pipeline
        for transform in steps:
            results = _not_none(transform(results), transform)
        return results


class _Source:
    """Gives the readers of a window to ``OpenVideo`` and ``LoadAudio``, which open them in place of files."""

    def __init__(self, clip: WindowedClip, window: Window, pictures: dict[int, np.ndarray] | None = None) -> None:
        self._clip, self._window, self._pictures = clip, window, pictures or {}

    @property
    def shares_clock(self) -> bool:
        """Returns whether times of pictures and sound can be compared: one file has both, or the clip has windows."""
        return len(self._clip.windows) > 1 or self._clip.opened.clip.shares_clock

    @property
    def has_sound(self) -> bool:
        """Returns whether the window has sound."""
        return self._clip.opened.audio is not None and self._window.samples is not None

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
        raise MediaError(f'{type(transform).__name__} rejected the window (it returned None)')
    return results


def lacking(missing: dict[str, str]) -> str:
    """Explains why a clip cannot be scored, and what the user can do.

    Args:
        missing: Reasons why streams are missing, by the name of the stream.
    """
    reasons = ' and '.join(f'no {name} ({reason})' for name, reason in missing.items())
    return (
        f"{reasons}, and the model needs every stream; missing_streams='zero' scores the clip without, but the model "
        'was not trained for that'
    )

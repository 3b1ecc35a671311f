from __future__ import annotations

import math

import numpy as np
import pytest

from hicmae_mm.apis.windows import WindowAudio, WindowVideo, clip_seconds, plan_utterances, plan_windows, window_edges
from hicmae_mm.datasets.clips.media import ArrayAudio, ArrayVideo, Timeline
from hicmae_mm.datasets.clips.transcripts import Cue, Word


def video(num_frames: int, fps: float = 25.0) -> ArrayVideo:
    frames = np.zeros((num_frames, 2, 2, 3), np.uint8)
    frames[:, 0, 0, 0] = np.arange(num_frames)
    return ArrayVideo(frames, fps)


def test_windows_step_and_the_last_one_reaches_the_end():
    assert window_edges(10.0, 4.0, 2.5) == [(0.0, 4.0), (2.5, 6.5), (5.0, 9.0), (6.0, 10.0)]
    assert window_edges(9.0, 4.0, 2.5) == [(0.0, 4.0), (2.5, 6.5), (5.0, 9.0)]  # no window twice


@pytest.mark.parametrize('seconds', [0.3, 4.0, 5.0])
def test_a_clip_not_much_longer_than_a_window_is_one(seconds: float):
    assert window_edges(seconds, 4.0, 2.0) == [(0.0, seconds)]
    assert len(window_edges(5.01, 4.0, 2.0)) == 2
    assert window_edges(1e6, math.inf, 1.0) == [(0.0, 1e6)]


@pytest.mark.parametrize(('window', 'stride', 'name'), [(0, 1, 'window'), (1, -1, 'stride'), (math.nan, 1, 'window')])
def test_lengths_must_be_above_0(window: float, stride: float, name: str):
    with pytest.raises(ValueError, match=f'{name}_seconds must be above 0'):
        window_edges(10.0, window, stride)


def test_frames_and_samples_of_windows_cover_the_same_time():
    timeline, audio = Timeline(video(100)), ArrayAudio(np.zeros(64000, np.float32), 16000)
    windows = plan_windows(timeline, audio, clip_seconds(timeline, audio), 2.0, 1.0)
    assert [window.frames for window in windows] == [(0, 50), (25, 75), (50, 100)]
    assert [window.samples for window in windows] == [(0, 32000), (16000, 48000), (32000, 64000)]


def test_windows_behind_the_end_of_the_sound_have_none():
    timeline, audio = Timeline(video(100)), ArrayAudio(np.zeros(32160, np.float32), 16000)
    windows = plan_windows(timeline, audio, clip_seconds(timeline, audio), 2.0, 1.0)
    assert [window.samples for window in windows] == [(0, 32000), (16000, 32160), None]


def test_without_pictures_the_sound_says_how_long():
    audio = ArrayAudio(np.zeros(8000, np.float32), 1000)
    windows = plan_windows(None, audio, clip_seconds(None, audio, 3.0), 4.0, 4.0)
    assert [(w.start_seconds, w.end_seconds, w.frames, w.samples) for w in windows] == [
        (0.0, 4.0, None, (0, 4000)),
        (4.0, 8.0, None, (4000, 8000)),
    ]


def test_every_subtitle_within_the_clip_is_a_window():
    timeline, audio = Timeline(video(100)), ArrayAudio(np.zeros(48000, np.float32), 16000)
    times = [(2.0, 2.52), (0.0, 0.4), (3.5, 9.0), (4.0, 5.0), (1.0, 1.0)]
    cues = [Cue(start, end, (Word(start, end, 'no'),), 'ann') for start, end in times]
    windows = plan_utterances(timeline, audio, timeline.seconds, cues)
    assert [window.utterance for window in windows] == [cues[1], cues[0], cues[2]]
    assert [(window.start_seconds, window.end_seconds) for window in windows] == [(0, 0.4), (2, 2.52), (3.5, 4)]
    assert [window.frames for window in windows] == [(0, 10), (50, 63), (88, 100)]
    assert [window.samples for window in windows] == [(0, 6400), (32000, 40320), None]
    assert clip_seconds(None, None) == 0


def test_the_pipeline_sees_a_window_as_a_clip_of_its_own():
    reader = video(100)
    timeline = Timeline(reader)
    window = plan_windows(timeline, None, timeline.seconds, 2.0, 1.0)[1]
    seen = WindowVideo(timeline, window, lambda indices: list(reader.read([25 + i for i in indices])))
    assert (seen.num_frames, seen.fps) == (50, pytest.approx(25))
    assert seen.read([0, 49])[:, 0, 0, 0].tolist() == [25, 74]
    assert seen.frame_seconds(10) == pytest.approx((0.4, 0.44))
    sound = WindowAudio(ArrayAudio(np.arange(100, dtype=np.float32), 10), (20, 40))
    assert (sound.num_samples, sound.read(5, 7).tolist()) == (20, [25.0, 26.0])

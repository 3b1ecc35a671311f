from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from hicmae_mm.datasets.clips.inputs import ClipInput
from hicmae_mm.datasets.clips.media import ArrayVideo, ForwardReader, OpenClip, Timeline
from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.readers.video import open_video
from tests.conftest import MediaFolder


class Stamped(ArrayVideo):
    """Frames that are shown at any times."""

    def __init__(self, times: Sequence[float]) -> None:
        super().__init__(np.zeros((len(times), 2, 2, 3), np.uint8), 25.0)
        self.times = [*times, times[-1] + 0.04]

    def frame_seconds(self, index: int) -> tuple[float, float]:
        return self.times[index], self.times[index + 1]


def test_time_runs_as_in_the_file_unless_it_starts_late():
    assert Timeline(Stamped([0.08, 0.12, 0.16])).index_at(0.12) == 1
    broadcast = Timeline(Stamped([100.0, 100.04, 100.08]))
    assert broadcast.frame_seconds(1) == pytest.approx((0.04, 0.08))
    assert broadcast.seconds == pytest.approx(0.12)
    assert broadcast.fps == pytest.approx(25)


def test_a_fast_video_is_read_at_the_rate_asked_for():
    timeline = Timeline(ArrayVideo(np.zeros((120, 2, 2, 3), np.uint8), 60.0), 25.0)
    assert (timeline.num_frames, timeline.fps) == (50, 25.0)
    stored = timeline.stored_indices(np.arange(50))
    np.testing.assert_array_equal(stored, np.floor(np.arange(50) * 60 / 25 + 0.6 + 1e-9).astype(int))
    assert timeline.index_at(1.0) == 25


def test_an_uneven_video_repeats_what_is_still_shown():
    timeline = Timeline(Stamped([0.0, 0.1, 0.5]), 10.0)
    assert timeline.stored_indices(np.arange(6)).tolist() == [0, 1, 1, 1, 1, 2]


UNEVEN = {
    'one long pause': [0.0, 0.04, 0.08, 5.0, 5.04, 5.08],
    'slow, then fast': [*np.arange(0.0, 10.0, 1.0), *(10 + np.arange(30) / 60)],
    'the same time twice': [0.0, 0.04, 0.04, 0.0401, 0.08, 0.12],
    'one frame': [0.0],
    'drawn': [0.0, *np.cumsum(np.random.default_rng(0).choice([0.001, 0.02, 0.04, 0.5], 60))],
}


@pytest.mark.parametrize('name', UNEVEN)
def test_a_window_of_an_uneven_video_starts_with_the_frame_of_its_time(name: str) -> None:
    times = UNEVEN[name]
    timeline = Timeline(Stamped(times))
    edges = [*times, *(np.array(times) + 0.005), *np.linspace(0, times[-1] + 0.5, 200)]
    for seconds in edges:
        expected = next((number for number, start in enumerate(times) if start >= seconds), len(times))
        found = timeline.index_at(seconds)
        assert found <= expected
        if found < expected:  # in the first quarter in which a frame is shown, and which no other frame starts in
            shown = np.diff([*times, 2 * times[-1] - times[max(len(times) - 2, 0)]])
            assert times[expected - 1] == times[found]
            assert seconds - times[found] <= 0.25 * min(shown[expected - 1], 1 / timeline.fps)
    assert [times[timeline.index_at(start)] for start in times] == times  # its own time finds a frame


def test_a_window_of_an_uneven_file_starts_with_the_frame_of_its_time(tmp_path: Path) -> None:
    times = np.cumsum([0.0, *([1.0] * 8), *([1 / 30] * 40), 0.7, *([1 / 15] * 10)])
    with av.open(str(tmp_path / 'uneven.mp4'), 'w') as container:
        stream = container.add_stream('libx264', rate=30)
        stream.width = stream.height = 32
        stream.time_base = stream.codec_context.time_base = Fraction(1, 90000)
        for number, seconds in enumerate(times):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 4 * number, np.uint8), 'rgb24')
            frame.pts, frame.time_base = round(seconds * 90000), stream.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    reader = open_video(tmp_path / 'uneven.mp4')
    timeline = Timeline(reader)
    found = [timeline.index_at(seconds) for seconds in times]
    assert found == list(range(len(times)))
    levels = reader.read(found).mean(axis=(1, 2, 3))
    reader.close()
    np.testing.assert_allclose(levels, 4 * np.arange(len(times)), atol=3)
    assert timeline.index_at(times[20] + 0.5 / 30) == 21  # half of a frame later it is the next one


def test_rounded_times_start_with_their_own_frame() -> None:
    for fps in (24000 / 1001, 25.0, 30000 / 1001, 50.0):
        exact = np.arange(200) / fps
        timeline = Timeline(Stamped(np.round(exact, 3).tolist()))  # as in Matroska
        assert [timeline.index_at(start) for start in exact] == list(range(200))


@pytest.mark.parametrize('backend', ['decord', 'pyav'])
def test_frames_are_decoded_forward_each_once(media: MediaFolder, backend: str):
    reader = open_video(media.video(num_frames=50), backend)
    forward = ForwardReader(reader, [0, 4, 9, 20, 21, 49])
    assert [media.frame_number(frame) for frame in forward.get([0, 9])] == [0, 9]
    assert [media.frame_number(frame) for frame in forward.get([4, 20])] == [4, 20]  # 4 was kept for later
    forward.release([0, 4, 9, 20])
    with pytest.raises(KeyError):
        forward.get([9])
    assert [media.frame_number(frame) for frame in forward.get([21, 49])] == [21, 49]
    reader.close()


def test_only_what_is_wanted_is_read_and_never_twice():
    asked: list[int] = []

    class Noting(ArrayVideo):
        def read(self, indices: Sequence[int]) -> np.ndarray:
            asked.extend(indices)
            return super().read(indices)

    forward = ForwardReader(Noting(np.zeros((100, 2, 2, 3), np.uint8), 25.0), [3, 5, 8, 90])
    forward.get([3, 8])
    forward.get([5])
    assert asked == [3, 5, 8]


def test_a_clip_says_what_it_lacks(media: MediaFolder):
    silent = media.video('silent.mp4', has_sound=False)
    with OpenClip(ClipInput('silent', silent, silent), ('video', 'audio')) as opened:
        assert opened.missing == {'audio': 'the file has no sound track'}
        assert opened.audio is None
    sound = media.wav()
    with OpenClip(ClipInput('sound', sound, sound), ('video', 'audio')) as opened:
        assert opened.missing == {'video': 'the file has no picture track'}
    with OpenClip(ClipInput('asked', silent, silent), ('video',)) as opened:
        assert not opened.missing


def test_damaged_files_are_refused(media: MediaFolder):
    cut = media.truncated(media.video())
    with pytest.raises(MediaError, match='truncated'):
        OpenClip(ClipInput('cut', cut, cut), ('video', 'audio'))
    text = Path(media.root / 'notes.mp4')
    text.write_text('no video at all, but some text that is long enough')
    with pytest.raises(MediaError, match='notes.mp4'):
        OpenClip(ClipInput('text', text, text), ('video', 'audio'))

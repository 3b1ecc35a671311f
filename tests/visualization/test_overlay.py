from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from hicmae_mm.datasets.clips.inputs import as_clips
from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.visualization.overlay import Painter, write_overlay
from tests.conftest import MediaFolder
from tests.visualization.results import RESULT

BLUE, ORANGE = (0, 114, 178), (213, 94, 0)


def has_color(picture: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    return np.abs(picture.astype(int) - color).max(axis=-1) < 40


def test_boxes_move_between_searched_frames_and_end_with_the_face():
    painter = Painter(RESULT)
    np.testing.assert_allclose(painter.box_at(0.0), [10, 10, 20, 20])
    np.testing.assert_allclose(painter.box_at(0.1), [11, 10, 20, 20])
    np.testing.assert_allclose(painter.box_at(0.7), [14, 10, 20, 20])
    assert painter.box_at(2.0) is None
    assert painter.box_at(4.0) is None


def test_a_frame_shows_box_bars_and_progress():
    frame = np.full((361, 500, 3), 90, np.uint8)
    painted = Painter(RESULT).paint(frame, 0.5)
    assert painted.shape == (360, 500 + 300, 3)
    assert has_color(painted[10, 14:34], BLUE).any()  # the box, in the colour of joy
    panel = painted[:-4, 500:]
    joy, anger = has_color(panel, BLUE).sum(), has_color(panel, ORANGE).sum()
    assert joy == pytest.approx(4 * anger, rel=0.1)  # 0.8 and 0.2
    assert has_color(painted[-1], BLUE).sum() == pytest.approx(800 * 0.5 / 6, abs=2)
    nothing = Painter(RESULT).paint(frame, 5.0)
    assert not has_color(nothing[:-4, 500:], BLUE).any()


@pytest.mark.parametrize('name', [None, 'disappointment and contempt'])
@pytest.mark.parametrize('height', [360, 480, 720])
def test_the_header_fits_the_panel(name: str | None, height: int):
    result = RESULT
    if name is not None:
        windows = [dict(window, scores=None) for window in RESULT['windows']]
        windows[0] = dict(windows[0], scores={name: 0.9, 'anger': 0.1}, label=name)
        result = RESULT | dict(windows=windows, scores=windows[0]['scores'], label=name)
    panel = Painter(result).paint(np.zeros((height, 640, 3), np.uint8), 5.0 if name is None else 0.5)[
        : height // 12, -300:
    ]
    columns = np.flatnonzero((panel < 120).all(axis=-1).any(axis=0))
    assert columns.min() >= 14
    assert 100 < columns.max() <= 300 - 14


def test_values_are_drawn_from_0():
    result = RESULT | dict(scores=None, values=dict(valence=-0.5))
    result['windows'] = [dict(RESULT['windows'][0], scores=None, values=dict(valence=-0.5), end_seconds=6.0)]
    panel = Painter(result).paint(np.zeros((400, 400, 3), np.uint8), 1.0)[:-4, 400:]
    columns = np.flatnonzero(has_color(panel, BLUE).any(axis=0))
    assert columns.min() == pytest.approx(16 + 0.25 * 268, abs=2)
    assert columns.max() == pytest.approx(16 + 0.5 * 268, abs=2)


def test_the_video_has_every_frame_and_the_sound(media: MediaFolder, tmp_path: Path):
    (clip,) = as_clips(media.video(num_frames=40))
    path = write_overlay(RESULT, clip, tmp_path / 'out' / 'overlay.mp4')
    assert [file.name for file in path.parent.iterdir()] == ['overlay.mp4']
    assert path.read_bytes().find(b'moov') < path.read_bytes().find(b'mdat')  # can be played while it loads
    with av.open(str(path)) as container:
        assert [stream.codec_context.name for stream in container.streams] == ['h264', 'aac']
        pictures = [frame.to_ndarray(format='rgb24') for frame in container.decode(video=0)]
    with av.open(str(path)) as container:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    assert len(pictures) == 40
    assert len(sound) == pytest.approx(1.6 * 16000, rel=0.1)
    assert np.abs(sound[4000:20000]).max() == pytest.approx(0.5, abs=0.1)
    numbers = [media.frame_number(picture[:360, :360]) for picture in pictures]
    assert numbers == list(range(40))


def test_arrays_and_silent_clips(tmp_path: Path):
    frames = np.zeros((10, 64, 64, 3), np.uint8)
    (clip,) = as_clips(dict(frames=frames, fps=60, waveform=np.zeros(4410, np.float32), sample_rate_hz=44100))
    with av.open(str(write_overlay(RESULT, clip, tmp_path / 'a.mp4'))) as container:
        assert container.streams.video[0].frames == 5  # 30 a second are enough
        assert container.streams.audio[0].rate == 44100
    (clip,) = as_clips(dict(frames=frames, fps=25))
    with av.open(str(write_overlay(RESULT, clip, tmp_path / 'b.mp4'))) as container:
        assert not container.streams.audio
    (clip,) = as_clips(dict(waveform=np.zeros(8000), sample_rate_hz=8000))
    with pytest.raises(MediaError, match='there are no pictures, so there is no overlay'):
        write_overlay(RESULT, clip, tmp_path / 'c.mp4')
    assert not (tmp_path / 'c.mp4').exists()

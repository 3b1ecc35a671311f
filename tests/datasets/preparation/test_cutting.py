from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.preparation.cutting import Cut, CutVideo, summarize_cuts
from hicmae_mm.datasets.preparation.jobs import Job, Outcome
from hicmae_mm.datasets.readers.video import open_video
from hicmae_mm.datasets.writers import write_video

FPS = 10


def recording(num_frames: int = 30) -> np.ndarray:
    """``(T, 32, 64, 3)``: the left half is as bright as its frame is late, the right half is as dark."""
    levels = np.linspace(20, 230, num_frames).astype(np.uint8)
    frames = np.empty((num_frames, 32, 64, 3), dtype=np.uint8)
    frames[:, :, :32] = levels[:, None, None, None]
    frames[:, :, 32:] = 255 - levels[:, None, None, None]
    return frames


def write_avi(path: Path, frames: np.ndarray, b_frames: int) -> None:
    """An MPEG-4 picture track in an AVI, as DivX wrote them: no time stamps of presentation."""
    with av.open(str(path), 'w', format='avi') as container:
        stream = container.add_stream('mpeg4', rate=FPS, options={'bf': str(b_frames)})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = 'yuv420p'
        stream.bit_rate = 2_000_000
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format='rgb24')))
        container.mux(stream.encode())


def levels_of(path: Path) -> list[int]:
    reader = open_video(path)
    try:
        assert reader.fps == pytest.approx(FPS)
        return [round(float(frame.mean())) for frame in reader.read(range(reader.num_frames))]
    finally:
        reader.close()


@pytest.fixture(params=['avi', 'reordered.avi', 'mp4'])
def video(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f'recording.{request.param}'
    if path.suffix == '.avi':
        write_avi(path, recording(), b_frames=2 if 'reordered' in path.name else 0)
    else:
        write_video(path, recording(), FPS)
    return path


def test_cuts_hold_the_frames_of_their_time_and_half(video: Path, tmp_path: Path) -> None:
    cuts = [
        Cut('late', 2.5, 9.0, 0.5, 1.0),  # goes on after the end
        Cut('early', 0.0, 0.5, 0.0, 0.5),
        Cut('overlapping', 0.31, 1.0, 0.5, 1.0),  # frames 4 to 9
        Cut('short', 1.92, 1.95),  # between two frames: the next one
        Cut('never', 3.0, 4.0),
    ]
    job = Job('recording', video, tmp_path / 'out')
    details = CutVideo({'recording': cuts})(job, tmp_path / 'part')
    assert details == dict(cuts=4, beyond_end=['never'])
    assert sorted(path.name for path in (tmp_path / 'part').iterdir()) == [
        'early.mp4',
        'late.mp4',
        'overlapping.mp4',
        'short.mp4',
    ]
    levels = np.linspace(20, 230, 30).astype(np.uint8).astype(int)
    for name, expected in (
        ('early', levels[:5]),
        ('overlapping', 255 - levels[4:10]),
        ('late', 255 - levels[25:]),
        ('short', [127]),
    ):
        found = levels_of(tmp_path / 'part' / f'{name}.mp4')
        assert len(found) == len(expected)
        assert np.abs(np.subtract(found, expected)).max() <= 4
    reader = open_video(tmp_path / 'part' / 'early.mp4')
    assert reader.read([0]).shape == (1, 32, 32, 3)
    reader.close()


def test_a_broken_or_missing_recording_is_named(tmp_path: Path) -> None:
    work = CutVideo({'recording': [Cut('a', 0.0, 1.0)]})
    with pytest.raises(FileNotFoundError, match=r'nothing\.avi: no such file'):
        work(Job('recording', tmp_path / 'nothing.avi', tmp_path / 'out'), tmp_path / 'part')
    (tmp_path / 'text.avi').write_text('not a video' * 100)
    with pytest.raises(MediaError, match=r'text\.avi'):
        work(Job('recording', tmp_path / 'text.avi', tmp_path / 'out'), tmp_path / 'part')


@pytest.mark.parametrize('values', [(1.0, 1.0, 0.0, 1.0), (-1.0, 1.0, 0.0, 1.0), (0.0, 1.0, 0.5, 0.5), (0, 1, 0, 1.1)])
def test_impossible_cuts_are_refused(values: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match='a: expected 0 <='):
        Cut('a', *values)


def test_summary_counts_cuts() -> None:
    outcomes = [
        Outcome('a', 'done', details=dict(cuts=3, beyond_end=['x'])),
        Outcome('b', 'failed', 'broken'),
        Outcome('c', 'existing', details=dict(cuts=2, beyond_end=[])),
    ]
    assert summarize_cuts(outcomes) == dict(cuts=5, beyond_end=1)

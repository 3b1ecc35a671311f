from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.readers.video import (
    BACKENDS,
    DecordReader,
    FrameFolderReader,
    PyAVReader,
    open_video,
    read_image,
)
from tests.conftest import MediaFolder

NUMBERS = [0, 3, 17, 30, 49]


@pytest.mark.parametrize('backend', BACKENDS)
@pytest.mark.parametrize('name', ['a.mp4', 'a.mkv', 'a.avi'])
def test_every_frame_is_the_one_asked_for(media: MediaFolder, backend: str, name: str) -> None:
    reader = open_video(media.video(name, num_frames=50), backend)
    assert reader.num_frames == 50
    assert reader.fps == pytest.approx(25)
    for numbers in (NUMBERS, [49], [12], list(range(20, 30))):  # forwards, backwards, across key frames
        frames = reader.read(numbers)
        assert frames.shape == (len(numbers), 64, 64, 3)
        assert frames.dtype == np.uint8
        assert [media.frame_number(frame) for frame in frames] == numbers
    reader.close()


@pytest.mark.parametrize('backend', BACKENDS)
@pytest.mark.parametrize('name', ['a.mp4', 'a.avi'])
def test_time_stamps(media: MediaFolder, backend: str, name: str) -> None:
    reader = open_video(media.video(name, num_frames=20), backend)
    for index in (0, 7, 19):
        assert reader.frame_seconds(index) == pytest.approx((index / 25, (index + 1) / 25), abs=1e-3)


def test_backends_agree_on_pixels(media: MediaFolder) -> None:
    path = media.video(num_frames=30)
    np.testing.assert_array_equal(DecordReader(path).read([1, 2, 29]), PyAVReader(path).read([1, 2, 29]))


def test_pyav_is_the_default(media: MediaFolder) -> None:
    assert isinstance(open_video(media.video()), PyAVReader)


def test_decord_serves_plain_mp4_only(media: MediaFolder) -> None:
    pytest.importorskip('decord')
    assert isinstance(open_video(media.video(), 'decord'), DecordReader)
    assert isinstance(open_video(media.video('a.mkv'), 'decord'), PyAVReader)
    with pytest.raises(MediaError, match="use backend='pyav'"):
        DecordReader(media.root / 'a.mkv')


@pytest.mark.parametrize('backend', BACKENDS)
@pytest.mark.parametrize('name', ['a.mp4', 'a.mkv', 'a.avi'])
def test_truncated_video_is_refused(media: MediaFolder, backend: str, name: str) -> None:
    with pytest.raises(MediaError, match=rf'truncated_{name}.*truncated'):
        open_video(media.truncated(media.video(name)), backend)


@pytest.mark.parametrize('backend', BACKENDS)
def test_video_with_a_damaged_middle_is_refused(media: MediaFolder, backend: str) -> None:
    path = media.video(num_frames=50, has_sound=False)
    data = bytearray(path.read_bytes())
    start = data.index(b'mdat') + len(data) // 4
    data[start : start + len(data) // 3] = bytes(len(data) // 3)
    path.write_bytes(data)
    with pytest.raises(MediaError, match=r'clip\.mp4'):  # at the opening or the reading
        open_video(path, backend).read(list(range(50)))


@pytest.mark.parametrize('backend', BACKENDS)
def test_what_is_no_video_is_refused(media: MediaFolder, backend: str) -> None:
    (media.root / 'text.mp4').write_text('this is no video at all')
    with pytest.raises(MediaError, match='cannot be opened as a video'):
        open_video(media.root / 'text.mp4', backend)
    with pytest.raises(MediaError, match=r'cannot be opened as a video|no picture track'):
        open_video(media.wav(), backend)


def test_missing_video_and_unknown_backend(media: MediaFolder) -> None:
    with pytest.raises(FileNotFoundError, match=r'none\.mp4'):
        open_video(media.root / 'none.mp4')
    with pytest.raises(ValueError, match='backend must be one of'):
        open_video(media.video(), 'opencv')


def test_frame_folder_in_numeric_order(media: MediaFolder) -> None:
    reader = open_video(media.frame_folder(num_frames=12))
    assert isinstance(reader, FrameFolderReader)
    assert [media.frame_number(frame) for frame in reader.read(list(range(12)))] == list(range(12))
    with pytest.raises(ValueError, match='frame_folder_fps'):
        reader.frame_seconds(0)
    assert FrameFolderReader(reader.path, fps=10).frame_seconds(3) == pytest.approx((0.3, 0.4))


def test_frame_folder_colours_are_rgb(media: MediaFolder) -> None:
    frame = open_video(media.frame_folder(num_frames=1)).read([0])[0]
    difference = np.abs(frame.astype(int) - media.frames(1)[0].astype(int))
    assert difference[4:24, 4:60].mean() < 4


def test_bad_frame_folders(media: MediaFolder) -> None:
    (media.root / 'none').mkdir()
    with pytest.raises(MediaError, match='the folder has no frames'):
        open_video(media.root / 'none')
    folder = media.frame_folder(num_frames=3)
    data = (folder / '2.jpg').read_bytes()
    (folder / '2.jpg').write_bytes(data[: len(data) // 2])
    with pytest.raises(MediaError, match=r'2\.jpg: the picture is truncated'):
        open_video(folder).read([0, 1])
    (folder / '2.jpg').write_bytes(b'')
    with pytest.raises(MediaError, match=r'2\.jpg: the picture is unreadable'):
        open_video(folder).read([0, 1])
    other = media.frame_folder('other', num_frames=1, height=32, width=32)
    (other / '1.jpg').rename(folder / '2.jpg')
    with pytest.raises(MediaError, match=r'2\.jpg: frame of \(32, 32\)'):
        open_video(folder).read([0, 1])


def test_missing_picture(media: MediaFolder) -> None:
    with pytest.raises(FileNotFoundError):
        read_image(media.root / 'none.jpg')


@pytest.mark.parametrize('width', [24, 40, 72])
def test_decord_reads_every_width(media: MediaFolder, width: int) -> None:
    path = media.video('narrow.mp4', num_frames=10, width=width)
    frames = open_video(path, 'decord').read([2, 7])
    assert frames.shape == (2, 64, width, 3)
    np.testing.assert_array_equal(frames, open_video(path, 'pyav').read([2, 7]))


def test_webm_without_a_length_is_read_as_browsers_record_it(tmp_path: Path) -> None:
    stream = io.BytesIO()
    stream.seekable = lambda: False  # so that the length cannot be written afterwards
    frames = np.full((5, 32, 32, 3), 120, dtype=np.uint8)
    with av.open(stream, 'w', format='webm') as container:
        video = container.add_stream('libvpx', rate=25, width=32, height=32, pix_fmt='yuv420p')
        for frame in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(frame, format='rgb24')))
        container.mux(video.encode())
    path = tmp_path / 'recorded.webm'
    path.write_bytes(stream.getvalue())
    reader = open_video(path)
    assert reader.num_frames == 5
    assert np.abs(reader.read([4]).astype(int) - 120).max() < 8

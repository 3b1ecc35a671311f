from __future__ import annotations

import pytest

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.readers.source_clip import Clip
from tests.conftest import MediaFolder

FRAME_BYTES = 64 * 64 * 3


@pytest.mark.parametrize(('name', 'backend'), [('clip.mp4', None), ('clip.mp4', 'pyav'), ('clip.avi', None)])
@pytest.mark.parametrize('num_held', [1, 7, 100])
def test_every_frame_comes_once_and_in_order(media: MediaFolder, name: str, backend: str | None, num_held: int) -> None:
    with Clip(media.video(name, num_frames=20), backend=backend, held_bytes=num_held * FRAME_BYTES) as clip:
        assert (clip.num_frames, clip.height, clip.width, clip.name) == (20, 64, 64, 'clip')
        for _ in range(2):
            assert [media.frame_number(frame) for frame in clip.frames()] == list(range(20))
        assert clip.seconds == pytest.approx(0.8, abs=0.001)


def test_a_clip_that_fits_is_decoded_once(media: MediaFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    with Clip(media.video(num_frames=10)) as clip:
        first = [frame.copy() for frame in clip.frames()]
        monkeypatch.setattr(clip.reader, 'read', None)
        assert all((frame == other).all() for frame, other in zip(clip.frames(), first, strict=True))


def test_folders_have_no_length_without_a_frame_rate(media: MediaFolder) -> None:
    folder = media.frame_folder(num_frames=5)
    with Clip(folder) as clip:
        assert clip.seconds is None
    with Clip(folder, frame_folder_fps=25) as clip:
        assert clip.seconds == pytest.approx(0.2)


def test_frames_of_another_size_are_refused(media: MediaFolder) -> None:
    folder = media.frame_folder(num_frames=2)
    (media.frame_folder('other', num_frames=1, height=32, width=32) / '1.jpg').rename(folder / '3.jpg')
    with (
        Clip(folder, held_bytes=FRAME_BYTES) as clip,
        pytest.raises(MediaError, match=r'frames from 2 on are \(32, 32\)'),
    ):
        list(clip.frames())


def test_damage_in_the_middle_is_an_error_however_frames_are_read(media: MediaFolder) -> None:
    path = media.video('clip.mkv', num_frames=40)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = bytes(400)
    path.write_bytes(data)
    for num_held in (1, 100):
        with pytest.raises(MediaError), Clip(path, backend='pyav', held_bytes=num_held * FRAME_BYTES) as clip:
            list(clip.frames())

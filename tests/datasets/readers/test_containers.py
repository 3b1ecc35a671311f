from __future__ import annotations

import pytest

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.readers.containers import check_complete
from tests.conftest import MediaFolder


@pytest.mark.parametrize('name', ['a.mp4', 'a.mkv', 'a.avi'])
def test_complete_video_passes_and_a_shorter_one_does_not(media: MediaFolder, name: str) -> None:
    path = media.video(name, num_frames=20)
    check_complete(path)
    for share in (0.3, 0.9, 0.99):
        with pytest.raises(MediaError, match=r'truncated_a\..*truncated, it has'):
            check_complete(media.truncated(path, share))


def test_truncated_wav(media: MediaFolder) -> None:
    path = media.wav()
    check_complete(path)
    with pytest.raises(MediaError, match='header declares'):
        check_complete(media.truncated(path))


def test_wav_of_unknown_length_passes(media: MediaFolder) -> None:
    path = media.wav()
    data = bytearray(path.read_bytes())
    data[4:8] = b'\xff\xff\xff\xff'  # as written to a pipe
    path.write_bytes(data)
    check_complete(path)


def test_missing_and_empty(media: MediaFolder) -> None:
    with pytest.raises(FileNotFoundError, match='no such file; check data_root'):
        check_complete(media.root / 'none.mp4')
    (media.root / 'empty.mp4').touch()
    with pytest.raises(MediaError, match='is empty'):
        check_complete(media.root / 'empty.mp4')


def test_other_formats_are_left_to_the_decoder(media: MediaFolder) -> None:
    (media.root / 'a.mpg').write_bytes(b'anything')
    check_complete(media.root / 'a.mpg')

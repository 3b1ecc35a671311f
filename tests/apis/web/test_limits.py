from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest

from hicmae_mm.apis.web.limits import Limits, check_media
from hicmae_mm.apis.web.problems import VisitorError
from tests.conftest import MediaFolder


def test_streams_of_acceptable_files(media: MediaFolder):
    assert check_media(media.video('both.mp4', num_frames=25), Limits()) == {'video', 'audio'}
    assert check_media(media.video('mute.mp4', num_frames=25, has_sound=False), Limits()) == {'video'}
    assert check_media(media.wav('voice.wav'), Limits()) == {'audio'}


def test_length_is_counted_up_to_the_limit(media: MediaFolder):
    path = media.video('two.mp4', num_frames=50)
    assert check_media(path, Limits(max_seconds=2)) == {'video', 'audio'}
    with pytest.raises(VisitorError, match='longer than 1.2 seconds') as caught:
        check_media(path, Limits(max_seconds=1.2))
    assert caught.value.advice == 'Cut it shorter and try again.'


def test_a_length_that_a_header_states_is_not_believed(media: MediaFolder):
    path = media.video('two.mp4', num_frames=50)
    data = bytearray(path.read_bytes())
    at = data.index(b'mvhd') + 4 + 12  # version and flags, two dates; then time scale and duration
    time_scale = int.from_bytes(data[at : at + 4], 'big')
    data[at + 4 : at + 8] = (time_scale // 10).to_bytes(4, 'big')
    path.write_bytes(bytes(data))
    with pytest.raises(VisitorError, match='longer than 1 seconds'):
        check_media(path, Limits(max_seconds=1))


def test_an_hour_is_refused_before_it_is_decoded(media: MediaFolder):
    path = media.video('hour.mp4', num_frames=720, fps=0.2, has_sound=False, height=16, width=16)
    with pytest.raises(VisitorError, match='longer than 2 minutes'):
        check_media(path, Limits())


def test_billions_of_stated_frames_take_no_time(media: MediaFolder):
    path = media.video('two.mp4', num_frames=50)
    data = bytearray(path.read_bytes())
    at = data.index(b'stsz') + 4 + 4  # version and flags; then the size of all samples, and their number
    data[at : at + 8] = (1).to_bytes(4, 'big') + (2**32 - 1).to_bytes(4, 'big')
    path.write_bytes(bytes(data))
    begun = time.monotonic()
    with contextlib.suppress(VisitorError):
        check_media(path, Limits())
    assert time.monotonic() - begun < 5


def test_size(media: MediaFolder):
    path = media.video('clip.mp4', num_frames=25)
    size = path.stat().st_size
    assert check_media(path, Limits(max_megabytes=size / 1e6)) == {'video', 'audio'}
    with pytest.raises(VisitorError, match='larger than'):
        check_media(path, Limits(max_megabytes=(size - 1) / 1e6))


@pytest.mark.parametrize(
    ('name', 'content'),
    [
        ('notes.txt', b'hello\n' * 100),  # FFmpeg would draw it as a film of letters
        ('picture.mp4', b'\xff\xd8\xff\xe0' * 50),
        ('list.mp4', b'#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/hostname\n'),
        ('list.txt', b"ffconcat version 1.0\nfile '/etc/hostname'\n"),
        ('empty.mp4', b''),
    ],
)
def test_other_files_are_no_media(name: str, content: bytes, tmp_path: Path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(VisitorError, match='cannot be read as a video or sound'):
        check_media(tmp_path / name, Limits())


def test_a_file_that_is_gone(tmp_path: Path):
    with pytest.raises(VisitorError, match='no longer here'):
        check_media(tmp_path / 'gone.mp4', Limits())


@pytest.mark.parametrize('name', ['max_megabytes', 'max_seconds', 'max_analysis_seconds'])
def test_limits_are_above_zero(name: str):
    with pytest.raises(ValueError, match=f'{name} must be above 0, got 0'):
        Limits(**{name: 0})

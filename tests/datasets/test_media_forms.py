"""Every form of media that people have is read as FFmpeg shows it: order, orientation, access, place of the sound."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.readers.audio import AlignedAudio, open_audio
from hicmae_mm.datasets.readers.video import open_video
from tests.datasets import marked

# the heap first, so that encoders of the module's own files are freed, too
pytestmark = pytest.mark.usefixtures('frozen_heap', 'frees_encoders')

FRAME_SECONDS = 1 / marked.FPS
WHOLE = list(range(marked.NUM_FRAMES))
X265 = 'log-level=error:keyint=12:open-gop=1:bframes=3:pools=none:frame-threads=1'
OPEN_GOPS = {'preset': 'ultrafast', 'crf': '10', 'x265-params': X265}
X264_OPEN = {'preset': 'veryfast', 'crf': '10', 'x264-params': 'keyint=12:bframes=3:open-gop=1:scenecut=0'}
REFRESH = {'preset': 'veryfast', 'crf': '10', 'x264-params': 'keyint=12:bframes=0:intra-refresh=1'}
INTERLACED = {'preset': 'veryfast', 'crf': '10', 'flags': '+ilme+ildct', 'x264-params': 'keyint=12:tff=1'}

ENCODED: dict[str, dict[str, Any]] = {
    'plain.mp4': {},
    'plain.mov': {},
    'plain.mkv': {},
    'fragmented.mp4': dict(options_={'movflags': 'frag_keyframe+empty_moov'}),
    'open.mp4': dict(codec='libx264', options=X264_OPEN),
    'refreshed.mp4': dict(codec='libx264', options=REFRESH),
    'interlaced.mkv': dict(codec='libx264', options=INTERLACED),
    'ten_bits.mp4': dict(codec='libx264', pix_fmt='yuv420p10le'),
    'half_chroma.mp4': dict(codec='libx264', pix_fmt='yuv422p'),
    'open_hevc.mp4': dict(codec='libx265', options=OPEN_GOPS),
    'open_hevc.ts': dict(codec='libx265', options=OPEN_GOPS),
    'vp8.webm': dict(codec='libvpx', audio='libopus', options={**marked.GOOD, 'deadline': 'realtime'}),
    'hidden.webm': dict(
        codec='libvpx', audio='libopus', options={**marked.GOOD, 'auto-alt-ref': '1', 'lag-in-frames': '16'}
    ),
    'vp9.webm': dict(codec='libvpx-vp9', audio='libopus', options={**marked.GOOD, 'deadline': 'realtime'}),
    'mpeg4.mp4': dict(codec='mpeg4', options={**marked.GOOD, 'bf': '2'}),
    'mpeg4.3gp': dict(codec='mpeg4'),
    'prores.mov': dict(codec='prores_ks', audio='pcm_s16le', pix_fmt='yuv422p10le'),
    'mjpeg.avi': dict(codec='mjpeg', audio='pcm_s16le', pix_fmt='yuvj420p'),
    'mpeg4.avi': dict(codec='mpeg4', audio='libmp3lame'),
    'sorenson.flv': dict(codec='flv', audio=None),
    'h264.flv': dict(codec='libx264'),
    'h264.ts': dict(codec='libx264'),
    'mpeg1.mpg': dict(codec='mpeg1video', audio='mp2', options={**marked.GOOD, 'bf': '2'}),
    'mpeg2.mpg': dict(codec='mpeg2video', audio='mp2', options={**marked.GOOD, 'bf': '2'}),
    'mpeg2.vob': dict(codec='mpeg2video', audio='ac3', options={**marked.GOOD, 'bf': '2'}),
    'wmv2.wmv': dict(codec='wmv2', audio='libmp3lame'),
    'lossless.mkv': dict(codec='ffv1', audio='flac'),
    'animation.gif': dict(codec='gif', audio=None, pix_fmt='rgb8'),
}


def make(folder: Path, name: str) -> Path:
    form = dict(ENCODED[name])
    if 'options_' in form:
        return marked.write(folder / name, container_options=form['options_'])
    return marked.write(folder / name, **form)


@pytest.fixture(scope='module')
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return marked.write(tmp_path_factory.mktemp('plain') / 'plain.mp4')


def check_pictures(path: Path, expected: list[int], backend: str | None, corners: str = 'RGBW') -> None:
    reader = open_video(path, backend)
    assert reader.num_frames == len(expected)
    frames = reader.read(range(reader.num_frames))
    assert [marked.number(frame) for frame in frames] == expected
    assert {marked.corners(frame) for frame in frames} == {corners}
    for index in (len(expected) - 1, len(expected) // 2, len(expected) // 3, 0):  # backwards
        assert marked.number(reader.read([index])[0]) == expected[index]
    starts = [reader.frame_seconds(index)[0] for index in range(reader.num_frames)]
    assert starts[0] >= 0
    assert all(first < second for first, second in pairwise(starts))
    reader.close()


def click_after_frame(path: Path, frame: int = 25) -> float:
    """How much later the click is heard than its frame is shown, on the clock of the file."""
    video, audio = open_video(path), AlignedAudio(open_audio(path))
    numbers = [marked.number(picture) for picture in video.read(range(video.num_frames))]
    heard = marked.click_seconds(audio.read(0, audio.num_samples), audio.sample_rate_hz)
    shown = video.frame_seconds(numbers.index(frame))[0]
    video.close()
    audio.close()
    return heard - shown


@pytest.mark.parametrize('backend', [None, 'decord'])
@pytest.mark.parametrize('name', ENCODED)
def test_every_form(tmp_path: Path, name: str, backend: str | None) -> None:
    path = make(tmp_path, name)
    check_pictures(path, WHOLE, backend)
    if ENCODED[name].get('audio', 'aac'):
        assert click_after_frame(path) == pytest.approx(0, abs=FRAME_SECONDS)


@pytest.mark.parametrize('suffix', ['mp4', 'mov'])
@pytest.mark.parametrize('cut_seconds', [0.2, 0.7, 1.24])
def test_what_an_edit_list_hides_is_not_read(plain: Path, tmp_path: Path, suffix: str, cut_seconds: float) -> None:
    path = marked.shifted(
        plain, tmp_path / f'cut.{suffix}', -cut_seconds, -cut_seconds, options={'avoid_negative_ts': 'disabled'}
    )
    first = int(np.ceil(round(cut_seconds * marked.FPS, 6)))
    for backend in (None, 'decord'):
        check_pictures(path, WHOLE[first:], backend)
    if first <= 25:
        assert click_after_frame(path) == pytest.approx(0, abs=FRAME_SECONDS)


MATRICES = {
    (1, 0, 0, 1): 'RGBW',
    (0, 1, -1, 0): 'BRWG',  # a quarter to the right, as phones hold them
    (-1, 0, 0, -1): 'WBGR',
    (0, -1, 1, 0): 'GWRB',
    (-1, 0, 0, 1): 'GRWB',  # mirrored, as front cameras do
    (1, 0, 0, -1): 'BWRG',
    (0, 1, 1, 0): 'RBGW',
}


@pytest.mark.parametrize('backend', [None, 'decord'])
@pytest.mark.parametrize(('matrix', 'corners'), MATRICES.items())
def test_pictures_are_upright(
    plain: Path, tmp_path: Path, matrix: tuple[int, int, int, int], corners: str, backend: str | None
) -> None:
    path = tmp_path / 'turned.mp4'
    path.write_bytes(plain.read_bytes())
    check_pictures(marked.displayed(path, matrix), WHOLE, backend, corners)


@pytest.mark.parametrize('suffix', ['mp4', 'mov', 'mkv', 'ts', 'flv', 'nut'])
@pytest.mark.parametrize(('audio_seconds', 'video_seconds'), [(0.8, 0.0), (0.0, 0.8), (5.0, 5.3)])
def test_sound_is_where_it_is(
    plain: Path, tmp_path: Path, suffix: str, audio_seconds: float, video_seconds: float
) -> None:
    path = marked.shifted(plain, tmp_path / f'apart.{suffix}', audio_seconds, video_seconds)
    check_pictures(path, WHOLE, None)
    assert click_after_frame(path) == pytest.approx(audio_seconds - video_seconds, abs=FRAME_SECONDS)
    assert min(open_video(path).frame_seconds(0)[0], open_audio(path).start_seconds) == pytest.approx(0, abs=0.03)


@pytest.mark.parametrize('suffix', ['flv', 'mkv', 'nut'])
def test_a_clock_that_wraps_is_refused(plain: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f'wrapped.{suffix}'
    marked.remux(plain, path, lambda packet: 2e6 if packet.pts * packet.time_base >= 1 else 0)
    for open_one, what in ((open_video, 'pictures'), (open_audio, 'sound')):
        with pytest.raises(
            MediaError, match=rf'wrapped\..*: (0\.9\d|1\.0\d) s after .* stamps of the {what} jump by 2e\+06 s'
        ):
            open_one(path)


@pytest.mark.parametrize('name', ['varying.mp4', 'varying.mkv', 'dropped.avi', 'varying.webm'])
def test_frames_keep_their_times_where_some_are_left_out(tmp_path: Path, name: str) -> None:
    kept = [*range(25), *range(25, 32, 3)]
    forms = {'avi': dict(codec='mpeg4', audio='pcm_s16le'), 'webm': dict(codec='libvpx', audio='libopus')}
    path = marked.write(tmp_path / name, numbers=kept, **forms.get(name[-3:], {}) | forms.get(name[-4:], {}))
    check_pictures(path, kept, None)
    reader = open_video(path)
    starts = [reader.frame_seconds(index)[0] for index in range(len(kept))]
    np.testing.assert_allclose(np.subtract(starts, starts[0]), np.array(kept) / marked.FPS, atol=2e-3)


@pytest.mark.parametrize('name', ['wide.mp4', 'wide.mkv'])
def test_pixels_become_square(tmp_path: Path, name: str) -> None:
    with av.open(str(tmp_path / name), 'w') as container:
        stream = container.add_stream('libx264', rate=25, options=marked.X264)
        stream.height, stream.width, stream.pix_fmt = marked.HEIGHT, marked.WIDTH, 'yuv420p'
        stream.codec_context.sample_aspect_ratio, stream.codec_context.thread_count = Fraction(3, 2), 1
        for number in range(10):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(marked.frame(number), format='rgb24')))
        container.mux(stream.encode())
    for backend in (None, 'decord'):
        frames = open_video(tmp_path / name, backend).read(range(10))
        assert frames.shape == (10, marked.HEIGHT, marked.WIDTH * 3 // 2, 3)
        assert [marked.number(frame) for frame in frames] == list(range(10))


def test_pictures_that_change_their_size_are_scaled_to_the_first(tmp_path: Path) -> None:
    path = tmp_path / 'call.webm'
    with av.open(str(path), 'w') as container:
        track = container.add_stream('libvpx', rate=25, width=marked.WIDTH, height=marked.HEIGHT, pix_fmt='yuv420p')
        track.codec_context.thread_count = 1
        for start, (height, width) in ((0, (marked.HEIGHT, marked.WIDTH)), (10, (144, 192))):
            encoder = av.CodecContext.create('libvpx', 'w')
            encoder.height, encoder.width, encoder.pix_fmt, encoder.bit_rate = height, width, 'yuv420p', 2_000_000
            encoder.time_base, encoder.thread_count = Fraction(1, 25), 1
            for number in range(start, start + 10):
                picture = av.VideoFrame.from_ndarray(marked.frame(number, height, width), format='rgb24')
                picture.pts = number
                _mux(container, track, encoder.encode(picture.reformat(format='yuv420p')))
            _mux(container, track, encoder.encode(None))
    for order in (range(20), [15], [3, 12]):
        frames = open_video(path).read(list(order))
        assert frames.shape[1:3] == (marked.HEIGHT, marked.WIDTH)
        assert [marked.number(frame) for frame in frames] == list(order)


def _mux(container: Any, track: Any, packets: Any) -> None:
    for packet in packets:
        packet.stream = track
        container.mux(packet)


@pytest.mark.parametrize(
    ('make_tracks', 'error'),
    [
        (lambda container: container.add_stream('aac', rate=16000, layout='mono'), 'no picture track'),
        (lambda container: container.add_stream('libx264', rate=25, width=32, height=32), 'no sound track'),
    ],
)
def test_a_missing_track_is_named(tmp_path: Path, make_tracks: Callable[[Any], Any], error: str) -> None:
    with av.open(str(tmp_path / 'one.mp4'), 'w') as container:
        stream = make_tracks(container)
        stream.codec_context.thread_count = 1
        if stream.type == 'video':
            container.mux(stream.encode(av.VideoFrame(32, 32, 'yuv420p')))
        else:
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), 'fltp', 'mono')
            frame.sample_rate = 16000
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(MediaError, match=rf'one\.mp4: the file has {error}'):
        open_video(tmp_path / 'one.mp4') if 'picture' in error else open_audio(tmp_path / 'one.mp4')

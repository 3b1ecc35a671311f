from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from benchmarks.soak_web import KINDS, write_clip
from hicmae_mm.apis import EmotionInferencer
from hicmae_mm.apis.web import EmotionService, Limits
from hicmae_mm.apis.web.limits import check_media
from hicmae_mm.apis.web.problems import VisitorError
from hicmae_mm.apis.web.service import Windows
from hicmae_mm.apis.web.stops import Stop
from hicmae_mm.datasets.writers import write_video
from tests.apis.conftest import spot_frames
from tests.apis.test_further import build
from tests.apis.web.test_pictures import picture_of
from tests.conftest import MediaFolder

Make = Callable[..., EmotionInferencer]


@pytest.fixture
def service(make_inferencer: Make) -> EmotionService:
    return EmotionService(make_inferencer, Limits(max_seconds=4), Windows(window_seconds=1.0))


def test_a_video_becomes_what_the_inferencer_says(service: EmotionService, make_inferencer: Make, media: MediaFolder):
    path = media.video('talk.mp4', num_frames=50)
    view = service.view(path)
    expected = make_inferencer()(str(path), window_seconds=1.0)['predictions'][0]
    assert view['kind'] == 'result'
    assert (view['name'], view['media'], view['seconds']) == ('talk.mp4', 'video', 2.0)
    overall = {line['name']: line['overall'] for line in view['panels'][0]['series']}
    assert overall == pytest.approx({name: 100 * score for name, score in expected['scores'].items()}, abs=1e-2)
    assert len(view['rows']) == len(expected['windows']) == 3
    assert len(view['strip']) == 12
    assert view['spectrogram']['src'].startswith('data:image/png;base64,')


def write_live_recording(path: Path, frames: np.ndarray, wave: np.ndarray) -> None:
    """Matroska as it is streamed: nothing in its head says how long it is."""
    with av.open(str(path), 'w', format='matroska', options={'live': '1'}) as container:
        pictures, sound = container.add_stream('libx264', rate=25), container.add_stream('aac', rate=16000)
        pictures.height, pictures.width = frames.shape[1:3]
        for pixels in frames:
            container.mux(pictures.encode(av.VideoFrame.from_ndarray(pixels, format='rgb24')))
        samples = av.AudioFrame.from_ndarray(wave[None], format='fltp', layout='mono')
        samples.sample_rate = 16000
        for stream, rest in ((sound, samples), (sound, None), (pictures, None)):
            container.mux(stream.encode(rest))


def test_recordings_of_browsers_state_no_length(service: EmotionService, media: MediaFolder):
    path = media.root / 'recording.webm'
    write_live_recording(path, media.frames(50), media.tone(2.0))
    with av.open(str(path)) as container:
        assert container.duration is None
    view = service.view(path)
    assert (view['kind'], view['seconds']) == ('result', 2.0)
    with pytest.raises(VisitorError, match='longer than 1 seconds'):
        check_media(path, Limits(max_seconds=1))


def test_sound_alone(make_inferencer: Make, media: MediaFolder):
    path = media.wav('voice.wav')
    strict = EmotionService(make_inferencer)
    assert not strict.takes_sound_alone
    problem = strict.view(path)
    assert problem['title'] == 'This file has no picture.'
    assert 'choose a recording with picture and sound' in problem['advice']
    lenient = EmotionService(lambda: make_inferencer(missing_streams='zero'))
    assert lenient.takes_sound_alone
    view = lenient.view(path)
    assert (view['kind'], view['media'], view['strip']) == ('result', 'audio', [])
    assert view['notes'] == ['The whole recording was judged without a face. Expect worse scores.']


@pytest.mark.parametrize(
    ('name', 'title'),
    [
        ('mute.mp4', 'This file has no sound.'),
        ('long.mp4', 'This recording is longer than 4 seconds.'),
        ('truncated', 'This file cannot be read as a video or sound.'),
        ('gone.mp4', 'The upload is no longer here.'),
    ],
)
def test_problems(name: str, title: str, service: EmotionService, media: MediaFolder):
    path = media.root / name
    if name == 'truncated':
        path = media.truncated(media.video('whole.mp4', num_frames=50))
    elif name != 'gone.mp4':
        media.video(name, num_frames=150 if name == 'long.mp4' else 50, has_sound=name != 'mute.mp4')
    problem = service.view(path)
    assert (problem['kind'], problem['title'], problem['file']) == ('problem', title, path.name)


def test_nothing_was_chosen(service: EmotionService):
    assert service.view(None)['title'] == 'There is nothing to analyse yet.'


def test_no_face(make_inferencer: Make, media: MediaFolder, bright_spot: str):
    service = EmotionService(lambda: make_inferencer(face_cropper=bright_spot))
    path = media.root / 'empty.mp4'
    write_video(path, spot_frames(25, seen=slice(0)), 25, media.tone(1.0))
    assert service.view(path)['title'] == 'No face was found in this video.'
    write_video(path, spot_frames(25), 25, media.tone(1.0))
    view = service.view(path)
    assert view['kind'] == 'result'
    assert all(face['src'] for face in view['strip'])
    assert [is_seen for _, _, is_seen in view['face_spans']] == [True]


def test_a_fault_of_the_program_does_not_end_in_silence(make_inferencer: Make, media: MediaFolder):
    broken = make_inferencer()
    broken.pipeline[-1] = len  # packs nothing
    problem = EmotionService(lambda: broken).view(media.video('talk.mp4', num_frames=25))
    assert problem['title'] == 'Something went wrong on the server.'


def test_a_visitor_who_leaves_ends_the_analysis(
    service: EmotionService, media: MediaFolder, caplog: pytest.LogCaptureFixture
):
    path = media.video('talk.mp4', num_frames=75)
    stop, steps = Stop(), []

    def leave(results: object) -> object:
        if not steps:
            path.unlink()
            stop.ask()
        steps.append(1)
        return results

    inferencer, check = service._idle.get()
    inferencer.pipeline.insert(-1, leave)
    service._idle.put((inferencer, check))
    with caplog.at_level(logging.INFO):
        assert service.view(path, stop)['title'] == 'The analysis was stopped.'
    assert len(steps) == 1  # of five windows
    assert {record.levelno for record in caplog.records} <= {logging.INFO}
    assert service.view(media.video('talk.mp4', num_frames=75))['kind'] == 'result'  # others are served


def test_time_is_limited(make_inferencer: Make, media: MediaFolder):
    service = EmotionService(make_inferencer, Limits(max_analysis_seconds=1e-6), Windows(window_seconds=1.0))
    problem = service.view(media.video('talk.mp4', num_frames=50))
    assert problem['title'] == 'This recording took longer than 1e-06 seconds to analyse.'


def test_a_model_of_drawn_faces_says_so(service: EmotionService, make_inferencer: Make, tmp_path: Path):
    assert not service.is_synthetic
    drawn = make_inferencer()
    drawn.cfg.test_dataloader.dataset.data_root = 'data/synthetic'
    assert EmotionService(lambda: drawn).is_synthetic
    drawn.cfg.test_dataloader.dataset.data_root = str(tmp_path / 'recordings')
    for content, is_synthetic in (
        ('[]', False),
        ('{"metainfo": 3}', False),
        ('{"metainfo": {"dataset": "synthetic"}}', True),
    ):
        (tmp_path / 'corpus.json').write_text(content)  # of make_synthetic.py, in a folder of any name
        assert EmotionService(lambda: drawn).is_synthetic == is_synthetic


def test_at_least_one_model(make_inferencer: Make):
    with pytest.raises(ValueError, match='num_models must be at least 1, got 0'):
        EmotionService(make_inferencer, num_models=0)
    with pytest.raises(ValueError, match='window_seconds must be above 0, got -1'):
        EmotionService(make_inferencer, windows=Windows(window_seconds=-1))


@pytest.mark.parametrize('kind', list(KINDS))
def test_all_kinds_of_files(kind: str, make_inferencer: Make, tmp_path: Path):
    service = EmotionService(lambda: make_inferencer(missing_streams='zero'), windows=Windows(window_seconds=0.5))
    view = service.view(write_clip(tmp_path / f'clip.{kind}'))
    assert view['kind'] == 'result'
    assert view['media'] == ('video' if KINDS[kind][0] else 'audio')
    assert (view['spectrogram'] is not None) == (KINDS[kind][1] is not None)
    assert view['seconds'] == pytest.approx(1, abs=0.15)
    assert view['panels'][0]['series'][0]['overall'] > 0


def test_a_phone_video_is_upright(make_inferencer: Make, media: MediaFolder):
    """Rotated by its display matrix: the player turns it, so the page must."""
    service = EmotionService(lambda: make_inferencer(missing_streams='zero'))
    plain, turned = media.root / 'plain.mp4', media.root / 'turned.mp4'
    frames = np.full((25, 64, 64, 3), 128, np.uint8)
    frames[:, :16] = (255, 0, 0)  # the upper edge is red
    write_video(plain, frames, 25)
    turned.write_bytes(rotated_by_90_degrees(plain.read_bytes()))
    edges = {}
    for path in (plain, turned):
        face = np.asarray(picture_of(service.view(path)['strip'][0]['src'])).astype(int)
        redness = face[..., 0] - face[..., 1]
        edges[path.stem] = [redness[:20].mean(), redness[-20:].mean(), redness[:, :20].mean(), redness[:, -20:].mean()]
    assert np.argmax(edges['plain']) == 0
    assert np.argmax(edges['turned']) == 3  # clockwise


def rotated_by_90_degrees(data: bytes) -> bytes:
    """An mp4 file whose pictures are to be turned clockwise, as phones write it."""
    at = data.index(b'tkhd') + 4 + 40  # version and flags, dates, track, length, ..., then the matrix
    one = 1 << 16
    matrix = (0, one, 0, -one, 0, 0, 64 * one, 0, 1 << 30)
    return data[:at] + b''.join(value.to_bytes(4, 'big', signed=True) for value in matrix) + data[at + 36 :]


def test_words_of_a_visitor(media: MediaFolder, tmp_path: Path):
    (tmp_path / 'words.txt').write_text('[UNK]\nwell\ngood\nno\n')
    service = EmotionService(lambda: build('text_audio_video', tmp_path, 'error'), Limits(max_seconds=4))
    path = media.video('talk.mp4', num_frames=25, height=32, width=32)
    assert (service.media, service.texts) == (('video', 'audio'), ('text',))
    views = [service.view(path, words=words) for words in ('no', ' well\ngood', str(tmp_path / 'words.txt'))]
    assert all(view['kind'] == 'result' for view in views)  # a name of a file is words, too: it is not opened
    assert views[0]['panels'] != views[1]['panels']
    timed = media.video('long.mp4', num_frames=75, height=32, width=32)
    subtitles = '1\n00:00:00,000 --> 00:00:01,000\nno\n\n2\n00:00:01,000 --> 00:00:03,000\nwell good\n'
    windows = json.loads(service.view(timed, words=subtitles)['files']['json'])
    assert 'text has no times, so every window gets all of it' not in windows['warnings']
    assert len(windows['windows']) > 1
    assert service.view(timed, words='no --> yes')['title'] == 'The times of the words cannot be read.'
    assert service.view(path)['title'] == 'The words are missing.'
    assert service.view(path, words='no ' * 10001)['title'] == 'The text is longer than 30000 characters.'
    with pytest.raises(ValueError, match='the model needs bert and clip and hubert; use emotion_demo.py --give'):
        EmotionService(lambda: build('feature_streams', tmp_path))

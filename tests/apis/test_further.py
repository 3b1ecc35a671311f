"""Models with a third stream: pictures, sound and words, or features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from hicmae_mm.apis import EmotionInferencer
from hicmae_mm.apis.further import give_streams, rows_between
from hicmae_mm.datasets.clips.inputs import ClipInput
from hicmae_mm.datasets.errors import MediaError
from tests.apis.conftest import write_model
from tests.apis.test_inferencer import long_clip, one
from tests.conftest import MediaFolder
from tests.test_demo.demos import load_demo

SRT = '1\n00:00:00,000 --> 00:00:01,000\nno\n\n2\n00:00:02,000 --> 00:00:03,000\nwell good\n'
PLUGINS = Path(__file__).parents[1] / 'plugins' / 'configs'


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('third')
    (root / 'words.txt').write_text('[UNK]\nwell\ngood\nno\n')
    (root / 'talk.srt').write_text(SRT)
    return root


def build(name: str, folder: Path, missing_streams: str | None = None) -> EmotionInferencer:
    cfg = Config.fromfile(PLUGINS / f'{name}.py')
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        cfg[loader].dataset.data_root = str(folder)
    cfg.test_dataloader.dataset.metainfo = dict(classes=('down', 'up'), dimensions=('valence',))
    weights = write_model(cfg, folder / f'{name}.safetensors')
    return EmotionInferencer(
        weights, device='cpu', face_cropper=None, frame_rate_hz=None, missing_streams=missing_streams
    )


@pytest.fixture(scope='module')
def words(folder: Path) -> EmotionInferencer:
    return build('text_audio_video', folder, 'error')


def test_every_window_gets_its_words(words: EmotionInferencer, folder: Path):
    options = dict(window_seconds=1.0, stride_seconds=1.0)
    timed = one(words(long_clip(text=folder / 'talk.srt'), **(options | dict(streams=['text', 'video']))))
    assert [window['streams'] for window in timed['windows']] == [['video', 'text'], [], ['video', 'text']]
    assert timed['windows'][1]['absent_streams'] == dict(text='no words at that time')
    for number, text in ((0, 'no'), (2, 'well good')):
        alone = one(words(long_clip(text=text), **(options | dict(streams=['text', 'video']))))
        assert alone['windows'][number]['scores'] == timed['windows'][number]['scores']
        assert 'text has no times, so every window gets all of it' in alone['warnings']
    assert one(words(long_clip(text='no')))['streams'] == ['video', 'audio', 'text']
    other = one(words(long_clip(text='good')))
    assert other['scores'] != one(words(long_clip(text='no')))['scores']


def test_a_stream_that_is_not_given(words: EmotionInferencer, folder: Path):
    with pytest.raises(MediaError, match=r'no text \(it was not given; add text=\.\.\. to the input\)'):
        words(long_clip())
    with pytest.raises(MediaError, match=r'no text \(the transcript has no words\)'):
        words(long_clip(text=' '))
    skipped, good = words([long_clip(text='talk.vtt'), long_clip(text='no')], on_error='skip')['predictions']
    assert skipped['error'] == 'talk.vtt: there is no such transcript'
    assert good['label'] in ('up', 'down')
    tolerant = build('text_audio_video', folder)  # trained with missing_streams='zero'
    result = one(tolerant(long_clip()))
    assert result['absent_streams'] == dict(text='it was not given; add text=... to the input')
    with pytest.raises(ValueError, match=r"unknown keys \['txt'\]; expected some of .*'text'"):
        words(long_clip(txt='no'))


def test_words_alone_have_no_length(folder: Path, tmp_path: Path):
    tolerant = build('text_audio_video', folder)
    answer = tolerant([dict(text='no', name='spoken')], out_dir=tmp_path)
    assert one(answer)['duration_seconds'] is None
    assert answer['visualization'] == [None]  # there is no time to draw
    timed = one(tolerant(dict(text=folder / 'talk.srt'), window_seconds=1.0, stride_seconds=1.0))
    assert timed['duration_seconds'] == 3
    assert [window['streams'] for window in timed['windows']] == [['text'], [], ['text']]


def test_features_are_given_as_arrays_or_files(folder: Path, tmp_path: Path):
    inferencer = build('feature_streams', folder)
    vectors = {name: np.random.default_rng(3).normal(size=6) for name in ('hubert', 'clip', 'bert')}
    np.save(tmp_path / 'h.npy', vectors['hubert'])
    arrays = one(inferencer(vectors))
    files = one(inferencer(vectors | dict(hubert=tmp_path / 'h.npy')))
    assert arrays['scores'] == files['scores']
    assert list(arrays['values']) == ['valence']
    with pytest.raises(MediaError, match=r'the model takes features of length 6 as clip, got \(5,\)'):
        inferencer(vectors | dict(clip=np.zeros(5)))
    with pytest.raises(FileNotFoundError, match=r'nowhere\.npy does not exist'):
        inferencer(vectors | dict(clip='nowhere.npy'))


def test_rows_of_neighbouring_windows_follow_each_other():
    parts = [rows_between((number / 7, (number + 1) / 7), 10) for number in range(7)]
    assert [first for first, _ in parts[1:]] == [stop for _, stop in parts[:-1]]
    assert rows_between((0.99, 1.0), 3) == (2, 3)


def test_the_demo_takes_a_transcript(folder: Path, media: MediaFolder, tmp_path: Path, capsys: pytest.CaptureFixture):
    build('text_audio_video', folder)  # writes the weights
    arguments = [str(media.video('talk.mp4', num_frames=30, height=32, width=32)), '--out', str(tmp_path)]
    arguments += ['--no-overlay', '--face-cropper', 'none']
    arguments += ['--model', str(folder / 'text_audio_video.safetensors'), '--give', f'text={folder / "talk.srt"}']
    demo = load_demo('emotion_demo')
    assert demo.main(arguments) == 0
    assert 'video and audio and text)' in capsys.readouterr().out
    with pytest.raises(SystemExit):
        demo.parse_args([*arguments, 'text'])
    assert "expected STREAM=VALUE, such as text=talk.srt, got 'text'" in capsys.readouterr().err


def test_streams_of_the_command_line(tmp_path: Path):
    (tmp_path / 'a.srt').write_text(SRT)
    clips = [ClipInput('a.mp4'), ClipInput('b.mp4')]
    first, second = give_streams(clips, dict(text=str(tmp_path)))
    assert first.others == dict(text=tmp_path / 'a.srt')
    assert second.others == {}
    (only,) = give_streams(clips[:1], dict(text='oh no'))
    assert only.others == dict(text='oh no')
    with pytest.raises(ValueError, match='is for one clip, and there are 2; name a folder of files'):
        give_streams(clips, dict(text='oh no'))
    (tmp_path / 'a.txt').write_text('x')
    with pytest.raises(ValueError, match=r'several files of a\.mp4: a\.srt, a\.txt'):
        give_streams(clips, dict(text=str(tmp_path)))

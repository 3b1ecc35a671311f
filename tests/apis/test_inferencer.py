from __future__ import annotations

import json
import math
import pickle
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile
from mmengine.config import Config

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.writers import write_video
from hicmae_mm.engine import build_runner
from hicmae_mm.structures import EmotionDataSample
from tests.apis.conftest import spot_frames, write_model
from tests.conftest import MediaFolder
from tests.engine.tiny_run import CLASSES
from tests.test_tools.modules import load_tool

WHOLE = math.inf
NOISE = np.random.default_rng(0).normal(0, 0.1, 48000).astype(np.float32)


@pytest.fixture(scope='module')
def inferencer(make_inferencer):
    return make_inferencer()


@pytest.fixture(scope='module')
def tolerant(make_inferencer):
    return make_inferencer(missing_streams='zero')


def long_clip(seconds: float = 3.0, **keys) -> dict:
    frames = np.random.default_rng(1).integers(0, 255, (round(25 * seconds), 32, 32, 3), dtype=np.uint8)
    return dict(frames=frames, fps=25, waveform=NOISE[: round(16000 * seconds)], sample_rate_hz=16000) | keys


def one(answer: dict) -> dict:
    (result,) = answer['predictions']
    return result


@pytest.mark.slow
def test_one_window_has_the_scores_of_testing(cfg: Config, corpus: Path, weights: Path, inferencer, tmp_path: Path):
    out = tmp_path / 'predictions.pkl'
    settings = dict(work_dir=str(tmp_path), load_from=str(weights), experiment_name='parity', custom_hooks=[])
    test_cfg = cfg.to_dict() | settings
    test_cfg['test_evaluator'] = [dict(type='DumpResults', out_file_path=str(out))]
    build_runner(Config(test_cfg)).test()
    expected = {item['sample_id']: item['pred_score'].numpy() for item in pickle.loads(out.read_bytes())}
    clips = [dict(video=corpus / f'{n}.mp4', audio=corpus / f'{n}.wav') for n in range(13)]
    results = inferencer(clips, window_seconds=WHOLE, batch_size=5)['predictions']
    assert len(expected) == len(results) == 13
    for result in results:
        assert list(result['scores']) == list(CLASSES)
        np.testing.assert_allclose(list(result['scores'].values()), expected[result['name']], atol=1e-5)
        assert result['streams'] == ['video', 'audio']
    assert np.ptp([result['scores']['high'] for result in results]) > 0.01  # else equality would say little


def test_the_result_of_a_long_clip(inferencer):
    result = one(inferencer(long_clip(name='talk'), window_seconds=1.0, stride_seconds=0.75))
    spans = [(window['start_seconds'], window['end_seconds']) for window in result['windows']]
    assert spans == [(0, 1), (0.75, 1.75), (1.5, 2.5), (2, 3)]
    for name in CLASSES:
        mean = np.mean([window['scores'][name] for window in result['windows']])
        assert result['scores'][name] == pytest.approx(mean, abs=2e-6)
    assert result['label'] == max(result['scores'], key=result['scores'].get)
    expected = dict(name='talk', model='tiny', duration_seconds=3.0, fps=25.0, window_seconds=1.0, stride_seconds=0.75)
    assert expected.items() <= result.items()
    assert result['streams'] == ['video', 'audio']
    assert result['absent_streams'] == {}
    assert result['face_coverage'] is None
    assert result['faces'] == result['warnings'] == []
    assert json.loads(json.dumps(result)) == result


def test_a_window_is_scored_like_a_clip_of_its_own(inferencer):
    whole, start = long_clip(), 2.0
    part = dict(whole, frames=whole['frames'][50:], waveform=whole['waveform'][32000:])
    windows = one(inferencer(whole, window_seconds=1.0, stride_seconds=1.0))['windows']
    last = next(window for window in windows if window['start_seconds'] == start)
    assert last['scores'] == one(inferencer(part, window_seconds=WHOLE))['windows'][0]['scores']


def test_the_default_window_is_what_the_model_sees(inferencer):
    result = one(inferencer(long_clip()))
    assert result['window_seconds'] == 0.32  # 4 frames at a distance of 2, 25 a second
    assert result['stride_seconds'] == 0.16


def test_batches_over_clips_change_nothing(inferencer):
    clips = [long_clip(1.0), long_clip(0.2), long_clip(2.0)]
    single = inferencer(clips, batch_size=1)['predictions']
    joint = inferencer(clips, batch_size=7)['predictions']
    for first, second in zip(single, joint, strict=True):
        assert len(first['windows']) == len(second['windows'])
        for a, b in zip(first['windows'], second['windows'], strict=True):
            assert a['scores'] == pytest.approx(b['scores'], abs=1e-5)


def test_arrays_are_scored_like_files(inferencer, media: MediaFolder):
    folder, sound = media.frame_folder(num_frames=30), media.wav()
    frames = np.stack([cv2.imread(str(folder / f'{n}.jpg'))[..., ::-1] for n in range(1, 31)])
    tone = one(inferencer(dict(video=folder, audio=sound)))
    waveform, rate = soundfile.read(sound, dtype='float32')
    assert (
        one(inferencer(dict(frames=frames, fps=25, waveform=waveform, sample_rate_hz=rate)))['scores'] == tone['scores']
    )


def test_a_single_stream_on_request(inferencer):
    result = one(inferencer(long_clip(), streams=['audio']))
    assert result['streams'] == ['audio']
    assert result['fps'] is None
    assert result['warnings'] == [
        'video left out on request; the model was not trained for that, so scores may be worse'
    ]
    with pytest.raises(ValueError, match=r"streams must be some of \('video', 'audio'\)"):
        inferencer(long_clip(), streams=['text'])


def test_a_missing_stream_is_left_out_or_refused(inferencer, tolerant, media: MediaFolder):
    silent = media.video('silent.mp4', num_frames=10, has_sound=False)
    result = one(tolerant(silent))
    assert result['streams'] == ['video']
    assert result['absent_streams'] == {'audio': 'the file has no sound track'}
    assert result['warnings'] == ['scored without audio (the file has no sound track)']
    with pytest.raises(MediaError, match=r"silent.mp4: no audio \(the file has no.*missing_streams='zero'"):
        inferencer(silent)
    assert one(tolerant(media.wav()))['streams'] == ['audio']


def test_windows_without_a_face(make_inferencer, bright_spot: str):
    frames = spot_frames(75, seen=slice(0, 25))
    clip = long_clip() | dict(frames=frames)
    seconds = dict(window_seconds=1.0, stride_seconds=1.0)
    result = one(make_inferencer(face_cropper=bright_spot, missing_streams='zero')(clip, **seconds))
    assert [window['streams'] for window in result['windows']] == [['video', 'audio'], ['audio'], ['audio']]
    assert [window['face_coverage'] for window in result['windows']] == [1.0, 0.0, 0.0]
    assert result['windows'][1]['absent_streams'] == {'video': 'no face'}
    assert result['face_coverage'] == pytest.approx(1 / 3, abs=0.05)
    assert result['warnings'] == [
        'a face was seen in only 33% of the searched frames; scores may be worse',
        '2 of 3 windows are scored without video (no face)',
    ]
    assert result['faces'][0] == dict(seconds=0.0, box=[0.0, 20.0, 40.0, 40.0])

    strict = make_inferencer(face_cropper=bright_spot)
    result = one(strict(clip, **seconds))
    assert [window['scores'] is None for window in result['windows']] == [False, True, True]
    assert result['scores'] == result['windows'][0]['scores']
    assert result['warnings'][1].startswith('2 of 3 windows have no scores: no video (no face)')
    with pytest.raises(MediaError, match=r'faceless: no video \(no face\)'):
        strict(clip | dict(frames=spot_frames(75, seen=[]), name='faceless'))


def test_videos_of_unusual_rates_are_read_at_that_of_the_corpora(make_inferencer, inferencer):
    slow = long_clip()
    fast = dict(slow, frames=np.repeat(slow['frames'], 2, axis=0), fps=50)
    result = one(make_inferencer(frame_rate_hz='auto')(fast, window_seconds=1.0))
    assert result['scores'] == pytest.approx(one(inferencer(slow, window_seconds=1.0))['scores'], abs=1e-6)
    assert result['warnings'] == ['the video has 50.0 frames per second; it is read at 25, as the model was trained']


def test_broken_clips_are_named_or_skipped(inferencer, media: MediaFolder):
    good, broken = media.video(num_frames=10), media.truncated(media.video('other.mp4'))
    first, second = inferencer([broken, good], on_error='skip')['predictions']
    assert 'truncated' in first['error']
    assert first['name'] == 'truncated_other.mp4'
    assert second['scores']
    with pytest.raises(MediaError, match='truncated'):
        inferencer([good, broken])


def test_results_are_written_and_drawn(inferencer, tmp_path: Path):
    answer = inferencer([long_clip(1.0, name='a/talk.mp4'), long_clip(1.0, name='talk')], out_dir=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {'talk.json', 'talk.png', 'talk_2.json', 'talk_2.png'}
    assert json.loads((tmp_path / 'talk.json').read_text()) == answer['predictions'][0]
    assert answer['visualization'] == [str(tmp_path / 'talk.png'), str(tmp_path / 'talk_2.png')]


def test_data_samples_instead_of_dictionaries(inferencer):
    sample = one(inferencer(long_clip(), return_datasamples=True))
    assert isinstance(sample, EmotionDataSample)
    expected = one(inferencer(long_clip()))['scores']
    assert sample.pred_score.tolist() == pytest.approx(list(expected.values()), abs=1e-6)


@pytest.mark.parametrize(
    'head',
    [
        dict(type='RegressionHead', num_outputs=2),
        dict(
            type='MultiTaskHead',
            heads=dict(
                emotion=dict(type='ClassificationHead', num_classes=2),
                affect=dict(type='RegressionHead', num_outputs=2),
            ),
        ),
    ],
    ids=['regression', 'several tasks'],
)
def test_values(head: dict, cfg: Config, make_inferencer, tmp_path: Path):
    cfg = Config(cfg.to_dict())
    cfg.model.head = head
    cfg.test_dataloader.dataset.metainfo = dict(classes=CLASSES, dimensions=('valence', 'arousal'))
    result = one(make_inferencer(model=write_model(cfg, tmp_path / 'values.pth'))(long_clip()))
    assert list(result['values']) == ['valence', 'arousal']
    assert result['values']['arousal'] == pytest.approx(
        np.mean([window['values']['arousal'] for window in result['windows']]), abs=2e-6
    )
    assert (result['scores'] is None) == (head['type'] == 'RegressionHead')
    assert (result['label'] in CLASSES) == (head['type'] == 'MultiTaskHead')


def test_a_model_of_one_stream_opens_only_that(cfg: Config, make_inferencer, tmp_path: Path, media: MediaFolder):
    cfg = Config(cfg.to_dict())
    cfg.model.encoders.pop('video')
    cfg.model.fusion = None
    listener = make_inferencer(model=write_model(cfg, tmp_path / 'audio.pth'))
    assert listener.streams == ('audio',)
    assert one(listener(dict(video='/dev/null', audio=media.wav())))['streams'] == ['audio']


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(backend='tensorrt'), "backend must be one of .*'tensorrt'"),
        (dict(missing_streams='mean'), "missing_streams must be 'error', 'zero' or None"),
        (dict(frame_rate_hz=0), 'frame_rate_hz must be a number above 0'),
        (dict(model='hicmae_base_cremad'), 'no weights of hicmae_base_cremad are published'),
        (dict(model='hicmae_base_pretrain_voxceleb2'), 'hicmae_base_pretrain_voxceleb2 predicts no emotion'),
    ],
)
def test_options_are_checked(make_inferencer, options: dict, message: str):
    with pytest.raises(ValueError, match=message):
        make_inferencer(**options)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_clip(inferencer, tmp_path: Path):
    def frames(count: int):
        rng = np.random.default_rng(0)
        for _ in range(count):
            yield np.full((240, 320, 3), rng.integers(255), np.uint8)

    peaks = []
    for count in (50, 450):
        path = tmp_path / f'{count}.mp4'
        write_video(path, frames(count), 25, crf=40)
        tracemalloc.start()
        inferencer(dict(video=path, waveform=np.zeros(16000 * 18, np.float32), sample_rate_hz=16000), stride_seconds=1)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 8e6  # the frames that are used come to 17 MB, all 400 more to 92 MB


@pytest.mark.slow
def test_an_exported_model_gives_the_same_scores(
    weights: Path, cfg: Config, inferencer, make_inferencer, tmp_path: Path
):
    cfg.dump(tmp_path / 'tiny.py')
    load_tool('export.py').main(
        [str(tmp_path / 'tiny.py'), str(weights), '--out', str(tmp_path / 'onnx'), '--no-check']
    )
    exported = make_inferencer(model=None, weights=tmp_path / 'onnx', backend='onnxruntime')
    clips = [long_clip(1.0), long_clip(0.2)]
    for eager, onnx in zip(inferencer(clips)['predictions'], exported(clips)['predictions'], strict=True):
        assert onnx['scores'] == pytest.approx(eager['scores'], abs=1e-4)
    with pytest.raises(ValueError, match="streams=.*needs backend='torch'"):
        exported(clips, streams=['audio'])

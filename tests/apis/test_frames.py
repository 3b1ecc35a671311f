"""Predictions per frame of long clips, and clips that are listed with times and speakers."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.config import Config

from hicmae_mm.apis import EmotionInferencer
from hicmae_mm.apis.frames import FramePart, FrameTrack
from hicmae_mm.apis.tables import write_frame_csv
from hicmae_mm.datasets.clips.inputs import as_clips
from hicmae_mm.datasets.transforms import OpenVideo
from tests.apis.conftest import write_model
from tests.apis.test_further import build, folder, words  # noqa: F401 (fixtures)
from tests.apis.test_inferencer import long_clip, one
from tests.conftest import MediaFolder


def test_every_frame_counts_once_with_weights_that_fall_to_the_edges():
    track = FrameTrack(7)
    track.add(FramePart(0, 4), dict(pred_values=np.zeros((4, 1))))
    track.add(FramePart(2, 6), dict(pred_values=np.ones((4, 1))))
    (means,) = track.means().values()
    np.testing.assert_allclose(means[:, 0], [0, 0, 1 / 3, 2 / 3, 1, 1, np.nan])


def test_a_frame_takes_the_step_whose_middle_is_nearest():
    assert FramePart(0, 6).steps_of_frames(6).tolist() == [0, 1, 2, 3, 4, 5]
    assert FramePart(10, 16).steps_of_frames(2).tolist() == [0, 0, 0, 1, 1, 1]
    assert FramePart(0, 6, np.array([0, 2, 4, 5])).steps_of_frames(2).tolist() == [0, 0, 0, 1, 1, 1]
    assert FramePart(0, 3, np.array([0, 2, 2, 2])).steps_of_frames(4).tolist() == [0, 0, 1]


def test_a_feature_of_ten_minutes(folder: Path, tmp_path: Path):  # noqa: F811
    inferencer = build('frame_level', folder)
    rows = np.random.default_rng(0).normal(size=(15000, 6)).astype(np.float32)
    whole = one(inferencer(dict(face=rows, fps=25, name='long'), window_seconds=20.0, stride_seconds=15.0))
    frames = whole['frames']
    assert whole['duration_seconds'] == 600
    assert (frames['seconds'][1], frames['seconds'][-1]) == (0.04, 599.96)
    assert {
        name: len(frames[name].get('values', frames[name].get('scores'))) for name in frames if name != 'seconds'
    } == {
        'expression': 3,
        'valence_arousal': 2,
        'action_units': 2,
    }
    scores = np.array(list(frames['expression']['scores'].values()), float).T
    assert scores.shape == (15000, 3)
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=2e-4)
    # a frame in the middle of a window that no other window covers has the scores of that window alone
    alone = one(inferencer(dict(face=rows[375:875], fps=25)))['frames']['expression']['scores']
    np.testing.assert_allclose(scores[600], [column[225] for column in alone.values()], atol=2e-4)
    assert len(whole['windows']) == 40
    assert np.mean(scores[:, 0]) == pytest.approx(whole['scores'][next(iter(whole['scores']))], abs=1e-4)
    with write_frame_csv(whole, tmp_path / 'frames.csv').open() as file:
        table = list(csv.DictReader(file))
    assert len(table) == 15000
    assert table[600]['expression'] == frames['expression']['label'][600]


def frame_model(folder: Path) -> EmotionInferencer:  # noqa: F811
    cfg = Config.fromfile(Path(__file__).parents[1] / 'plugins' / 'configs' / 'text_audio_video.py')
    dataset: dict[str, Any] = cfg.test_dataloader.dataset
    dataset.update(data_root=str(folder), streams=('video',), metainfo=dict(dimensions=('valence',)))
    dataset['pipeline'] = [*dataset['pipeline'][:3], dict(type='PackStreams', arrays=('video',))]
    cfg.model.encoders = dict(video=cfg.model.encoders.video)
    cfg.model.fusion = None
    cfg.model.aggregator = dict(type='FrameTokens')
    cfg.model.head = dict(type='RegressionHead', num_outputs=1, level='frame', target='valence')
    weights = write_model(cfg, folder / 'frames.safetensors')
    return EmotionInferencer(weights, device='cpu', face_cropper=None, frame_rate_hz=None)


def test_frames_of_a_video(folder: Path, tmp_path: Path):  # noqa: F811
    inferencer = frame_model(folder)
    clip = long_clip(1.0, audio=None)
    del clip['waveform'], clip['sample_rate_hz']
    answer = inferencer(clip, window_seconds=5.0, out_dir=tmp_path)
    result = one(answer)
    assert result['window_seconds'] == 0.32  # 4 frames at a distance of 2, 25 a second
    assert any('windows are 0.32 s' in text for text in result['warnings'])
    values = result['frames']['valence']['values']['valence']
    assert len(values) == len(result['frames']['seconds']) == 25
    assert None not in values
    assert result['values']['valence'] == pytest.approx(np.mean(values), abs=1e-4)
    assert Path(answer['visualization'][0]).is_file()
    apart = one(inferencer(clip, window_seconds=5.0, stride_seconds=5.0))
    assert apart['stride_seconds'] == 0.32
    assert None not in apart['frames']['valence']['values']['valence']
    (sample,) = inferencer(clip, return_datasamples=True)['predictions']
    np.testing.assert_allclose(sample.pred_valence[:, 0], values, atol=1e-4)


def test_a_video_of_another_rate_has_one_row_for_each_of_its_frames(folder: Path):  # noqa: F811
    inferencer = frame_model(folder)
    inferencer.frame_rate_hz = 'auto'
    frames = np.repeat(np.arange(0, 250, 5, dtype=np.uint8), 1)[:, None, None, None] * np.ones((1, 32, 32, 3), np.uint8)
    slow = one(inferencer(dict(frames=frames, fps=10, name='slow')))
    assert 'it is read at 25' in slow['warnings'][0]
    assert slow['frames']['seconds'] == pytest.approx([number / 10 for number in range(50)])
    values = slow['frames']['valence']['values']['valence']
    assert len(values) == 50
    assert None not in values
    # the model saw the same pictures at 25 a second, so that a frame has the prediction of its time
    moments = (np.arange(125) / 25 * 10 + 0.1).astype(int)
    read = one(inferencer(dict(frames=frames[moments], fps=25)))['frames']['valence']['values']['valence']
    assert np.abs(np.array(values) - np.array(read)[[int(number * 2.5) for number in range(50)]]).max() < 0.1
    # pictures of the clip's own rate, if the model was trained at it
    opening = next(step for step in inferencer.pipeline if isinstance(step, OpenVideo))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, 'nominal_fps', 10.0)
        assert one(inferencer(dict(frames=frames, fps=10)))['warnings'] == []


def test_targets_come_in_the_order_of_their_kinds(folder: Path):  # noqa: F811
    inferencer = build('frame_level', folder)
    order = ('pred_expression_score', 'pred_valence_arousal', 'pred_action_units')
    assert inferencer.names.fields == order
    assert inferencer.names.in_order(['pred_z', *sorted(order), 'pred_values']) == ['pred_values', *order, 'pred_z']


def test_a_conversation_is_a_list_of_utterances(words: EmotionInferencer, media: MediaFolder):  # noqa: F811
    video = media.video('talk.mp4', num_frames=75, height=32, width=32)
    rows = ['video,start,end,speaker,text,label', 'talk.mp4,0,1,ann,no,1', 'talk.mp4,1.0,2.5,bob,well good,0']
    table = video.with_name('talk.csv')
    table.write_text('\n'.join(rows) + '\n')
    first, second = words(table)['predictions']
    assert (first['name'], first['speaker'], first['span']) == ('talk.mp4@0-1', 'ann', [0, 1])
    assert (second['speaker'], second['span'], second['duration_seconds']) == ('bob', [1, 2.52], 1.52)
    assert second['streams'] == ['video', 'audio', 'text']
    whole = one(words(dict(video=video, text='no'), window_seconds=1.0, stride_seconds=1.0))
    assert first['windows'][0]['scores'] != second['windows'][0]['scores']
    same = one(words(as_clips(table, others=['text'])[:1], window_seconds=1.0))
    # rounded to six digits, after a batch of another size
    assert same['windows'][0]['scores'] == pytest.approx(whole['windows'][0]['scores'], abs=2e-6)


def test_rows_that_name_no_file(media: MediaFolder):
    table = media.root / 'talk.csv'
    table.write_text('video,start,end\nmissing.mp4,0,1\n')
    with pytest.raises(FileNotFoundError, match=r'talk\.csv, line 2: .*missing\.mp4: no such file'):
        as_clips(table)
    table.write_text('video,start,end\nmissing.mp4,2,1\n')
    with pytest.raises(ValueError, match='start must lie before end'):
        as_clips(table)

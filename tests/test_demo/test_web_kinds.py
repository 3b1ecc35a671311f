"""Models of three streams, of conversations and of frames behind the real server, over HTTP."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from mmengine.config import Config

from benchmarks.soak_web import Page, serve
from tests.apis.conftest import write_model
from tests.conftest import MediaFolder

SUBTITLES = 'WEBVTT\n\n00:00.000 --> 00:01.000\n<v Ann>no\n\n00:01.000 --> 00:03.000\n<v Bob>well good\n'


def three_streams(root: Path) -> Config:
    (root / 'words.txt').write_text('[UNK]\nwell\ngood\nno\n')
    cfg = Config.fromfile(Path(__file__).parents[1] / 'plugins' / 'configs' / 'text_audio_video.py')
    cfg.pop('custom_imports')
    cfg.model.encoders.text = dict(type='TokenIdEncoder', num_ids=4, embed_dims=16, depth=1, num_heads=2)
    dataset: dict[str, Any] = cfg.test_dataloader.dataset
    dataset.update(data_root=str(root), metainfo=dict(classes=('down', 'up')))
    return cfg


def conversation(root: Path) -> Config:
    cfg = three_streams(root)
    cfg.model.update(
        type='ConversationRecognizer',
        fusion=dict(type='ConversationFusion', embed_dims=16, num_heads=2, leading='text', context_depth=1, depth=1),
        aggregator=dict(type='FrameTokens'),
    )
    return cfg


def frames(root: Path) -> Config:
    cfg = three_streams(root)
    dataset: dict[str, Any] = cfg.test_dataloader.dataset
    dataset.update(streams=('video',), metainfo=dict(mood=('down', 'up'), action_units=('AU1', 'AU4')))
    dataset['pipeline'] = [*dataset['pipeline'][:3], dict(type='PackStreams', arrays=('video',))]
    cfg.model.encoders = dict(video=cfg.model.encoders.video)
    part = dict(level='frame', norm=False)
    heads = dict(
        action_units=dict(type='MultiLabelHead', num_labels=2, target='action_units', **part),
        mood=dict(type='ClassificationHead', num_classes=2, target='mood', **part),
    )
    cfg.model.update(fusion=None, aggregator=dict(type='FrameTokens'))
    cfg.model.head = dict(type='MultiTaskHead', heads=heads)
    return cfg


WINDOWS = ('--window-seconds', '1', '--stride-seconds', '1')


def visit(cfg: Config, clip: Path, root: Path, *words: str | None, options: Sequence[str] = WINDOWS) -> list[dict]:
    """Serves a model, and analyses a clip with each of the words."""
    weights = write_model(cfg, root / 'model.safetensors')
    (root / 'server').mkdir()
    options = ('--face-cropper', 'none', *options)
    with serve(str(weights), root / 'server', *options) as server, httpx.Client(timeout=60) as http:
        page = Page.open(server.address, http)
        views = [page.analyse(clip, said) for said in words or (None,)]
        assert server.files() == []
    return views


@pytest.mark.slow
def test_words_with_times_reach_the_windows_in_which_they_are_said(media: MediaFolder, tmp_path: Path):
    clip = media.video('talk.mp4', num_frames=75, height=32, width=32)
    timed, untimed, broken = visit(three_streams(tmp_path), clip, tmp_path, SUBTITLES, 'no', 'no --> good')
    assert broken['title'] == 'The times of the words cannot be read.'
    results = [json.loads(view['files']['json']) for view in (timed, untimed)]
    assert [len(result['windows']) for result in results] == [3, 3]
    assert [result['streams'] for result in results] == [['video', 'audio', 'text']] * 2
    first, second = ([window['scores']['up'] for window in result['windows']] for result in results)
    assert abs(first[2] - second[2]) > 1e-4  # other words
    assert abs(first[0] - second[0]) < 1e-5  # the same words
    assert (timed['panels'][0]['form'], timed['files']['frames']) == ('lines', None)


@pytest.mark.slow
def test_subtitles_are_the_utterances_of_a_conversation(media: MediaFolder, tmp_path: Path):
    clip = media.video('talk.mp4', num_frames=100, height=32, width=32)
    other = SUBTITLES.replace('well good', 'no').replace('00:03.000', '00:03.500')
    views = visit(conversation(tmp_path), clip, tmp_path, SUBTITLES, other, 'no', options=())
    results = [json.loads(view['files']['json']) for view in views]
    times = [[(w['start_seconds'], w['end_seconds'], w['speaker']) for w in result['windows']] for result in results]
    assert times[0] == [(0, 1, 'Ann'), (1, 3, 'Bob')]
    assert times[1] == [(0, 1, 'Ann'), (1, 3.5, 'Bob')]
    assert all(speaker is None for _, _, speaker in times[2])  # without times, the windows are those of other models
    # the first utterance is the same, and what others say changes it
    first, second = (result['windows'][0]['scores']['up'] for result in results[:2])
    assert abs(first - second) > 1e-5
    assert [(row['speaker'], row['text']) for row in views[0]['rows']] == [('Ann', 'no'), ('Bob', 'well good')]
    (panel,) = views[0]['panels']
    assert panel['edges'] == [0, 1, 3, 4]
    assert [values[-1] for values in (line['values'] for line in panel['series'])] == [None, None]  # nobody speaks


@pytest.mark.slow
def test_every_frame_of_a_recording_is_in_the_page_and_its_table(media: MediaFolder, tmp_path: Path):
    clip = media.video('long.mp4', num_frames=625, height=32, width=32)
    (view,) = visit(frames(tmp_path), clip, tmp_path)
    assert [(panel['title'], panel['unit']) for panel in view['panels']] == [
        ('mood (%), means over 0.04 s', '%'),
        ('action units, means over 0.04 s', ''),
    ]
    assert view['panels'][0]['edges'][-1] == view['seconds'] == 25
    assert len(view['panels'][0]['series'][0]['values']) <= 600
    rows = list(csv.DictReader(io.StringIO(view['files']['frames'])))
    assert len(rows) == 625
    assert list(rows[0]) == ['frame', 'seconds', 'mood', 'mood.down', 'mood.up', 'action_units.AU1', 'action_units.AU4']
    assert [float(row['seconds']) for row in rows] == pytest.approx([number / 25 for number in range(625)], abs=1e-3)
    assert all(row['mood'] == max('down', 'up', key=lambda name: float(row[f'mood.{name}'])) for row in rows)
    result = json.loads(view['files']['json'])
    assert list(result['frames']) == ['seconds', 'mood', 'action_units']

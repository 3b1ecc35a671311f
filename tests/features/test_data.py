"""Which clips are read, and how: splits, other lists, shards, training pipelines without their augmentation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config, ConfigDict

from hicmae_mm.config.paths import configs_root
from hicmae_mm.features.data import as_test_pipeline, dataset_configs

TIME = ('frame_inds', 'clip_len', 'avg_fps', 'audio_seconds')


def _config(name: str) -> Config:
    return Config.fromfile(configs_root() / f'{name}.py')


def _types(pipeline: list[dict[str, Any]]) -> list[str]:
    return [step['type'] for step in pipeline]


def test_splits_are_read_as_in_a_test() -> None:
    cfg = _config('hicmae_nano_synthetic')
    for split, ann_file in ((None, 'test.csv'), ('val', 'test.csv'), ('train', 'train.csv')):
        (dataset,), left_out = dataset_configs(cfg, split)
        assert (dataset['ann_file'], dataset['on_error'], left_out) == (ann_file, 'skip', ())
        *steps, last = dataset['pipeline']
        assert steps == [dict(step) for step in cfg.test_dataloader.dataset.pipeline[:-1]]
        assert last == dict(type='PackAudioVisual', meta_keys=TIME)
    assert 'meta_keys' not in cfg.test_dataloader.dataset.pipeline[-1]  # the config is as it was


def test_targets_are_not_read() -> None:
    (dataset,), _ = dataset_configs(_config('abaw/abaw4_nano_synthetic'), ann_file='own.csv')
    assert 'LoadFrameTargets' not in _types(dataset['pipeline'])
    assert _types(dataset['pipeline'])[-2:] == ['Filterbank', 'PackStreams']


def test_pretraining_pipelines_lose_masks_and_augmentation() -> None:
    (dataset,), left_out = dataset_configs(_config('hicmae_base_pretrain_voxceleb2'))
    steps = {step['type']: step for step in dataset['pipeline']}
    assert list(steps) == [
        'OpenVideo', 'SampleClips', 'DecodeFrames', 'FixedCrop', 'LoadAudio', 'Filterbank', 'SpatialViews',
        'PackAudioVisual',
    ]  # fmt: skip
    assert steps['SampleClips'] == dict(
        type='SampleClips', mode='test', clip_len=16, frame_interval=4, num_clips=1, audio_alignment='timestamps'
    )
    assert steps['SpatialViews'] == dict(type='SpatialViews', num_views=1, size=160)
    assert left_out == ('mmaction.MultiScaleCrop', 'mmaction.Resize', 'RandomGain', 'TubeMask', 'RandomMask')


def test_alignment_that_the_config_sets_is_kept() -> None:
    step = dict(type='SampleClips', mode='train', audio_alignment='timestamps')
    assert as_test_pipeline([step], 64)[0] == [step | dict(mode='test', num_clips=1)]
    step.pop('audio_alignment')
    assert as_test_pipeline([step], 64)[0][0]['audio_alignment'] == 'fraction'


def test_other_lists(tmp_path: Path) -> None:
    cfg = _config('hicmae_nano_synthetic')
    (tmp_path / 'own.csv').write_text('a b\n')
    (dataset,), _ = dataset_configs(cfg, ann_file=str(tmp_path / 'own.csv'), is_unlabelled=True)
    assert (dataset['ann_file'], dataset['data_root']) == (str(tmp_path / 'own.csv'), str(tmp_path))
    assert dataset['task'] == 'unlabelled'
    (dataset,), _ = dataset_configs(cfg, ann_file='lists/own.csv', data_root='/corpus')
    assert (dataset['ann_file'], dataset['data_root']) == ('lists/own.csv', '/corpus')
    (dataset,), _ = dataset_configs(cfg, data_root='/moved')
    assert (dataset['ann_file'], dataset['data_root']) == ('test.csv', '/moved')
    (dataset,), _ = dataset_configs(
        _config('hicmae_base_pretrain_voxceleb2_shards'), ann_file=str(tmp_path / 'own.csv')
    )
    assert dataset['type'] == 'AudioVisualDataset'


def test_shards_have_the_classes_of_the_corpus() -> None:
    cfg = _config('hicmae_base_cremad')
    (dataset,), _ = dataset_configs(cfg, shards='s3://bucket/shards')
    kind = cfg.test_dataloader.dataset['type']
    assert kind != 'AudioVisualShards'
    assert (dataset['type'], dataset['data_root']) == ('AudioVisualShards', 's3://bucket/shards')
    assert (dataset['task'], len(dataset['metainfo']['classes'])) == ('classification', 6)
    assert not {'ann_file', 'data_prefix'} & set(dataset)


def test_wrappers_are_opened_so_that_clips_come_once() -> None:
    cfg = _config('hicmae_nano_synthetic')
    inner = cfg.train_dataloader.dataset
    repeated = dict(type='RepeatDataset', times=3, dataset=inner)
    cfg.train_dataloader.dataset = ConfigDict(type='ConcatDataset', datasets=[repeated, inner])
    datasets, _ = dataset_configs(cfg, 'train')
    assert [dataset['ann_file'] for dataset in datasets] == ['train.csv', 'train.csv']


def test_mistakes_are_named() -> None:
    cfg = _config('hicmae_base_pretrain_voxceleb2')
    with pytest.raises(ValueError, match=r"has no test: its data loaders are \['train'\]"):
        dataset_configs(cfg, 'test')
    with pytest.raises(ValueError, match='give only one of them'):
        dataset_configs(cfg, ann_file='a', shards='b')

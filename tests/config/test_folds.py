from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config

from hicmae_mm.config import folds as cv

CONFIG = """
default_scope = 'hicmae_mm'
train_dataloader = dict(batch_size=2, num_workers=4, dataset=dict(
    type='AudioVisualDataset', data_root={root!r}, ann_file='fold{{{{$FOLD:1}}}}/train.csv',
    pipeline=[dict(type='OpenVideo')]))
val_dataloader = dict(dataset=dict(data_root={root!r}, ann_file='fold{{{{$FOLD:1}}}}/test.csv'))
test_dataloader = dict(dataset=dict(type='AudioVisualDataset', data_root={root!r},
    ann_file='fold{{{{$FOLD:1}}}}/test.csv', metainfo=dict(classes=('a', 'b'))))
test_evaluator = dict(type='ClassificationMetric')
default_hooks = dict(checkpoint=dict(type='CheckpointHook', save_best='UAR'))
work_dir = 'work_dirs/fold{{{{$FOLD:1}}}}'
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    for fold in (1, 2):
        (tmp_path / f'fold{fold}').mkdir()
        for name in ('train', 'test'):
            (tmp_path / f'fold{fold}' / f'{name}.csv').write_text(f'{fold}_{name}.mp4 - 0\n')
    path = tmp_path / 'config.py'
    path.write_text(CONFIG.format(root=str(tmp_path)))
    return path


@pytest.mark.parametrize(
    ('text', 'folds'),
    [('1-5', (1, 2, 3, 4, 5)), ('1,3,5', (1, 3, 5)), ('2', (2,)), ('4, 1-2', (1, 2, 4)), ('3-3,3', (3,))],
)
def test_folds_are_read(text: str, folds: tuple[int, ...]) -> None:
    assert cv.parse_folds(text) == folds


@pytest.mark.parametrize('text', ['', '5-1', '1-', 'a', '1;2', '-1', '1,,2'])
def test_other_folds_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match='expected a form such as 1-5, 1,3,5 or 2'):
        cv.parse_folds(text)


def test_each_fold_has_its_lists(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('FOLD', '7')
    configs = {fold: cv.load_fold(config, fold) for fold in (1, 2)}
    assert os.environ['FOLD'] == '7'
    assert cv.annotation_files(configs[2].train_dataloader) == [config.parent / 'fold2' / 'train.csv']
    cv.check_folds_differ(configs, config)
    monkeypatch.delenv('FOLD')
    cv.load_fold(config, 1)
    assert 'FOLD' not in os.environ


def test_a_config_that_does_not_react_to_fold_is_refused(config: Path) -> None:
    same = dict(train_dataloader=dict(dataset=dict(ann_file='fold1/train.csv')))
    configs = {fold: cv.load_fold(config, fold) for fold in (1, 2)}
    configs[2].merge_from_dict(same)
    with pytest.raises(ValueError, match=r'does not use FOLD: folds 1 and 2 have the same train data \(.*train.csv'):
        cv.check_folds_differ(configs, config)
    cv.check_folds_differ({1: configs[1]}, config)


def test_folds_without_lists_are_told_apart_by_their_data_sets() -> None:
    configs = {
        k: Config({f'{s}_dataloader': dict(dataset=dict(urls=f'{k}.tar')) for s in ('train', 'test')}) for k in (1, 2)
    }
    cv.check_folds_differ(configs, 'shards.py')
    with pytest.raises(ValueError, match='folds 1 and 3 have the same train data'):
        cv.check_folds_differ({**configs, 3: configs[1]}, 'shards.py')


def test_lists_inside_other_data_sets_are_found() -> None:
    inner = [dict(data_root='r', ann_file=name, pipeline=[dict(ann_file='x')]) for name in ('a', 'b')]
    loader = dict(dataset=dict(type='ConcatDataset', datasets=inner))
    assert cv.annotation_files(loader) == [Path('r/a'), Path('r/b')]
    assert cv.annotation_files(None) == []


def test_what_is_missing_is_named(config: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'fold 3: the list .*fold3/train.csv does not exist'):
        cv.load_fold(config, 3)
    with pytest.raises(ValueError, match='has no test_evaluator'):
        cv.load_fold(config, 1, dict(test_evaluator=None))
    with pytest.raises(FileNotFoundError, match='absent.py does not exist'):
        cv.load_fold('absent.py', 1)


def _identity(config: Path, options: dict[str, Any] | None = None) -> dict[str, Any]:
    return cv.training_identity(cv.load_fold(config, 1, options))


def test_a_training_is_the_same_whatever_its_speed_place_and_tests(config: Path) -> None:
    same = {
        'train_dataloader.num_workers': 0,
        'val_dataloader.pin_memory': True,
        'work_dir': 'elsewhere',
        'test_evaluator.auc': True,
    }
    before = _identity(config)
    assert _identity(config, same) == before
    for option in ({'train_dataloader.batch_size': 3}, {'randomness.seed': 1}, {'load_from': 'x.pth'}):
        assert _identity(config, option) != before
    (config.parent / 'fold1' / 'test.csv').write_text('another.mp4 - 1\n')  # the best epoch is chosen on it
    assert _identity(config) != before


def test_a_test_is_the_same_whatever_the_training_and_the_metrics(config: Path) -> None:
    def identity(checkpoint: str = 'best.pth', **options: Any) -> dict[str, Any]:
        return cv.testing_identity(cv.load_fold(config, 1, options), Path('folder') / checkpoint)

    before = identity()
    assert identity(**{'test_evaluator.auc': True, 'train_dataloader.batch_size': 3}) == before
    assert identity('last.pth') != before
    assert identity(**{'test_dataloader.batch_size': 3}) != before


def test_the_data_set_names_its_classes(config: Path) -> None:
    cfg = cv.load_fold(config, 1)
    assert cv.dataset_meta(cfg)['classes'] == ('a', 'b')
    assert cv.selecting_measures(cfg) == ['UAR']
    assert cv.selecting_measures(Config(dict(val_dataloader={}, default_hooks=dict(checkpoint={})))) == []
    cfg.val_dataloader = None
    assert cv.selecting_measures(cfg) == []


def test_checkpoints_of_a_folder(tmp_path: Path) -> None:
    assert cv.last_checkpoint(tmp_path) is None
    assert cv.best_checkpoint(tmp_path, 'UAR') is None
    for number, name in enumerate(('epoch_2', 'epoch_3', 'best_UAR_epoch_1', 'best_emotion_UAR_epoch_2')):
        torch.save({}, tmp_path / f'{name}.pth')
        os.utime(tmp_path / f'{name}.pth', (number, number))
    (tmp_path / 'last_checkpoint').write_text('/where/it/was/before/epoch_3.pth')
    assert cv.last_checkpoint(tmp_path) == tmp_path / 'epoch_3.pth'
    assert cv.best_checkpoint(tmp_path, 'UAR') == tmp_path / 'best_UAR_epoch_1.pth'
    assert cv.best_checkpoint(tmp_path, 'emotion/UAR') == tmp_path / 'best_emotion_UAR_epoch_2.pth'
    assert cv.best_checkpoint(tmp_path, 'auto') == tmp_path / 'best_emotion_UAR_epoch_2.pth'
    assert cv.other_checkpoints(tmp_path) == [tmp_path / 'epoch_2.pth']
    (tmp_path / 'epoch_3.pth').unlink()
    assert cv.last_checkpoint(tmp_path) is None


def test_a_folder_is_set_aside_without_loss(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / 'fold1').mkdir()
        (tmp_path / 'fold1' / 'weights').write_text(str(number))
        assert cv.set_aside(tmp_path / 'fold1') == tmp_path / 'outdated' / f'fold1_{number}'
        assert (tmp_path / 'outdated' / f'fold1_{number}' / 'weights').read_text() == str(number)

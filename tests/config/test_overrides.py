from __future__ import annotations

import sys
from pathlib import Path

import pytest
from mmengine.config import Config

from hicmae_mm.config.overrides import check_overrides, load_config, merge_overrides
from tests.engine.tiny_run import finetune_config


@pytest.fixture
def cfg(tmp_path: Path) -> Config:
    return finetune_config(tmp_path, tmp_path / 'run')


def test_overrides_that_change_nothing_are_refused(cfg: Config) -> None:
    cfg.root_folder = cfg.train_dataloader.dataset.data_root
    check_overrides(cfg, {'load_from': 'x.pth', 'train_dataloader.batch_size': 2, 'compile': True})
    with pytest.raises(
        ValueError, match=r"unknown config key 'train_datloader.batch_size': did you mean 'train_dataloa"
    ):
        check_overrides(cfg, {'train_datloader.batch_size': 2})
    with pytest.raises(ValueError, match=r"'root_folder' is a variable.*override train_dataloader.dataset.data_root"):
        check_overrides(cfg, {'root_folder': '/elsewhere'})


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'launcher': 'pytorch'}, 'launcher is given as --launcher'),
        ({'data_preprocessor.mean': 0}, 'override model.data_preprocessor.mean instead'),
        (
            {'param_scheduler.warmup': 2},
            r'param_scheduler is a list of 1: name the item, as in param_scheduler.0.warmup',
        ),
        ({'param_scheduler.1.warmup': 2}, 'param_scheduler has 1 items, counted from 0'),
        ({'model.head.num_classes.size': 2}, 'model.head.num_classes is 2, which has no parts'),
        ({'model.head': 'RegressionHead'}, 'this is a component with keys .*num_classes'),
        ({'model.head': None, 'model.head.num_classes': 3}, 'model.head and model.head.num_classes are both given'),
        ({'model.head.num_classes': 3, 'model.head': dict(type='X')}, 'are both given'),
        ({'flag': 2}, "'flag' is a variable.*nothing in the config has its value"),
    ],
)
def test_overrides_without_a_place_are_refused(cfg: Config, options: dict, message: str) -> None:
    cfg.flag = 'on'
    with pytest.raises(ValueError, match=message):
        merge_overrides(cfg, options)


def test_an_empty_slot_takes_parts() -> None:
    cfg = Config(dict(model=dict(head=dict(loss=None))))
    merge_overrides(cfg, {'model.head.loss.type': 'SoftCrossEntropyLoss'})
    assert cfg.model.head.loss == dict(type='SoftCrossEntropyLoss')


def test_modules_named_on_the_command_line_are_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'override_module.py').write_text('loaded = True\n')
    monkeypatch.syspath_prepend(tmp_path)
    cfg = Config(dict(model=dict()))
    merge_overrides(cfg, {'custom_imports.imports': ['override_module']})
    assert sys.modules['override_module'].loaded
    with pytest.raises(ImportError, match=r'my_missing'):
        merge_overrides(cfg, {'custom_imports.imports': ['my_missing.mod']})


def test_a_misspelt_override_is_refused_by_every_reader(tmp_path: Path) -> None:
    path = tmp_path / 'config.py'
    path.write_text("model = dict(type='AudioVisualRecognizer', head=dict(type='ClassificationHead', num_classes=2))\n")
    assert load_config(path, {'model.head.num_classes': 3}).model.head.num_classes == 3
    with pytest.raises(ValueError, match="did you mean 'num_classes'"):
        load_config(path, {'model.head.num_clases': 3})


def test_a_slot_is_replaced_whether_the_config_names_it_or_not() -> None:
    cfg = Config(dict(model=dict(fusion=dict(type='CrossModalFusion', depth=2), head=dict(num_classes=3))))
    merge_overrides(
        cfg,
        {
            'model.fusion._delete_': True,
            'model.fusion.type': 'ConcatFusion',
            'model.head.loss._delete_': True,
            'model.head.loss.type': 'SoftCrossEntropyLoss',
        },
    )
    assert cfg.model.fusion == dict(type='ConcatFusion')
    assert cfg.model.head == dict(num_classes=3, loss=dict(type='SoftCrossEntropyLoss'))


def test_a_config_is_read_with_its_overrides(tmp_path: Path) -> None:
    path = tmp_path / 'config.py'
    path.write_text("model = dict(type='X', depth=2)\n")
    assert load_config(path, {'model.depth': 3}).model == dict(type='X', depth=3)
    assert load_config(path).model.depth == 2
    with pytest.raises(FileNotFoundError, match='absent.py does not exist'):
        load_config(tmp_path / 'absent.py')

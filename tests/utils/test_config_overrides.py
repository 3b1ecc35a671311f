from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from hicmae_mm.utils.config_overrides import check_overrides, load_config, merge_overrides
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

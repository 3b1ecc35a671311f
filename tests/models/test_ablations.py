"""The ablation configs do what their names say, and differ from the recipe in nothing else."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmengine.config import Config

from hicmae_mm.config.paths import configs_root
from hicmae_mm.models import AudioVisualModel
from hicmae_mm.registry import MODELS


def config(name: str) -> Config:
    return Config.fromfile(configs_root() / f'{name}.py')


def build(name: str) -> AudioVisualModel:
    with torch.device('meta'):
        return MODELS.build(config(name).model)


def differences(value: Any, other: Any, path: str = '') -> set[str]:
    """Dotted paths where two configs differ."""
    if isinstance(value, dict) and isinstance(other, dict):
        keys = set(value) | set(other)
        return {
            where for key in keys for where in differences(value.get(key), other.get(key), f'{path}.{key}'.lstrip('.'))
        }
    return set() if value == other else {path}


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('noskip', {'skip_layers', 'decoders.video.type', 'decoders.audio.type'}),
        ('nocontrast', {'contrastive'}),
        ('plain', {'skip_layers', 'decoders.video.type', 'decoders.audio.type', 'contrastive'}),
        ('lastcontrast', {'contrastive.layers'}),
        ('contrastweight', set()),  # the published weight is the default
        ('oneway', {'fusion.updates'}),
    ],
)
def test_pretraining_without_a_part_is_the_recipe_otherwise(name: str, expected: set[str]) -> None:
    full, ablation = (config(f'hicmae_base{infix}_pretrain_voxceleb2') for infix in ('', f'_{name}'))
    assert differences(full.model.to_dict(), ablation.model.to_dict()) == expected
    for key in ('train_dataloader', 'optim_wrapper', 'param_scheduler', 'auto_scale_lr', 'train_cfg'):
        assert full[key] == ablation[key]


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('nohff', {'aggregator.type'}),
        ('plain', {'aggregator.type'}),
        ('oneway', {'fusion.updates'}),
        ('frozen', {'frozen'}),
        ('dropstream', {'missing_streams'}),
        ('linear', {'frozen', 'head.loss.label_smoothing', 'data_preprocessor.batch_augment'}),
    ],
)
def test_finetuning_without_a_part_is_the_recipe_otherwise(name: str, expected: set[str]) -> None:
    full, ablation = (config(f'hicmae_base{infix}_cremad') for infix in ('', f'_{name}'))
    assert differences(full.model.to_dict(), ablation.model.to_dict()) == expected
    assert full.test_dataloader == ablation.test_dataloader
    if name not in ('linear', 'dropstream'):
        assert full.train_dataloader == ablation.train_dataloader
    if name != 'linear':
        assert full.optim_wrapper == ablation.optim_wrapper


def test_a_linear_probe_trains_one_layer_and_its_norm_on_plain_crops() -> None:
    cfg, model = config('hicmae_base_linear_cremad'), build('hicmae_base_linear_cremad')
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trained == {'head.norm.weight', 'head.norm.bias', 'head.fc.weight', 'head.fc.bias'}
    steps = [step.type for step in cfg.train_dataloader.dataset.pipeline]
    assert not {'ClipRandAugment', 'ClipRandomErasing'} & set(steps)
    assert {'ClipRandAugment', 'ClipRandomErasing'} < {
        step.type for step in config('hicmae_base_cremad').train_dataloader.dataset.pipeline
    }


def test_the_environment_chooses_weight_and_direction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('CONTRAST_WEIGHT', '0.05')
    monkeypatch.setenv('FUSION_UPDATES', 'video')
    sweep = config('hicmae_base_contrastweight_pretrain_voxceleb2')
    assert sweep.model.contrastive.loss.loss_weight == 0.05
    assert sweep.work_dir.endswith('/0.05')
    for name in ('hicmae_base_oneway_pretrain_voxceleb2', 'hicmae_base_oneway_cremad'):
        model = build(name)
        assert model.fusion is not None
        assert set(model.fusion.blocks) == {'video'}  # type: ignore[arg-type]


def test_what_an_ablation_has_fewer_of() -> None:
    sizes = {
        name: sum(parameter.numel() for parameter in build(f'hicmae_base{name}_pretrain_voxceleb2').parameters())
        for name in ('', '_noskip', '_nocontrast', '_oneway')
    }
    width = 384
    cross_attention = 2 * 2 * width + 4 * width * width + 3 * width  # two norms; q, k, v, proj; their biases but k's
    assert sizes[''] - sizes['_noskip'] == 2 * 3 * cross_attention  # three of four layers in each of two decoders
    assert sizes['_nocontrast'] == sizes['']
    assert sizes['_oneway'] < sizes['']

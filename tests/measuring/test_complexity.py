from __future__ import annotations

import pytest
import torch
from mmengine.config import Config

from hicmae_mm.config.facts import build_empty_model
from hicmae_mm.config.paths import configs_root
from hicmae_mm.measuring.complexity import count_complexity, published_macs
from hicmae_mm.measuring.random_batch import random_batch, random_inputs, random_masks
from hicmae_mm.models.base import AudioVisualModel
from hicmae_mm.registry import MODELS


def build(name: str, is_empty: bool = False, **overrides: object) -> AudioVisualModel:
    """Builds a model of a size; an empty one has shapes, but no weights."""
    cfg = Config.fromfile(configs_root() / '_base_' / 'models' / f'{name}.py')
    cfg.merge_from_dict({'model': {'data_preprocessor': None, **overrides}})
    return build_empty_model(cfg) if is_empty else MODELS.build(cfg.model)


@pytest.mark.usefixtures('hicmae_scope')
@pytest.mark.parametrize(
    ('size', 'gmacs', 'millions'),
    [
        ('tiny', 13.8, 20.5),
        ('small', 27.6, 45.7),
        ('base', 46.1, 80.8),
    ],
)
def test_fine_tuning_needs_the_published_work(size: str, gmacs: float, millions: float):
    model = build(f'hicmae_{size}_finetune', is_empty=True)
    inputs = {name: x.to('meta') for name, x in random_inputs(model, 1).items()}
    complexity = count_complexity(model, inputs)
    assert round(complexity.macs / 1e9, 1) == gmacs
    assert round(complexity.parameters / 1e6, 1) == millions
    # the formula leaves out the head and the mixing of layers
    assert published_macs(model) == pytest.approx(complexity.macs, rel=1e-5)
    assert model.training


@pytest.mark.usefixtures('hicmae_scope')
def test_base_pre_training_needs_the_published_work():
    model = build('hicmae_base_pretrain', is_empty=True)
    masks = random_masks(model, 2)
    assert {name: mask.sum(dim=1).tolist() for name, mask in masks.items()} == {'video': [720] * 2, 'audio': [102] * 2}
    assert round(2 * published_macs(model, masks) / 1e9, 1) == 30.3
    assert round(sum(parameter.numel() for parameter in model.parameters()) / 1e6, 1) == 99.6


@pytest.mark.usefixtures('hicmae_scope')
def test_work_left_out_stays_in_the_published_count():
    model = build('hicmae_tiny_pretrain')
    masks = random_masks(model, 1)
    counted = count_complexity(model, random_inputs(model, 1), masks).macs
    embedding = sum(encoder.patch_embed.proj.weight.numel() for encoder in model.encoders.values())
    assert counted <= published_macs(model, masks) <= counted + 800 * embedding


@pytest.mark.usefixtures('hicmae_scope')
def test_nothing_was_published_about_other_components():
    model = build('hicmae_nano_finetune', fusion=dict(_delete_=True, type='ConcatFusion'))
    with pytest.raises(TypeError, match='fusion is a ConcatFusion'):
        published_macs(model)
    assert count_complexity(model, random_inputs(model, 1)).macs > 1e6


@pytest.mark.usefixtures('hicmae_scope')
def test_random_batch_fits_the_model():
    model = build('hicmae_nano_pretrain')
    pipeline = [dict(type='DecodeFrames'), dict(type='TubeMask', ratio=0.75, grid=(4, 4, 4))]
    batch = random_batch(model, 3, pipeline)
    assert batch['inputs']['video'].shape == (3, 8, 64, 64, 3)
    assert batch['inputs']['video'].dtype == torch.uint8
    assert batch['inputs']['audio'].shape == (3, 1, 256, 64)
    assert batch['masks']['video'].sum(dim=1).tolist() == [48, 48, 48]
    assert batch['masks']['audio'].sum(dim=1).tolist() == [51, 51, 51]
    again = random_batch(model, 3, pipeline)
    assert torch.equal(batch['masks']['video'], again['masks']['video'])
    recognizer = build('hicmae_nano_finetune')
    samples = random_batch(recognizer, 2)['data_samples']
    assert all(0 <= int(sample.gt_label) < 6 for sample in samples)

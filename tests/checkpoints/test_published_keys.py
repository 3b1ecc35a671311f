"""Published names and ours, in both directions."""

from __future__ import annotations

import json

import pytest
import torch
from mmengine.config import Config

from hicmae_mm.checkpoints.published_keys import (
    check_published,
    load_published,
    map_published_key,
    map_published_keys,
    published_key,
    published_keys,
)
from hicmae_mm.config.facts import build_empty_model
from hicmae_mm.config.paths import configs_root
from tests.parity.conftest import parity_folder, read_parity

MODELS = configs_root() / '_base_' / 'models'


def test_every_published_name_returns() -> None:
    count = 0
    for path in parity_folder().glob('*.safetensors'):
        meta, _ = read_parity(path)
        for key in meta.get('keys', ()):
            assert published_key(map_published_key(key)) == key
            count += 1
    for key in json.loads((parity_folder() / 'layer_decay_base.json').read_text()):
        assert published_key(map_published_key(key)) == key
    assert count > 1500


@pytest.mark.parametrize('stage', ['pretrain', 'finetune'])
@pytest.mark.parametrize('size', ['tiny', 'small', 'base'])
def test_every_name_of_our_models_returns(size: str, stage: str) -> None:
    cfg = Config.fromfile(MODELS / f'hicmae_{size}_{stage}.py')
    if stage == 'finetune' and size == 'tiny':
        cfg.model.head = dict(type='RegressionHead', num_outputs=3, activation='sigmoid')
    model = build_empty_model(cfg)
    own = model.state_dict()
    published = published_keys(own)
    assert len(published) == len(own) > 300
    assert map_published_keys(published) == own
    assert check_published(model, published).keys() == own.keys()


def test_names_by_hand() -> None:
    pairs = {
        'mask_token': 'decoders.video.mask_token',
        'mask_token_audio': 'decoders.audio.mask_token',
        'encoder_fusion.blocks_audio.1.cross_norm2.bias': 'fusion.blocks.audio.1.context_norm.bias',
        'encoder_audio.norm.weight': 'encoders.audio.norm.weight',
        'fc_norm.bias': 'head.norm.bias',
        'head.weight': 'head.fc.weight',
        'audio_layer_weights': 'aggregator.layer_weights.audio',
        'encoder_to_decoder_audio.weight': 'decoders.audio.embed.weight',
    }
    assert {published_key(ours): ours for ours in pairs.values()} == pairs
    assert {theirs: map_published_key(theirs) for theirs in pairs} == pairs


def test_unknown_names_are_counted() -> None:
    with pytest.raises(KeyError, match=r"not a published HiCMAE checkpoint: 1 unknown.*'layer1.conv'"):
        map_published_keys({'layer1.conv': 0, 'head.bias': 0})
    foreign = {'head.heads.emotion.fc.weight': 0, 'encoders.video.positions': 0, 'fusion.blocks.0.norm1.bias': 0}
    with pytest.raises(KeyError, match=r'not a model of the published HiCMAE implementation: 3 unknown'):
        published_keys({**foreign, 'head.fc.bias': 0})


def test_loading_is_strict() -> None:
    model = build_empty_model(Config.fromfile(MODELS / 'hicmae_nano_finetune.py'))
    published = published_keys(model.state_dict())
    published['head.weight'] = torch.zeros(5, 384)
    del published['head.bias']
    published['mask_token'] = torch.zeros(1)
    with pytest.raises(
        ValueError,
        match=r'1 missing in the checkpoint \(head.fc.bias\); 1 not in the model \(decoders.video.mask_token\); '
        r'1 of another shape \(head.fc.weight\)',
    ):
        load_published(model, published)

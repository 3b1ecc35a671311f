"""CLAIP-Emo with tiny encoders from folders: what it trains, what it joins, and folders of other models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from torch import nn

from hicmae_mm.config.paths import configs_root
from hicmae_mm.models.aggregators import TemporalTransformerAggregator
from hicmae_mm.models.encoders import TransformersEncoder
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import EmotionDataSample
from tests.models.foreign import tiny_transformers as tiny

pytest.importorskip('peft')
KINDS = dict(video='clip_vision_model', audio='clap_audio_model')


@pytest.fixture(scope='module')
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    found = {stream: tmp_path_factory.mktemp(kind) for stream, kind in KINDS.items()}
    for stream, folder in found.items():
        tiny.save(KINDS[stream], folder)
    return found


def build(folders: dict[str, Path]) -> Any:
    config = Config.fromfile(configs_root() / 'claip_emo' / 'claip_emo_base_dfew.py').model
    for stream, encoder in config.encoders.items():
        encoder.update(path=str(folders[stream]), config=tiny.config(KINDS[stream]))
    config.aggregator.num_frames = 2
    return MODELS.build(config)


def test_a_step_trains_the_updates_the_layer_over_frames_and_the_head(folders: dict[str, Path]) -> None:
    model: nn.Module = build(folders)
    model.init_weights()
    inputs = {stream: tiny.inputs(kind) for stream, kind in KINDS.items()}
    source = TransformersEncoder(str(folders['audio'])).eval()
    with torch.no_grad():
        assert torch.equal(model.eval().extract_features(inputs)[:, -32:], source(inputs['audio']).summary[:, 0])
    before = {name: value.clone() for name, value in model.state_dict().items()}
    samples = [EmotionDataSample(metainfo=dict(sample_id=str(label))).set_gt_label(label) for label in range(2)]
    optimizer = torch.optim.SGD([value for value in model.parameters() if value.requires_grad], lr=1.0)
    model.train()(inputs, samples, mode='loss')['loss'].backward()
    optimizer.step()
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert all('lora_B' in name or name.startswith(('aggregator.', 'head.')) for name in changed)
    layers = {name.removesuffix('.lora_B.weight') for name in changed if 'lora_B' in name}
    video, audio = 'encoders.video.net.encoder.layers.1.', 'encoders.audio.net.audio_encoder.layers.2.blocks.0.'
    parts = [f'self_attn.{name}' for name in ('q_proj', 'k_proj', 'v_proj', 'out_proj')] + ['mlp.fc1', 'mlp.fc2']
    assert {name for name in layers if name.startswith(video)} == {video + part for part in parts}
    parts = ['attention.output.dense', 'intermediate.dense', 'output.dense']
    assert {name for name in layers if name.startswith(audio)} == {audio + part for part in parts}


def test_a_folder_with_another_model_is_refused(folders: dict[str, Path]) -> None:
    wider = tiny.config('clip_vision_model') | dict(hidden_size=64)
    with pytest.raises(ValueError, match=r'config.json: hidden_size is \d+, the config expects 64; give the folder of'):
        TransformersEncoder(str(folders['video']), config=wider)
    with pytest.raises(ValueError, match="model_type is one of .*'clap_audio_model'.*, the config expects 'clip_vis"):
        TransformersEncoder(str(folders['audio']), config=wider)
    with pytest.raises(FileNotFoundError, match='the folder nowhere does not exist; name a local folder'):
        build(folders | dict(video=Path('nowhere')))


def test_joined_streams_follow_the_class_token() -> None:
    torch.manual_seed(0)
    options: dict[str, Any] = dict(num_frames=3, out_channels=None, num_heads=2, head_dims=4, mlp_dims=8)
    aggregator = TemporalTransformerAggregator(dict(video=8, audio=5), joined=('audio',), **options)
    assert aggregator.out_channels == 13
    summary = dict(video=torch.randn(2, 3, 8), audio=torch.randn(2, 4, 5))
    with torch.no_grad():
        feature = aggregator({}, {}, summary=summary)
        other = aggregator({}, {}, summary=summary | dict(audio=torch.randn(2, 4, 5)))
    assert torch.equal(feature[:, 8:], summary['audio'].mean(dim=1))
    assert torch.equal(feature[:, :8], other[:, :8])
    for joined in (('audio', 'video'), ('voice',)):
        with pytest.raises(ValueError, match='joined must name some of the streams'):
            TemporalTransformerAggregator(dict(video=8, audio=5), joined=joined, **options)

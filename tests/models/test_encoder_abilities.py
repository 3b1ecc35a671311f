"""What encoders must be able to do besides encoding: recomputation, absent clips, compilation, export, sharding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn

from hicmae_mm.engine.hooks.compile import compile_parts
from hicmae_mm.engine.wrappers import FullyShardedModel
from hicmae_mm.export import export_model
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import TokenMask
from tests.export.conftest import tiny_config
from tests.models import tiny
from tests.models.test_models import clips

VIDEO = dict(type='TubeletEmbed', image_size=32, num_frames=4)
REGIONS = 'AVF-MAE++: regions of both streams, and its fusion'
ENCODERS: dict[str, dict[str, Any]] = {
    'LGIFormerEncoder': dict(
        type='LGIFormerEncoder', patch_embed=VIDEO, region=(2, 1, 2), embed_dims=16, depth=3, num_heads=2, gather=True
    ),
    REGIONS: dict(type='LGIFormerEncoder', tokens='regions', region=(1, 1, 2), embed_dims=16, depth=3, num_heads=2),
    'TPSBTEncoder': dict(
        type='TPSBTEncoder', patch_embed=VIDEO, embed_dims=16, stage_depths=(1, 2), num_heads=2, bottleneck_tokens=2
    ),
    'ExpertViTEncoder': dict(
        type='ExpertViTEncoder',
        patch_embed=VIDEO,
        embed_dims=16,
        depth=2,
        num_heads=2,
        expert_layers=(1,),
        num_experts=4,
    ),
}


TIED = 'one encoder for both streams'
every_encoder = pytest.mark.parametrize('name', [*ENCODERS, TIED])


def fill(config: Any, name: str) -> None:
    """Puts an encoder in the place of the video's, or gives both streams the same blocks."""
    if name == TIED:
        config['tied'] = {f'encoders.audio.{part}': f'encoders.video.{part}' for part in ('blocks', 'norm')}
        for encoder in config['encoders'].values():
            encoder['stream_embedding'] = True
    elif name == REGIONS:
        for stream, region in dict(video=(1, 1, 2), audio=(1, 1)).items():
            embed = config['encoders'][stream]['patch_embed']
            config['encoders'][stream] = dict(ENCODERS[name], patch_embed=embed, region=region)
        config['fusion'] = dict(type='IterativeCorrelationFusion', depth=1, num_heads=2, overall='layers')
    else:
        config['encoders']['video'] = dict(ENCODERS[name])


def recognizer(name: str, **options: Any) -> nn.Module:
    config = tiny.recognizer_config(**options)
    fill(config, name)
    return tiny.build(config)


def gradients(model: nn.Module) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    sum(model(tiny.inputs(), clips(0, 2), mode='loss').values()).backward()
    return {name: parameter.grad for name, parameter in model.named_parameters()}


@every_encoder
def test_recomputation_changes_no_gradient(name: str) -> None:
    plain, saving = recognizer(name).train(), recognizer(name, checkpoint_activations=True).train()
    assert saving.encoders['video'].checkpoint_activations
    expected = gradients(plain)
    for key, gradient in gradients(saving).items():
        torch.testing.assert_close(gradient, expected[key], msg=lambda text, key=key: f'{key}: {text}')


@every_encoder
@torch.no_grad()
def test_clips_without_the_stream(name: str) -> None:
    model, inputs = recognizer(name, missing_streams='zero').eval(), tiny.inputs(3)
    mixed = model.extract_features(inputs, dict(video=torch.tensor([True, False, True])))
    whole = model.extract_features({stream: value[[0, 2]] for stream, value in inputs.items()})
    unseen = model.extract_features({'audio': inputs['audio'][[1]]})
    torch.testing.assert_close(mixed[[0, 2]], whole, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(mixed[[1]], unseen, atol=1e-6, rtol=1e-6)


@pytest.mark.slow
@every_encoder
def test_compiled_as_one_graph(name: str) -> None:
    expected = gradients(recognizer(name).train())
    model = recognizer(name).train()
    torch._dynamo.reset()
    assert compile_parts(model, targets=('encoders',), backend='aot_eager', fullgraph=True)
    for key, gradient in gradients(model).items():
        torch.testing.assert_close(
            gradient, expected[key], rtol=1e-4, atol=1e-6, msg=lambda text, key=key: f'{key}: {text}'
        )


@pytest.mark.slow
@pytest.mark.parametrize('name', [name for name in ENCODERS if name != REGIONS])
def test_compiled_as_one_graph_under_a_mask(name: str) -> None:
    torch.manual_seed(0)
    encoder, video = MODELS.build(dict(ENCODERS[name])).eval(), tiny.inputs()['video']  # experts draw no noise
    mask = torch.tensor([[True, False, False, True] * 2, [False, True, True, False] * 2])  # tubes, half of each row
    expected = encoder(video, mask).tokens
    torch._dynamo.reset()
    compiled = torch.compile(encoder, backend='aot_eager', fullgraph=True)
    torch.testing.assert_close(compiled(video, TokenMask.from_bool(mask)).tokens, expected)
    refused = {
        'LGIFormerEncoder': ([True, True, False, False] * 2, 'different numbers of visible tokens in the regions'),
        'TPSBTEncoder': ([True, False] * 2 + [False, True] * 2, 'the same patches must be visible in every frame'),
    }
    if name in refused:
        wrong, message = refused[name]
        with pytest.raises(RuntimeError, match=message):
            compiled(video, TokenMask.from_bool(torch.tensor([wrong] * 2)))


@pytest.mark.slow
@every_encoder
def test_export(name: str, tmp_path: Path) -> None:
    cfg = tiny_config()
    fill(cfg.model, name)
    model = tiny.build(cfg.model).eval()
    exported = export_model(model, cfg, tmp_path / 'onnx', format='onnx', views=tiny.inputs(5))
    assert exported is None or exported.max_difference < 1e-5


@pytest.mark.slow
@every_encoder
def test_sharding_gathers_block_by_block(name: str, tmp_path: Path) -> None:
    expected = gradients(recognizer(name).train())
    dist.init_process_group('gloo', store=dist.FileStore(str(tmp_path / 'store'), 1), rank=0, world_size=1)
    try:
        sharded = FullyShardedModel(recognizer(name).train())
        sharded.shard()
        found = gradients(sharded.module)
        for key, value in expected.items():
            torch.testing.assert_close(found[key].full_tensor(), value, msg=lambda text, key=key: f'{key}: {text}')
        whole = sharded.module.state_dict()
        sharded.module.load_state_dict(whole)
        assert whole.keys() == recognizer(name).state_dict().keys()
    finally:
        dist.destroy_process_group()

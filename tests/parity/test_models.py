"""Predictions, losses and gradients of the published implementation, reproduced from its own parameter names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from torch import Tensor, nn

from hicmae_mm.checkpoints.published_keys import load_published, map_published_key
from hicmae_mm.engine.hooks.compile import compile_parts
from hicmae_mm.kernels import linear, use_cpu_kernels
from hicmae_mm.registry import MODELS
from tests.parity.conftest import parity_folder, read_parity, seeded_inputs, seeded_weights

CONFIGS = Path(__file__).parents[2] / 'configs'
RTOL = 1e-5
FULL_SIZE_RTOL = 2e-4
# "inductor", which users get, takes minutes of C++; this one runs the same graphs, forward and backward, without
KERNELS = 'kernels'
BACKEND = os.environ.get('HICMAE_COMPILE_BACKEND', 'aot_eager')


def files(kind: str, is_full_size: bool) -> list[Path]:
    """Every parity file of a kind, whatever its name."""
    found = []
    for path in sorted(parity_folder().glob('*.safetensors')):
        meta, _ = read_parity(path)
        if meta.get('kind') == kind and ('size' in meta) == is_full_size:
            found.append(path)
    if not found:
        raise FileNotFoundError(f'{parity_folder()} has no {kind} file{" of a full-size model" * is_full_size}')
    return found


def close(actual: Tensor, expected: Tensor, tolerance: float = RTOL) -> None:
    """Relative to the tensor's own scale, or to 1 where it is smaller."""
    scale = max(1.0, float(expected.abs().max()))
    torch.testing.assert_close(actual.detach().float(), expected.float(), rtol=tolerance, atol=tolerance * scale)


def encoders(meta: dict[str, Any]) -> dict[str, Any]:
    common = dict(
        type='VisionTransformerEncoder',
        embed_dims=meta['embed_dim'],
        num_heads=meta['num_heads'],
        mlp_ratio=meta['mlp_ratio'],
        qkv_bias=meta['qkv_bias'],
    )
    video = dict(
        type='TubeletEmbed',
        image_size=meta['img_size'],
        num_frames=meta['num_frames'],
        patch_size=meta['patch_size'],
        tubelet_size=meta['tubelet_size'],
    )
    frames, bins = meta['audio_size']
    audio = dict(type='SpectrogramEmbed', num_frames=frames, num_mel_bins=bins, patch_size=meta['patch_size'])
    return dict(
        video=dict(common, depth=meta['depth'], patch_embed=video),
        audio=dict(common, depth=meta.get('depth_audio', meta['depth']), patch_embed=audio),
    )


def fusion(meta: dict[str, Any]) -> dict[str, Any]:
    return dict(type='CrossModalFusion', depth=meta['fusion_depth'], num_heads=meta['fusion_num_heads'])


def build_pretrainer(meta: dict[str, Any]) -> nn.Module:
    decoder = dict(
        type='HierarchicalDecoder',
        embed_dims=meta['decoder_embed_dim'],
        depth=meta['decoder_depth'],
        num_heads=meta['decoder_num_heads'],
    )
    layers = meta['return_intermediate_features']
    target = dict(type='VideoPatchTarget', frame_difference=meta['frame_diff_target'])
    info_nce = dict(type='InfoNCELoss', temperature=meta['temperature'], loss_weight=meta['loss_weight'])
    return MODELS.build(
        dict(
            type='AudioVisualPretrainer',
            encoders=encoders(meta),
            fusion=fusion(meta),
            decoders=dict(video=decoder, audio=decoder),
            heads=dict(
                video=dict(type='ReconstructionHead', target=target, loss=dict(type='MaskedMSELoss')),
                audio=dict(
                    type='ReconstructionHead',
                    target=dict(type='SpectrogramPatchTarget'),
                    loss=dict(type='MaskedMSELoss'),
                ),
            ),
            contrastive=dict(type='HierarchicalContrastiveHead', layers=layers, loss=info_nce),
            skip_layers=layers,
        )
    )


def build_recognizer(meta: dict[str, Any], regression: bool) -> nn.Module:
    if regression:
        head = dict(type='RegressionHead', num_outputs=meta['num_classes'], activation=meta['head_activation'])
    else:
        head = dict(type='ClassificationHead', num_classes=meta['num_classes'])
    return MODELS.build(dict(type='AudioVisualRecognizer', encoders=encoders(meta), fusion=fusion(meta), head=head))


def executions(kind: str) -> list[Any]:
    """Every small file by plain layers and by kernels, and the first of them compiled, each part as one graph."""
    paths = files(kind, is_full_size=False)
    return [
        *(pytest.param(path, None, id=path.stem) for path in paths),
        *(pytest.param(path, KERNELS, id=f'{path.stem}-{KERNELS}') for path in paths),
        pytest.param(paths[0], BACKEND, marks=pytest.mark.slow, id=f'{paths[0].stem}-{BACKEND}'),
    ]


@pytest.fixture
def prepare(request: pytest.FixtureRequest) -> Iterator[Callable[[nn.Module], nn.Module]]:
    """Makes a model run in the test's execution."""
    execution = request.param
    if execution == KERNELS:  # these models are small
        request.getfixturevalue('monkeypatch').setattr(linear, 'MIN_ROWS', 1)
        request.getfixturevalue('monkeypatch').setattr(linear, 'MIN_MACS', 1)

    def prepared(model: nn.Module) -> nn.Module:
        if execution == KERNELS:
            use_cpu_kernels(model)
        elif execution:
            assert compile_parts(model, backend=execution, fullgraph=True)
        return model

    torch._dynamo.reset()
    yield prepared
    torch._dynamo.reset()


def masks_of(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensors[f'mask_{name}'].bool() for name in ('video', 'audio')}


def check_logits(model: nn.Module, inputs: dict[str, Tensor], tensors: dict[str, Tensor], tolerance: float) -> None:
    encoded, _ = model.encode(inputs, masks_of(tensors))
    pairs = model.contrastive.pooled({name: output.hidden for name, output in encoded.items()})
    assert len(pairs) == sum(key.startswith('logits_per_video.') for key in tensors)
    for i, (video, audio) in enumerate(pairs):
        close(model.contrastive.criterion.logits(video, audio), tensors[f'logits_per_video.{i}'], tolerance)


def check_gradients(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    expected = {key.removeprefix('grad_norm.'): norm for key, norm in tensors.items() if key.startswith('grad_norm.')}
    gradients = dict(model.named_parameters())
    assert {map_published_key(key) for key in expected} == set(gradients)
    for key, norm in expected.items():
        gradient = gradients[map_published_key(key)].grad
        assert gradient is not None, key
        torch.testing.assert_close(
            gradient.norm(), norm.reshape(()), rtol=1e-4, atol=1e-6, msg=lambda m, k=key: f'{k}: {m}'
        )


@pytest.mark.parametrize(('path', 'prepare'), executions('pretrain'), indirect=['prepare'])
def test_pretraining(path: Path, prepare: Callable[[nn.Module], nn.Module]) -> None:
    meta, expected = read_parity(path)
    model = prepare(build_pretrainer(meta).train())
    load_published(model, seeded_weights(meta))
    inputs = seeded_inputs(meta, meta['num_frames'], meta['img_size'], meta['audio_size'])
    masks = masks_of(expected)

    predictions = model(inputs, masks=masks)
    _, indexed = model.encode(inputs, masks)
    for stream in ('video', 'audio'):
        close(predictions[stream], expected[f'pred_{stream}'])
        close(model.heads[stream].target(inputs[stream], indexed[stream]), expected[f'target_{stream}'])
    check_logits(model, inputs, expected, RTOL)

    losses = model(inputs, masks=masks, mode='loss')
    for stream in ('video', 'audio'):
        close(losses[f'loss_{stream}'], expected[f'loss_{stream}'].reshape(()))
    total = sum(losses.values())
    close(total, expected['loss'].reshape(()))
    contrastive = losses['loss_contrastive'] / meta['loss_weight']
    close(contrastive, expected['loss_contrastive'].reshape(()))
    total.backward()
    check_gradients(model, expected)


@pytest.mark.parametrize(('path', 'prepare'), executions('finetune'), indirect=['prepare'])
def test_finetuning(path: Path, prepare: Callable[[nn.Module], nn.Module]) -> None:
    meta, expected = read_parity(path)
    regression = 'target' in expected
    model = prepare(build_recognizer(meta, regression).eval())
    weights = seeded_weights(meta)
    for stream in ('video', 'audio'):
        weights[f'{stream}_layer_weights'] = expected[f'{stream}_layer_weights']
    load_published(model, weights)
    inputs = seeded_inputs(meta, meta['num_frames'], meta['img_size'], meta['audio_size'])

    close(model.head.norm(model.extract_features(inputs)), expected['feature'])
    output = model(inputs)
    close(output, expected['output'])
    target = expected['target'] if regression else torch.arange(meta['batch']) % meta['num_classes']
    loss = model.head.criterion(output, target)
    close(loss, expected['loss'].reshape(()))
    loss.backward()
    check_gradients(model, expected)


def full_size_model(meta: dict[str, Any]) -> nn.Module:
    """The model of the config of this size, with the checkpoint's number of classes."""
    cfg = Config.fromfile(CONFIGS / '_base_' / 'models' / f'hicmae_{meta["size"]}_{meta["kind"]}.py').model
    cfg.pop('data_preprocessor')
    if meta['kind'] == 'finetune':
        cfg.head.num_classes = meta['keys']['head.weight'][0]
    return MODELS.build(cfg).eval()


def full_size_inputs(model: nn.Module, meta: dict[str, Any]) -> dict[str, Tensor]:
    frames, size, _ = model.encoders['video'].patch_embed.size
    return seeded_inputs(meta, frames, size, list(model.encoders['audio'].patch_embed.size))


@pytest.mark.slow
@pytest.mark.parametrize('path', files('pretrain', is_full_size=True), ids=lambda path: path.stem)
@pytest.mark.parametrize('has_kernels', [False, True])
@torch.no_grad()
def test_pretraining_full_size(path: Path, has_kernels: bool) -> None:
    meta, expected = read_parity(path)
    model = full_size_model(meta)
    if has_kernels:
        use_cpu_kernels(model)
    load_published(model, seeded_weights(meta))
    inputs = full_size_inputs(model, meta)
    predictions = model(inputs, masks=masks_of(expected))
    for stream in ('video', 'audio'):
        head = expected[f'pred_{stream}_head']
        close(predictions[stream][:, : head.shape[1], : head.shape[2]], head, FULL_SIZE_RTOL)
        close(predictions[stream].mean(), expected[f'pred_{stream}_mean'].reshape(()), FULL_SIZE_RTOL)
        close(predictions[stream].std(), expected[f'pred_{stream}_std'].reshape(()), FULL_SIZE_RTOL)
    check_logits(model, inputs, expected, FULL_SIZE_RTOL)


@pytest.mark.slow
@pytest.mark.parametrize('path', files('finetune', is_full_size=True), ids=lambda path: path.stem)
@pytest.mark.parametrize('has_kernels', [False, True])
@torch.no_grad()
def test_finetuning_full_size(path: Path, has_kernels: bool) -> None:
    meta, expected = read_parity(path)
    model = full_size_model(meta)
    if has_kernels:
        use_cpu_kernels(model)
    load_published(model, seeded_weights(meta))
    inputs = full_size_inputs(model, meta)
    close(model.head.norm(model.extract_features(inputs)), expected['feature'], FULL_SIZE_RTOL)
    close(model(inputs), expected['output'], FULL_SIZE_RTOL)

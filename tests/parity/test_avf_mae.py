"""AVF-MAE++ against the published implementation: block, fusion, masks, pre-training and fine-tuning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from einops import rearrange
from torch import Tensor, nn

from hicmae_mm.checkpoints.systems.avf_mae import BLOCK, FUSION, RULES
from hicmae_mm.config.facts import build_empty_model
from hicmae_mm.config.overrides import load_config
from hicmae_mm.config.paths import configs_root
from hicmae_mm.datasets.transforms.masking import random_mask, tube_mask
from hicmae_mm.datasets.transforms.running_cell import running_cell_mask, running_cell_masks
from hicmae_mm.models.encoders.region_block import RegionBlock
from hicmae_mm.models.fusion import IterativeCorrelationFusion
from hicmae_mm.registry import MODELS
from tests.parity.plugins import (
    close,
    close_gradients,
    file_name,
    plugin_files,
    plugin_input,
    plugin_weights,
    read_parity,
)

ROUNDING = 1e-6


def inputs_of(meta: dict[str, Any]) -> dict[str, Tensor]:
    return {
        name: plugin_input(meta, spec['shape'], spec['offset']).requires_grad_()
        for name, spec in meta['inputs'].items()
    }


def norms_in(expected: dict[str, Tensor], prefix: str = 'grad_norm.') -> dict[str, Tensor]:
    return {key.removeprefix(prefix): norm for key, norm in expected.items() if key.startswith(prefix)}


@pytest.mark.parametrize('path', plugin_files('avf_lgi_block*'), ids=file_name)
def test_block(path: Path) -> None:
    meta, expected = read_parity(path)
    block = RegionBlock(meta['dim'], meta['num_heads'], meta['mlp_ratio'], gather=True)
    BLOCK.load(block, plugin_weights(meta))
    x = inputs_of(meta)['input']

    def run() -> Tensor:
        return rearrange(block(rearrange(x, '(b r) n d -> b r n d', b=meta['batch'])), 'b r n d -> (b r) n d')

    output = run()
    close(output, expected['output'])
    loss = output.square().mean()
    close(loss, expected['loss'])
    loss.backward()
    close(x.grad, expected['grad_input'])
    close_gradients(dict(block.named_parameters()), BLOCK.to_ours(norms_in(expected)))
    with torch.no_grad():
        block.gather_attn.proj.weight.zero_()
        block.gather_attn.proj.bias.zero_()
        close(run(), expected['output_without_fourth'])


def fusion_of(meta: dict[str, Any]) -> IterativeCorrelationFusion:
    widths = dict(video=meta['dim'], audio=meta['dim'])
    fusion = IterativeCorrelationFusion(widths, meta['depth'], meta['num_heads'], meta['mlp_ratio'])
    buffers = {FUSION.published(name): value for name, value in fusion.named_buffers()}
    FUSION.load(fusion, plugin_weights(meta) | buffers)
    return fusion


def run(
    meta: dict[str, Any], mode: str, kink: float | None
) -> tuple[IterativeCorrelationFusion, dict[str, Tensor], Any]:
    """Fuses and goes backward; ``kink`` is what replaces inputs of PReLU that are 0 within rounding."""
    fusion, inputs = fusion_of(meta).train(mode == 'train'), inputs_of(meta)
    if kink is not None:
        for branch in fusion.refinement.branches.values():
            branch[2].register_forward_pre_hook(
                lambda _, x: (torch.where(x[0].abs() < ROUNDING, x[0] - x[0].detach() + kink, x[0]),)
            )
    fused, overall = fusion.fuse({name: inputs[name] for name in ('video', 'audio')}, inputs['overall'], {})
    (fused['video'].square().mean() + fused['audio'].square().mean()).backward()
    return fusion, inputs, fused | {'overall': overall}


@pytest.mark.parametrize('mode', ['train', 'eval'])
@pytest.mark.parametrize('path', plugin_files('avf_fusion*'), ids=file_name)
def test_fusion(path: Path, mode: str) -> None:
    meta, expected = read_parity(path)
    part = norms_in(expected, f'{mode}.')
    fusion, _, outputs = run(meta, mode, None)
    for name in [name for name in outputs if f'{name}_out' in part]:
        close(outputs[name], part[f'{name}_out'])
    close(outputs['video'].square().mean() + outputs['audio'].square().mean(), part['loss'])
    if mode == 'train':
        after = {FUSION.published(name): value for name, value in fusion.named_buffers()}
        stored = norms_in(expected, 'buffer_after.')
        assert after.keys() == stored.keys()
        for name, value in stored.items():
            close(after[name], value)
    # an input of PReLU that is 0 within rounding may have the slope of either side
    problems = [gradient_problem(meta, part, mode, kink) for kink in (None, ROUNDING / 100, -ROUNDING / 100)]
    assert None in problems, problems


def gradient_problem(meta: dict[str, Any], part: dict[str, Tensor], mode: str, kink: float | None) -> str | None:
    fusion, inputs, _ = run(meta, mode, kink)
    parameters = dict(fusion.named_parameters())
    if mode == 'train':  # batch norm removes these biases, so their gradients are only rounding
        parameters = {name: value for name, value in parameters.items() if not _is_before_batch_norm(name)}
    try:
        for name, value in inputs.items():
            close(value.grad, part[f'grad_{name}'])
        close_gradients(parameters, FUSION.to_ours(norms_in(part)))
    except AssertionError as error:
        return str(error)
    return None


def _is_before_batch_norm(name: str) -> bool:
    return name.startswith('refinement.branches.') and name.endswith('.0.bias')


@pytest.mark.parametrize('path', plugin_files('avf_fusion*'), ids=file_name)
@torch.no_grad()
def test_layers_of_the_fusion(path: Path) -> None:
    meta, expected = read_parity(path)
    fusion, inputs = fusion_of(meta).eval(), inputs_of(meta)
    state = {name: inputs[name] for name in ('video', 'audio')}
    overall = fusion.refinement.project(inputs['overall'])
    for layer in range(meta['depth']):
        state = fusion._layer(layer, state, {})
        overall = fusion.refinement(overall, state, {})
        for name, value in (state | {'overall': overall}).items():
            close(value, expected[f'eval.block{layer}.{name}'])


def draw(kind: str, window: list[int], ratio: float, rng: np.random.RandomState) -> np.ndarray:
    if kind == 'random':
        return random_mask(int(np.prod(window)), ratio, rng)
    return dict(tube=tube_mask, running_cell=running_cell_mask)[kind](tuple(window), ratio, rng)


def draw_sample(meta: dict[str, Any], rng: np.random.RandomState) -> dict[str, np.ndarray]:
    """Masks of one clip, in the published order of draws."""
    ratios = {name: (meta[f'mask_ratio{end}'], meta[f'decoder_mask_ratio{end}']) for name, end in ENDINGS.items()}
    return dict(
        encoder_video=draw('tube', meta['window'], ratios['video'][0], rng),
        decoder_video=draw('running_cell', meta['window'], ratios['video'][1], rng),
        encoder_audio=draw('random', meta['window_audio'], ratios['audio'][0], rng),
        decoder_audio=draw('random', meta['window_audio'], ratios['audio'][1], rng),
    )


ENDINGS = dict(video='', audio='_audio')


@pytest.mark.parametrize('path', plugin_files('avf_masks*'), ids=file_name)
def test_masks(path: Path) -> None:
    meta, expected = read_parity(path)
    for index, case in enumerate(meta['cases']):
        rng, stored = np.random.RandomState(case['numpy_seed']), expected[f'{index}.draws'].flatten(1).bool()
        for row in stored.numpy():
            np.testing.assert_array_equal(draw(case['kind'], case['window'], case['ratio'], rng), row)
        if case['kind'] == 'running_cell':
            maps = running_cell_masks(tuple(case['window']), case['ratio'])
            np.testing.assert_array_equal(maps, expected[f'{index}.all_maps'].flatten(1).bool().numpy())
    for index, sample in enumerate(meta['samples']):
        rng = np.random.RandomState(sample['numpy_seed'])
        for row in range(len(expected[f'sample{index}.encoder_video'])):
            for name, mask in draw_sample(sample, rng).items():
                np.testing.assert_array_equal(mask, expected[f'sample{index}.{name}'][row].bool().numpy())


def encoders(meta: dict[str, Any], **options: Any) -> dict[str, Any]:
    common = dict(
        type='LGIFormerEncoder',
        embed_dims=meta['embed_dim'],
        depth=meta['depth'],
        num_heads=meta['num_heads'],
        mlp_ratio=meta['mlp_ratio'],
        qkv_bias=meta['qkv_bias'],
        gather=True,
        **options,
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
        video=dict(common, patch_embed=video, region=meta['region']),
        audio=dict(common, patch_embed=audio, region=meta['region_audio']),
    )


def fusion_config(meta: dict[str, Any], **options: Any) -> dict[str, Any]:
    return dict(
        type='IterativeCorrelationFusion',
        depth=meta['fusion_depth'],
        num_heads=meta['fusion_num_heads'],
        mlp_ratio=meta['mlp_ratio'],
        qkv_bias=meta['qkv_bias'],
        **options,
    )


def loaded(model: nn.Module, meta: dict[str, Any]) -> Any:
    """Published weights; the buffers of batch norm as they were built."""
    buffers = {RULES.published(name): value for name, value in model.named_buffers() if name in model.state_dict()}
    RULES.load(model, plugin_weights(meta) | buffers)
    return model


def pretrainer(meta: dict[str, Any]) -> Any:
    decoder = dict(
        type='HierarchicalDecoder',
        embed_dims=meta['decoder_embed_dim'],
        depth=meta['decoder_depth'],
        num_heads=meta['decoder_num_heads'],
    )
    layers = meta['return_intermediate_features']
    info_nce = dict(type='InfoNCELoss', temperature=meta['temperature'], loss_weight=meta['loss_weight'])
    targets = dict(
        video=dict(type='VideoPatchTarget', frame_difference=meta['frame_diff_target']),
        audio=dict(type='SpectrogramPatchTarget'),
    )
    loss = dict(type='MaskedMSELoss')
    return MODELS.build(
        dict(
            type='AudioVisualPretrainer',
            encoders=encoders(meta, masked_regions='runs', published_order=True),
            fusion=fusion_config(meta),
            decoders=dict.fromkeys(targets, decoder),
            heads={name: dict(type='ReconstructionHead', target=target, loss=loss) for name, target in targets.items()},
            contrastive=dict(type='HierarchicalContrastiveHead', layers=layers, loss=info_nce),
            skip_layers=layers,
        )
    )


def masks_of(expected: dict[str, Tensor], with_decoder: bool = True) -> dict[str, Tensor]:
    masks = {name: expected[f'mask_{name}'].bool() for name in ENDINGS}
    if with_decoder:
        masks |= {f'decoders.{name}': expected[f'decode_mask_{name}'].bool() for name in ENDINGS}
    return masks


def strided(predictions: dict[str, Tensor], meta: dict[str, Any]) -> dict[str, Tensor]:
    return {name: value[..., :: meta[f'stride_{name}']] for name, value in predictions.items()}


@pytest.mark.parametrize('path', plugin_files('avf_pretrain*'), ids=file_name)
def test_pretraining(path: Path) -> None:
    meta, expected = read_parity(path)
    inputs, masks = {name: value.detach() for name, value in inputs_of(meta).items()}, masks_of(expected)
    model = loaded(pretrainer(meta), meta)
    encoded, indexed = model.encode(inputs, masks)
    for name, values in strided(model.eval().decode(encoded, indexed), meta).items():
        close(values, expected[f'eval.pred_{name}'])
    without = model(inputs, masks=masks_of(expected, with_decoder=False))
    for name, values in strided(without, meta).items():
        close(values, expected[f'eval_nodecodemask.pred_{name}'])

    for name, head in model.heads.items():
        assert torch.equal(indexed[name].counted, expected[f'counted_{name}'].bool())
        target = head.target(inputs[name], indexed[name])
        close(target[..., :: meta[f'stride_{name}']], expected[f'target_{name}'])
    losses = model.train()(inputs, masks=masks, mode='loss')
    loss = sum(losses.values())
    for name in ENDINGS:
        close(losses[f'loss_{name}'], expected[f'loss_{name}'])
    close(losses['loss_contrastive'], expected['loss_contrastive'] * meta['loss_weight'])
    close(loss, expected['loss'])
    for name, value in RULES.to_ours(norms_in(expected, 'buffer_after.')).items():
        if name.endswith('num_batches_tracked'):  # the statistics were set back before they were stored
            assert torch.equal(model.state_dict()[name], value)
    loss.backward()
    close_gradients(trained_parameters(model), RULES.to_ours(norms_in(expected)))


def trained_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """All whose gradients are more than rounding."""
    return {
        name: value
        for name, value in model.named_parameters()
        if not _is_before_batch_norm(name.removeprefix('fusion.'))
    }


@pytest.mark.parametrize('path', plugin_files('avf_pretrain*'), ids=file_name)
def test_order_of_draws(path: Path) -> None:
    meta, expected = read_parity(path)
    sizes = dict(window=[meta['num_frames'] // meta['tubelet_size'], *[meta['img_size'] // meta['patch_size']] * 2])
    sizes['window_audio'] = [size // meta['patch_size'] for size in meta['audio_size']]
    rng = np.random.RandomState(meta['numpy_seed'])
    for row in range(meta['batch']):
        for name, mask in draw_sample(meta | sizes, rng).items():
            part, stream = name.split('_')
            key = f'mask_{stream}' if part == 'encoder' else f'decode_mask_{stream}'
            np.testing.assert_array_equal(mask, expected[key][row].bool().numpy())


def recognizer(meta: dict[str, Any]) -> Any:
    head = dict(type='ClassificationHead', num_classes=meta['num_classes'])
    if meta.get('head_activation'):
        head = dict(type='RegressionHead', num_outputs=meta['num_classes'], activation=meta['head_activation'])
    return MODELS.build(
        dict(
            type='AudioVisualRecognizer',
            encoders=encoders(meta, tokens='regions'),
            fusion=fusion_config(meta, overall='layers'),
            aggregator=dict(type='MeanPoolAggregator'),
            head=head,
        )
    )


@pytest.mark.parametrize('mode', ['train', 'eval'])
@pytest.mark.parametrize('path', plugin_files('avf_finetune*'), ids=file_name)
def test_finetuning(path: Path, mode: str) -> None:
    meta, expected = read_parity(path)
    inputs = {name: value.detach() for name, value in inputs_of(meta).items()}
    model, part = loaded(recognizer(meta), meta).train(mode == 'train'), norms_in(expected, f'{mode}.')
    features = model.extract_features(inputs)
    output = model.head(features)
    loss = nn.functional.cross_entropy(output, torch.arange(meta['batch']) % meta['num_classes'])
    close(model.head.norm(features), part['feature'])
    close(output, part['output'])
    close(loss, part['loss'])
    for name, encoder in model.encoders.items():
        stored = expected[f'encoder_tokens_{name}_last']
        close(encoder(inputs[name]).tokens[: len(stored)], stored)
    loss.backward()
    parameters = trained_parameters(model) if mode == 'train' else dict(model.named_parameters())
    close_gradients(parameters, RULES.to_ours(norms_in(part)))


PUBLISHED_PARAMETERS = {
    'base': (169_118_751, 187_942_660),
    'large': (263_827_231, 296_921_348),
    'huge': (521_303_081, 572_665_092),
}


@pytest.mark.parametrize('size', PUBLISHED_PARAMETERS)
def test_published_sizes(size: str) -> None:
    counts = []
    for stage in ('finetune', 'pretrain'):
        cfg = load_config(configs_root() / '_base_' / 'models' / f'avf_mae_{size}_{stage}.py')
        if stage == 'finetune':
            cfg.model.head.num_classes = 7
        model = build_empty_model(cfg)
        counts.append(sum(parameter.numel() for parameter in model.parameters()))
        names = [RULES.published(name) for name in model.state_dict()]
        assert len(set(names)) == len(names)
        assert [RULES.ours(f'_orig_mod.{name}') for name in names] == list(model.state_dict())
    assert tuple(counts) == PUBLISHED_PARAMETERS[size]


def test_layer_decay_leaves_the_full_rate_to_what_is_no_layer() -> None:
    model = build_empty_model(load_config(configs_root() / '_base_' / 'models' / 'avf_mae_base_finetune.py'))
    depths = {name: model.layer_depth(name) for name, _ in model.named_parameters()}
    found = {depths[name][0] for name in depths if 'region_tokens' in name or 'layer_weights' in name}
    assert found == {13}
    assert depths['encoders.audio.patch_embed.proj.weight'] == (0, 12)
    assert depths['encoders.video.blocks.9.gather_attn.q.weight'] == (10, 12)
    assert depths['fusion.blocks.video.1.self_gate.weight'] == (12, 12)
    assert depths['fusion.refinement.norm.weight'] == (13, 12)

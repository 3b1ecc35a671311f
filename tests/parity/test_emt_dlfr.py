"""EMT-DLFR: the fusion in every form of sharing, the whole model on two views, and its losses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from hicmae_mm.checkpoints.systems import rules_of
from hicmae_mm.checkpoints.systems.emt_dlfr import FUSION
from hicmae_mm.models.fusion.emt import EMTFusion
from hicmae_mm.models.losses.restoration import attraction_loss, restoration_loss
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import EmotionDataSample, Padded
from tests.parity.plugins import close, close_gradients, file_name, plugin_files, plugin_weights, read_parity

STREAMS = ['text', 'audio', 'video']
RULES = rules_of('emt_dlfr')


def files(pattern: str, kind: str) -> list[Path]:
    return [path for path in plugin_files(pattern) if read_parity(path)[0]['kind'].startswith(kind)]


def load(module: nn.Module, renamed: dict[str, Tensor]) -> None:
    """Parameters by the first name of each; modules that are shared have others, and batch norm has buffers."""
    assert set(renamed) == {name for name, _ in module.named_parameters()}
    module.load_state_dict(renamed, strict=False)


def compare_gradients(parameters: dict[str, Tensor], norms: dict[str, Tensor]) -> None:
    """Biases in front of a softmax or a batch norm have a gradient of 0, of which rounding is left."""
    nothing = {
        name for name, norm in norms.items() if name.endswith('bias') and norm < 1e-4 * norms[f'{name[:-4]}weight']
    }
    for name in nothing:
        gradient = parameters[name].grad
        assert gradient is not None
        assert gradient.norm() < 1e-4
    rest = [{name: value for name, value in part.items() if name not in nothing} for part in (parameters, norms)]
    close_gradients(*rest)


def sharing(meta: dict[str, Any]) -> dict[str, Any]:
    return dict(
        depth=meta.get('depth', meta.get('fusion_layers')),
        num_heads=meta['heads'],
        mlp_ratio=meta['ff_expansion'],
        share_directions=meta['mpu_share'],
        share_streams=meta['modality_share'],
        share_layers=meta['layer_share'],
    )


@pytest.mark.parametrize('path', files('emt_fusion*.safetensors', 'fusion module'), ids=file_name)
def test_fusion(path: Path) -> None:
    meta, stored = read_parity(path)
    names = [str(index) for index in range(meta['num_modality'])]
    fusion = EMTFusion(dict.fromkeys(names, meta['dim']), meta['dim'], **sharing(meta)).eval()
    renamed = FUSION.to_ours(plugin_weights(meta))
    load(fusion, {name.removeprefix('fusion.'): value for name, value in renamed.items()})

    tokens = {name: stored[f'tokens_in.{name}'].requires_grad_() for name in names}
    context = stored['gmc_in'].requires_grad_()
    padding = {name: Padded(tokens[name], stored[f'length.{name}']).padding for name in names}
    fused = fusion(tokens, padding, {name: context[:, index : index + 1] for index, name in enumerate(names)})
    close(fused['context'], stored['gmc_out'])
    loss = fused['context'].square().mean()
    for name in names:
        close(fused[name], stored[f'tokens_out.{name}'])
        loss = loss + fused[name][~padding[name]].square().mean()
    close(loss, stored['loss'])

    loss.backward()
    close(context.grad, stored['grad_gmc_in'])
    for name in names:
        close(tokens[name].grad, stored[f'grad_tokens_in.{name}'])
    published = {FUSION.published(f'fusion.{name}'): value for name, value in fusion.named_parameters()}
    norms = {key.removeprefix('grad_norm.'): value for key, value in stored.items() if key.startswith('grad_norm.')}
    compare_gradients(published, norms)


def whole_model(meta: dict[str, Any]) -> nn.Module:
    text, *features = meta['feature_dims']
    encoders: dict[str, Any] = {
        'text': dict(type='FeatureMLPEncoder', in_channels=text, widths=(), has_special_tokens=True)
    }
    for name, width in zip(STREAMS[1:], features):
        hidden, out = meta[f'{name[0]}_lstm_hidden_size'], meta[f'{name}_out']
        encoders[name] = dict(
            type='FeatureLSTMEncoder',
            in_channels=width,
            hidden_dims=hidden,
            out_channels=None if out == hidden else out,
        )
    hidden_dims = {'context': meta['gmc_tokens_pred_dim']} | {name: meta[f'{name}_pred_dim'] for name in STREAMS}
    model: nn.Module = MODELS.build(
        dict(
            type='AudioVisualRecognizer',
            encoders=encoders,
            fusion=dict(type='EMTFusion', embed_dims=meta['d_model'], order=STREAMS, **sharing(meta)),
            aggregator=dict(type='ContextAggregator', widths=(meta['post_fusion_dim'],) * 2, order=STREAMS),
            head=dict(type='RegressionHead', num_outputs=1, norm=False, loss=dict(type='L1Loss')),
            objectives=dict(
                dlfr=dict(type='FeatureRestoration', inputs=dict(zip(STREAMS[1:], features)), hidden_dims=hidden_dims)
            ),
        )
    )
    load(model, RULES.to_ours(plugin_weights(meta)))
    return model


def view(stored: dict[str, Tensor], suffix: str) -> dict[str, Padded]:
    """The text has a token for the whole clip in front and a closing one behind, which counts as padding."""
    lengths = {name: stored[f'{name}_length'] for name in STREAMS}
    lengths['text'] = lengths['text'] + 2
    values = {name: stored[f'{name}{suffix}'] for name in STREAMS}
    values['text'] = torch.cat([values['text'], torch.zeros_like(values['text'][:, :1])], dim=1)
    return {name: Padded(values[name], lengths[name]) for name in STREAMS}


@pytest.mark.parametrize('path', files('emt_dlfr_model*.safetensors', 'whole model'), ids=file_name)
@pytest.mark.parametrize('mode', ['train', 'eval'])
def test_whole_model(path: Path, mode: str) -> None:
    meta, stored = read_parity(path)
    model = whole_model(meta).train(mode == 'train')
    samples = [EmotionDataSample().set_gt_values([label]) for label in stored['labels'].tolist()]
    objective = model.objectives['dlfr']
    complete = model.run_pass(view(stored, ''), samples)
    incomplete = model.run_pass(view(stored, '_missing'), samples)
    dropped = {}
    for name in STREAMS:
        keep = stored[f'{name}_keep'].bool()
        steps = torch.arange(keep.shape[1])
        dropped[name] = ~keep & (steps < stored[f'{name}_length'].unsqueeze(1))
    dropped['text'] = nn.functional.pad(dropped['text'], (1, 1))

    close(model.head(complete.features), stored[f'{mode}.pred'])
    close(model.head(incomplete.features), stored[f'{mode}.pred_m'])
    for name in STREAMS:
        restored = objective.decoders[name](incomplete.fused[name])
        real = ~incomplete.padding[name]
        expected = stored[f'{mode}.{name}_recon']
        longest = min(expected.shape[1], restored.shape[1])
        close(restored[:, :longest][real[:, :longest]], expected[:, :longest][real[:, :longest]])
        found = objective.restoration(name, complete, incomplete, dropped[name])
        close(found, stored[f'{mode}.loss_recon.{name}'])

    model = whole_model(meta).train(mode == 'train')  # batch norm has seen nothing yet
    complete, incomplete = (model.run_pass(view(stored, suffix), samples) for suffix in ('', '_missing'))
    losses = model.objectives['dlfr'].compare(complete, incomplete, dropped)
    attraction = sum(stored[f'{mode}.loss_attraction.{name}'] for name in ('gmc_tokens', *STREAMS))
    close(losses['loss_attraction'], attraction)
    close(losses['loss_incomplete'], stored[f'{mode}.loss_pred_missing'])
    close(complete.supervised()['loss'], stored[f'{mode}.loss_pred'])
    total = sum(losses.values()) + complete.supervised()['loss']
    close(total, stored[f'{mode}.loss'])
    total.backward()
    norms = {key.removeprefix(f'{mode}.grad_norm.'): value for key, value in stored.items() if f'{mode}.grad' in key}
    if norms:
        compare_gradients({RULES.published(name): value for name, value in model.named_parameters()}, norms)


@pytest.mark.parametrize('path', files('emt_dlfr_model*.safetensors', 'whole model'), ids=file_name)
def test_a_published_state_dict_has_every_alias_and_comes_back(path: Path) -> None:
    meta, _ = read_parity(path)
    own = whole_model(meta).state_dict()
    published = RULES.to_published(own)
    for layer in range(meta['fusion_layers']):
        for stream, direction in ((0, 0), (2, 1)):
            alias = f'fusion.mpus.{layer}.{stream}.{direction}.layers.0.2.fn.net.2.weight'
            assert published[alias].shape == (meta['d_model'], meta['d_model'] * meta['ff_expansion'])
    assert 'text_predictor.net.1.running_var' in published
    published['fusion.pos_embed.pe'] = torch.zeros(1024, meta['d_model'])  # a buffer there, computed here
    back = RULES.to_ours({f'module.{name}': value for name, value in published.items()})
    assert back.keys() == own.keys()
    assert all(torch.equal(back[name], own[name]) for name in own)


@pytest.mark.parametrize('path', files('dlfr_losses*.safetensors', 'dual-level'), ids=file_name)
def test_losses(path: Path) -> None:
    _, stored = read_parity(path)
    predicted = tuple(stored[name].requires_grad_() for name in ('p_complete', 'p_missing'))
    loss = attraction_loss(predicted, (stored['z_complete'], stored['z_missing']))
    close(loss, stored['attraction'])
    loss.backward()
    for name, value in zip(('p_complete', 'p_missing'), predicted):
        close(value.grad, stored[f'grad_{name}'])
    kinds = {'L1Loss': 'l1', 'MSELoss': 'mse', 'SmoothL1Loss': 'smooth_l1'}
    for key in [key for key in stored if key.startswith('recon.')]:
        prediction = stored['recon_pred'].clone().requires_grad_()
        dropped = stored['recon_mask'].bool()
        loss = restoration_loss(prediction, stored['recon_target'], dropped, kinds[key.removeprefix('recon.')])
        close(loss, stored[key])
        loss.backward()
        close(prediction.grad, stored[f'grad_{key}'])
        nothing = restoration_loss(prediction, stored['recon_target'], torch.zeros_like(dropped))
        close(nothing, stored['recon_empty_mask'])

"""AVF-MAE++'s block and fusion against the published implementation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from einops import rearrange
from torch import Tensor

from hicmae_mm.checkpoints.systems.avf_mae import BLOCK, FUSION
from hicmae_mm.models.fusion import IterativeCorrelationFusion
from hicmae_mm.models.layers import RegionBlock
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

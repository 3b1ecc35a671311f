"""emotion2vec: every stage of the published encoder, its classifier, padding, and the other order of norms."""

from __future__ import annotations

from ast import literal_eval
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hicmae_mm.checkpoints.systems import rules_of
from hicmae_mm.models.encoders.emotion2vec import alibi_slopes
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import Padded
from tests.parity.plugins import (
    close,
    close_gradients,
    file_name,
    plugin_files,
    plugin_input,
    plugin_weights,
    read_parity,
)

RULES = rules_of('emotion2vec')


def conv_layers(text: str) -> list[tuple[int, int, int]]:
    """Reads ``[(512, 10, 5)] + [(512, 3, 2)] * 4``."""
    layers: list[tuple[int, int, int]] = []
    for part in text.split('+'):
        group, _, times = part.partition('*')
        layers += literal_eval(group.strip()) * int(times or 1)
    return layers


def build(meta: dict[str, Any]) -> nn.Module:
    model: nn.Module = MODELS.build(
        dict(
            type='AudioVisualRecognizer',
            encoders=dict(
                audio=dict(
                    type='Emotion2VecEncoder',
                    embed_dims=meta['dim'],
                    depth=meta['depth'],
                    prenet_depth=meta['prenet_depth'],
                    num_heads=meta['num_heads'],
                    mlp_ratio=meta['mlp_ratio'],
                    conv_layers=conv_layers(meta['conv']),
                    position_layers=meta['conv_pos_depth'],
                    position_width=meta['conv_pos_width'],
                    position_groups=meta['conv_pos_groups'],
                    extra_tokens=meta['extra_tokens'],
                    scale_per_layer=meta['scale_per_layer'],
                    scale_per_head=meta['scale_per_head'],
                    layer_norm_first=meta['layer_norm_first'],
                    normalize=meta['normalize'],
                    mask_padding=False,
                )
            ),
            aggregator=dict(type='MeanPoolAggregator'),
            head=dict(type='ClassificationHead', num_classes=max(1, len(meta['labels'])), norm=False),
        )
    )
    return model


@pytest.mark.parametrize('path', plugin_files('emotion2vec*.safetensors'), ids=file_name)
def test_published_numbers(path: Path) -> None:
    meta, expected = read_parity(path)
    model = build(meta)
    encoder: Any = model.encoders.audio
    weights = plugin_weights(meta) | {meta['alibi_scale_name']: expected['alibi_scale']}
    if not meta['labels']:
        weights |= {name: value for name, value in model.state_dict().items() if name.startswith('head.fc.')} and {
            'proj.weight': torch.zeros(1, meta['dim']),
            'proj.bias': torch.zeros(1),
        }
    RULES.load(model, weights)
    step = meta['stride_time']
    waveform = plugin_input(meta, meta['inputs']['waveform']['shape'], meta['inputs']['waveform']['offset'])
    normalized = F.layer_norm(waveform, waveform.shape[1:]) if meta['normalize'] else waveform
    local = encoder.convolutions(normalized)
    projected = encoder.project(local.transpose(1, 2))
    close(local[..., ::step], expected['conv_features'], 1e-5)
    close(projected[:, ::step], expected['projected'], 1e-5)
    close(encoder.compute_positions(projected)[:, ::step], expected['positions'], 1e-5)

    outputs: list[Tensor] = []
    added: list[Tensor] = []
    hooks = [encoder.prenet[-1].register_forward_hook(lambda _, __, output: outputs.append(output))]
    hooks += [block.mlp.register_forward_hook(lambda _, __, output: added.append(output)) for block in encoder.blocks]
    result = encoder(waveform)
    for hook in hooks:
        hook.remove()
    close(outputs[0][:, ::step], expected['context'], 1e-5)
    for index, output in enumerate(added):  # the published layer results are what the MLPs put out
        close(output[:1, ::step], expected[f'layer_results.{index}'], 1e-5)
    close(result.tokens[:, ::step], expected['tokens'], 1e-5)
    with_extra = torch.cat([result.summary, result.tokens], dim=1)
    close(with_extra[:, : expected['tokens_with_extra'].shape[1]], expected['tokens_with_extra'], 1e-5)
    assert result.tokens.shape[1] == int(expected['number_of_tokens'])
    check_classifier(meta, expected, model, waveform)


def check_classifier(meta: dict[str, Any], expected: dict[str, Tensor], model: Any, waveform: Tensor) -> None:
    model.zero_grad()
    utterance = model.extract_features({'audio': waveform})
    close(utterance, expected['utterance'], 1e-5)
    loss = utterance.square().sum()
    if meta['labels']:
        logits = model.head(utterance)
        close(logits, expected['logits'], 1e-5)
        loss = F.cross_entropy(logits, torch.arange(len(logits)) % len(meta['labels']))
        kept = [index for index, label in enumerate(meta['labels']) if not label.startswith('unuse')]
        scores = torch.full_like(logits, -torch.inf)
        scores[:, kept] = logits[:, kept]
        close(scores.softmax(dim=-1)[:, kept], expected['inference.scores'], 1e-5)
    close(loss, expected['loss'], 1e-5)
    norms = {name.split('grad_norm.')[1]: value for name, value in expected.items() if name.startswith('grad_norm.')}
    assert norms
    loss.backward()
    close_gradients(dict(model.named_parameters()), RULES.to_ours(norms))


@pytest.mark.parametrize('path', plugin_files('emotion2vec*.safetensors'), ids=file_name)
def test_padded_batches(path: Path) -> None:
    """The published mask acts on attention only; by default, a clip does not depend on what it is padded with."""
    meta, expected = read_parity(path)
    model = build(meta)
    encoder: Any = model.encoders.audio
    weights = plugin_weights(meta) | {meta['alibi_scale_name']: expected['alibi_scale']}
    encoder.load_state_dict(
        {
            name.removeprefix('encoders.audio.'): value
            for name, value in RULES.to_ours(weights).items()
            if name.startswith('encoders.')
        }
    )
    waveform = plugin_input(meta, meta['inputs']['waveform']['shape'], meta['inputs']['waveform']['offset'])
    normalized = F.layer_norm(waveform, waveform.shape[1:]) if meta['normalize'] else waveform.clone()
    normalized[1:, meta['short'] :] = 0
    lengths = torch.tensor([waveform.shape[1], *[meta['short']] * (len(waveform) - 1)])
    encoder.normalize = False
    padded = encoder(Padded(normalized, lengths))
    assert torch.equal(padded.padding, expected['padded.padding_mask'].bool())
    close(padded.tokens[:, :: meta['stride_time']], expected['padded.tokens'], 1e-5)
    close(model.extract_features({'audio': Padded(normalized, lengths)}), expected['padded.utterance'], 1e-5)

    encoder.normalize, encoder.mask_padding = meta['normalize'], True
    together = encoder(Padded(waveform, lengths))
    for row, length in enumerate(lengths.tolist()):
        alone = encoder(waveform[row : row + 1, :length]).tokens
        close(together.tokens[row : row + 1, : alone.shape[1]], alone.detach(), 1e-5)


def test_slopes_of_attention_biases() -> None:
    assert alibi_slopes(4).tolist() == [1 / 4, 1 / 16, 1 / 64, 1 / 256]
    assert alibi_slopes(3).tolist() == [1 / 16, 1 / 256, 1 / 4]

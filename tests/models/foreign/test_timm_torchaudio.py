"""The encoders of timm and torchaudio: equal to the library, independent of padding, clear about wrong files."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from hicmae_mm.models.encoders import TimmEncoder, TorchaudioEncoder
from hicmae_mm.structures import Padded
from tests.component_cases import MODEL_CASES

VIT = dict(img_size=32, embed_dim=16, depth=1, num_heads=2)
SPEECH: dict[str, Any] = MODEL_CASES['TorchaudioEncoder'].options['options']
NETS = {
    'vit_tiny_patch16_224': (VIT, (4, 16)),
    'resnet18': ({}, (1, 512)),
    'swin_tiny_patch4_window7_224': (
        dict(img_size=32, window_size=2, embed_dim=8, depths=(1, 1), num_heads=(1, 2)),
        (16, 16),
    ),
}


@pytest.mark.parametrize('name', NETS)
@torch.no_grad()
def test_timm_gives_the_librarys_own_output(name: str, tmp_path: Path) -> None:
    import timm

    options, (num_tokens, width) = NETS[name]
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=5, **options).eval()
    torch.save(model.state_dict(), tmp_path / 'weights.pth')
    encoder = TimmEncoder(name, str(tmp_path / 'weights.pth'), options=options).eval()
    encoder.init_weights()
    x = torch.randn(2, 3, 3, 32, 32)
    output = encoder(x)
    assert output.tokens.shape == (2, 3 * num_tokens, width)
    assert output.tokens is output.hidden[-1]
    for row in range(2):
        images = x[row].transpose(0, 1)
        pooled = model.forward_head(model.forward_features(images), pre_logits=True)
        torch.testing.assert_close(output.summary[row], pooled, atol=1e-5, rtol=1e-5)
    third = encoder(x[1:, :, 2:])  # the last frame of the second clip
    torch.testing.assert_close(encoder.split_steps(output.tokens, x)[1, 2], third.tokens[0], atol=1e-5, rtol=1e-5)
    frames = TimmEncoder(name, str(tmp_path / 'weights.pth'), 'frames', options).eval()
    assert frames.split_steps(output.summary, x).shape == (2, 3, 1, frames.embed_dims)
    torch.testing.assert_close(frames(x).tokens, output.summary)
    fewer = frames(Padded(x.transpose(1, 2), torch.tensor([3, 2])))
    assert fewer.padding.tolist() == [[False] * 3, [False, False, True]]
    assert encoder.expected_input.mean == pytest.approx([255 * value for value in model.pretrained_cfg['mean']])
    assert encoder.expected_input.image_size == (None if name == 'resnet18' else (32, 32))


def speech(name: str) -> dict[str, Any]:
    options = dict(SPEECH, encoder_num_layers=2)
    if name == 'layer_norm':
        options |= dict(extractor_mode='layer_norm', encoder_layer_norm_first=True)
    return options | (dict(encoder_max_distance=20, encoder_num_buckets=8) if name == 'wavlm' else {})


@pytest.mark.parametrize('name', ['group_norm', 'layer_norm', 'wavlm'])
@torch.no_grad()
def test_torchaudio_gives_the_librarys_own_output(name: str, tmp_path: Path) -> None:
    import torchaudio.models

    torch.manual_seed(0)
    function = 'wavlm_model' if name == 'wavlm' else 'wav2vec2_model'
    options = speech(name)
    model = getattr(torchaudio.models, function)(**options | dict(aux_num_out=4)).eval()
    torch.save(model.state_dict(), tmp_path / 'weights.pth')
    encoder = TorchaudioEncoder(function, str(tmp_path / 'weights.pth'), options).eval()
    assert encoder.normalize is (name == 'layer_norm')
    clips = [torch.randn(900), torch.randn(541)]
    output = encoder(Padded.stack(clips))
    assert (encoder.depth, encoder.embed_dims, len(output.hidden)) == (2, 12, 2)
    for row, clip in enumerate(clips):
        if encoder.normalize:
            clip = torch.nn.functional.layer_norm(clip, clip.shape)
        expected, _ = model.extract_features(clip[None])
        for own, layer in zip(expected, output.hidden):
            torch.testing.assert_close(layer[row][~output.padding[row]], own[0], atol=1e-5, rtol=1e-5)
    assert encoder.layer_id('net.encoder.transformer.layers.1.final_layer_norm.weight') == 2
    assert encoder.layer_id('net.feature_extractor.conv_layers.0.conv.weight') == 0
    with pytest.raises(ValueError, match=r'a waveform of 20 samples is too short, the encoder needs 25'):
        encoder(torch.zeros(1, 20))


def test_wrong_files_and_names_are_refused_by_one_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"timm has no model 'resnet19'"):
        TimmEncoder('resnet19')
    with pytest.raises(ValueError, match=r"name='whisper' is no speech encoder of torchaudio; known are \["):
        TorchaudioEncoder('whisper')
    file = tmp_path / 'weights.pth'
    with pytest.raises(FileNotFoundError, match=r'does not exist \(nothing is downloaded\)'):
        TimmEncoder('vit_tiny_patch16_224', str(file), options=VIT)
    file.write_bytes(pickle.dumps(print))
    with pytest.raises(ValueError, match=r'not a file of weights that holds tensors only'):
        TimmEncoder('vit_tiny_patch16_224', str(file), options=VIT)
    weights = TimmEncoder('vit_tiny_patch16_224', options=VIT).net.state_dict()
    torch.save(weights | {'spare.weight': torch.zeros(1)}, file)
    with pytest.raises(ValueError, match=r"has more than the model: 1 parameters, such as 'spare.weight'"):
        TimmEncoder('vit_tiny_patch16_224', str(file), options=VIT)
    torch.save(weights | {'cls_token': torch.zeros(1, 1, 8)}, file)
    with pytest.raises(ValueError, match=r'cls_token has the shape \(1, 1, 8\), the model needs \(1, 1, 16\)'):
        TimmEncoder('vit_tiny_patch16_224', str(file), options=VIT)
    weights.pop('norm.bias')
    torch.save(weights, file)
    with pytest.raises(ValueError, match=r"lacks 1 parameters, such as 'norm.bias'; it belongs to another model"):
        TimmEncoder('vit_tiny_patch16_224', str(file), options=VIT)

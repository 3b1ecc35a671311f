"""Pre-training where decoders have masks of their own: what they predict, and what counts."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from hicmae_mm.models.pretrainer import AudioVisualPretrainer
from hicmae_mm.structures import TokenMask
from tests.models import tiny
from tests.models.test_models import clips

DECODED = dict(video=[0, 1, 4, 7], audio=[1, 2])


def pretrainer() -> AudioVisualPretrainer:
    model: AudioVisualPretrainer = tiny.build(tiny.pretrainer_config()).eval()
    return model


def dual_masks() -> dict[str, Tensor]:
    masks = tiny.masks()
    for name, decoded in DECODED.items():
        masks[f'decoders.{name}'] = torch.ones_like(masks[name])
        masks[f'decoders.{name}'][:, decoded] = False
    return masks


@torch.no_grad()
def test_only_masked_tokens_count() -> None:
    model, inputs, masks = pretrainer(), tiny.inputs(), dual_masks()
    predictions, losses = model(inputs, masks=masks), model(inputs, masks=masks, mode='loss')
    samples = model(inputs, clips(0, 0), masks=masks, mode='predict')
    for name, decoded in DECODED.items():
        everything = TokenMask(masks[name], masks[name], torch.arange(masks[name].shape[1]).expand(2, -1))
        target = model.heads[name].target(inputs[name], everything)[:, decoded]
        assert predictions[name].shape == target.shape
        errors, counted = (predictions[name] - target).square().mean(dim=2), masks[name][:, decoded]
        assert 0 < counted.sum() < counted.numel()
        torch.testing.assert_close(losses[f'loss_{name}'], errors[counted].mean())
        for row, sample in enumerate(samples):
            mean = errors[row][counted[row]].mean()
            assert sample.reconstruction_error[name] == pytest.approx(float(mean.nan_to_num()))


@torch.no_grad()
def test_decoders_that_predict_everything_that_is_masked_change_nothing() -> None:
    model, inputs, masks = pretrainer(), tiny.inputs(), tiny.masks()
    same = masks | {f'decoders.{name}': ~mask for name, mask in masks.items()}
    found, expected = (model(inputs, masks=given, mode='loss') for given in (same, masks))
    torch.testing.assert_close(found, expected)


@torch.no_grad()
def test_nothing_that_counts_is_no_loss() -> None:
    model, masks = pretrainer(), tiny.masks()
    losses = model(tiny.inputs(), masks=masks | {'decoders.audio': masks['audio']}, mode='loss')
    assert losses['loss_audio'] == 0


@torch.no_grad()
def test_pictures_show_all_masked_patches() -> None:
    model, inputs = pretrainer(), tiny.inputs()
    found, expected = (model.reconstruct(inputs, masks) for masks in (dual_masks(), tiny.masks()))
    torch.testing.assert_close(found, expected)


def test_masks_of_different_grids_are_refused() -> None:
    masks = tiny.masks() | {'decoders.video': torch.tensor([[True, False] * 3] * 2)}
    with pytest.raises(ValueError, match=r'video: the mask of the encoder is \(2, 8\), that of the decoder \(2, 6\)'):
        pretrainer()(tiny.inputs(), masks=masks)


def test_encoders_of_regions_cannot_be_pretrained() -> None:
    config = tiny.pretrainer_config()
    embed = config['encoders']['video']['patch_embed']
    regions = dict(type='LGIFormerEncoder', patch_embed=embed, tokens='regions', region=(1, 1, 2), embed_dims=16)
    config['encoders']['video'] = dict(regions, depth=3, num_heads=2)
    with pytest.raises(ValueError, match='no layer of the video encoder LGIFormerEncoder has a token for every'):
        tiny.build(config)
    encoder = tiny.build(config['encoders']['video'])
    assert (encoder.output_grid, encoder.skip_layers) == ((2, 2, 1), range(0))
    with pytest.raises(ValueError, match='takes no mask'):
        encoder(tiny.inputs()['video'], tiny.masks()['video'])

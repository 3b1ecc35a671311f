"""Weights of other vision transformers do in our encoder what they did at home."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from timm.models.vision_transformer import VisionTransformer as TimmTransformer
from torch import Tensor, nn

from hicmae_mm.checkpoints.encoder_init import convert_encoder
from hicmae_mm.checkpoints.resampling import resize_position_grid
from hicmae_mm.compat import patch_third_party
from hicmae_mm.models.encoders import PromptedViTEncoder, VisionTransformerEncoder
from hicmae_mm.models.layers import sine_positions

WIDTH, DEPTH, HEADS = 32, 3, 4


def video_encoder(**options: object) -> VisionTransformerEncoder:
    embed = dict(type='TubeletEmbed', image_size=32, num_frames=4, patch_size=8, tubelet_size=2)  # grid (2, 4, 4)
    return VisionTransformerEncoder(embed, WIDTH, options.pop('depth', DEPTH), HEADS, **options).eval()  # type: ignore[arg-type]


def audio_encoder(**options: object) -> VisionTransformerEncoder:
    embed = dict(type='SpectrogramEmbed', num_frames=64, num_mel_bins=32, patch_size=8)  # grid (8, 4)
    return VisionTransformerEncoder(embed, WIDTH, DEPTH, HEADS, **options).eval()  # type: ignore[arg-type]


def randomise(model: nn.Module, seed: int = 0) -> nn.Module:
    """No weight, bias or norm keeps a value that would hide an error."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data = 0.1 * noise + (1.0 if parameter.ndim == 1 and parameter.data.mean() > 0.5 else 0.0)
    return model.eval()


def timm_model(**options: object) -> nn.Module:
    """AudioMAE's architecture: timm's vision transformer on a spectrogram (time, mel)."""
    sizes = dict(img_size=(64, 32), patch_size=8, in_chans=1, embed_dim=WIDTH, depth=DEPTH, num_heads=HEADS)
    return randomise(TimmTransformer(**(sizes | dict(num_classes=5) | options)))  # type: ignore[arg-type]


def mmaction_model(**options: object) -> nn.Module:
    patch_third_party()
    from mmaction.models.backbones.vit_mae import VisionTransformer

    sizes = dict(img_size=32, patch_size=8, embed_dims=WIDTH, depth=DEPTH, num_heads=HEADS, num_frames=4)
    return randomise(VisionTransformer(**(sizes | options)))


def videomae_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The names under which VideoMAE published what MMAction2 renamed."""
    swaps = {'patch_embed.projection': 'patch_embed.proj', 'mlp.layers.0.0': 'mlp.fc1', 'mlp.layers.1': 'mlp.fc2'}
    renamed = {}
    for name, value in state.items():
        for old, new in swaps.items():
            name = name.replace(old, new)
        renamed[name] = value
    return renamed


def blocks_output(model: nn.Module, tokens: Tensor) -> Tensor:
    for block in model.blocks:
        tokens = block(tokens)
    return tokens


def close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize('scale', [None, 0.5])
def test_timm_blocks_compute_the_same_with_folded_layer_scale_and_without_the_key_bias(scale: float | None) -> None:
    source, target = timm_model(init_values=scale), audio_encoder()
    converted = convert_encoder(source.state_dict(), target, 'audiomae')
    target.load_state_dict(converted.state)
    assert source.blocks[0].attn.qkv.bias[WIDTH : 2 * WIDTH].abs().max() > 0.05
    tokens = torch.randn(2, 33, WIDTH)  # class token included
    close(blocks_output(target, tokens), blocks_output(source, tokens))
    spectrogram = torch.randn(2, 1, 64, 32)
    close(target.patch_embed(spectrogram), source.patch_embed(spectrogram))
    assert 'not part of an encoder, left out: cls_token, head' in converted.notes
    assert any('positions (32 tokens) are left out' in note for note in converted.notes)


@torch.no_grad()
def test_a_whole_timm_encoder_computes_the_same_where_positions_are_kept() -> None:
    source = timm_model(class_token=False, global_pool='avg', fc_norm=False)
    target = audio_encoder(learned_positions=True)
    converted = convert_encoder(source.state_dict(), target, 'audiomae')
    target.load_state_dict(converted.state)
    spectrogram = torch.randn(2, 1, 64, 32)
    close(target(spectrogram).tokens, source.forward_features(spectrogram))


@torch.no_grad()
@pytest.mark.parametrize('prefix', ['backbone.', ''])
def test_a_whole_mmaction_encoder_computes_the_same(prefix: str) -> None:
    source, target = mmaction_model(use_mean_pooling=False), video_encoder()
    state = {f'{prefix}{name}': value for name, value in source.state_dict().items()}
    if prefix:
        state['cls_head.fc_cls.weight'] = torch.zeros(3, WIDTH)
    converted = convert_encoder(state, target, 'mmaction')
    target.load_state_dict(converted.state)
    clip = torch.randn(2, 3, 4, 32, 32)
    tokens = target(clip).tokens
    close(tokens[:, 0], source(clip))
    source.return_feat_map = True
    close(tokens, source(clip).flatten(2).transpose(1, 2))
    assert converted.notes == []  # the same fixed positions, nothing left out


@torch.no_grad()
def test_videomae_names_of_both_stages() -> None:
    model = mmaction_model(use_mean_pooling=False)
    bare = videomae_names(model.state_dict())
    bare.pop('pos_embed')
    pretrained = {f'encoder.{name}': value for name, value in bare.items()}
    pretrained |= {'decoder.blocks.0.norm1.weight': torch.zeros(9), 'mask_token': torch.zeros(1, 1, 9)}
    finetuned = {name.replace('norm.', 'fc_norm.') if name.startswith('norm.') else name: v for name, v in bare.items()}
    target = video_encoder()
    clip = torch.randn(1, 3, 4, 32, 32)
    model.return_feat_map = True
    expected = model(clip).flatten(2).transpose(1, 2)
    for state, notes in ((pretrained, 1), (finetuned, 2)):
        converted = convert_encoder({f'module.{name}': value for name, value in state.items()}, target, 'videomae')
        assert len(converted.notes) == notes
        target.load_state_dict(converted.state)
        close(target(clip).tokens, expected)
    assert 'fc_norm' in converted.notes[0]
    assert 'stores no positions' in converted.notes[1]


def test_an_encoder_without_biases_gets_zeros() -> None:
    source = timm_model(qkv_bias=False)
    target = audio_encoder()
    target.load_state_dict(convert_encoder(source.state_dict(), target, 'timm').state)
    assert target.blocks[0].attn.q_bias.abs().max() == 0
    tokens = torch.randn(1, 5, WIDTH)
    close(blocks_output(target, tokens), blocks_output(source, tokens))


def test_chosen_layers() -> None:
    source, target = mmaction_model(depth=5), video_encoder()
    with pytest.raises(ValueError, match=r'has 5 layers, the encoder 3.*--layers 0 1 2'):
        convert_encoder(source.state_dict(), target, 'mmaction')
    converted = convert_encoder(source.state_dict(), target, 'mmaction', layers=[0, 2, 4])
    for index, number in enumerate((0, 2, 4)):
        expected = source.state_dict()[f'blocks.{number}.mlp.layers.0.0.weight']
        assert torch.equal(converted.state[f'blocks.{index}.mlp.fc1.weight'], expected)
    with pytest.raises(ValueError, match=r'layers \[0, 1, 7\] are chosen'):
        convert_encoder(source.state_dict(), target, 'mmaction', layers=[0, 1, 7])


def test_a_picture_model_starts_a_video_encoder() -> None:
    """A still clip embeds as its picture does, wherever the frames are equal."""
    source = timm_model(img_size=32, in_chans=3)  # grid 4 x 4, no time
    target = video_encoder(learned_positions=True)
    converted = convert_encoder(source.state_dict(), target, 'timm')
    target.load_state_dict(converted.state)
    picture = torch.randn(1, 3, 32, 32)
    still = picture.unsqueeze(2).expand(-1, -1, 4, -1, -1)
    close(target.patch_embed(still), source.patch_embed(picture).repeat(1, 2, 1))
    close(target.positions, source.pos_embed[:, 1:].repeat(1, 2, 1))
    assert 'positions of a grid (1, 4, 4) adapted to (2, 4, 4)' in converted.notes


def test_other_lengths_need_no_grid_other_shapes_do() -> None:
    longer = timm_model(img_size=(96, 32))  # grid (12, 4) for (8, 4)
    target = audio_encoder(learned_positions=True)
    converted = convert_encoder(longer.state_dict(), target, 'audiomae')
    assert torch.equal(converted.state['positions'], longer.pos_embed[:, 1:33])  # the first eight steps
    square = timm_model(img_size=(40, 40))
    with pytest.raises(ValueError, match=r'has 25 tokens.*--source-grid'):
        convert_encoder(square.state_dict(), target, 'audiomae')
    converted = convert_encoder(square.state_dict(), target, 'audiomae', source_grid=(5, 5))
    assert converted.state['positions'].shape == (1, 32, WIDTH)


def test_a_fixed_table_of_another_grid_is_kept_by_learned_positions() -> None:
    state = videomae_names(mmaction_model().state_dict())
    state.pop('pos_embed')
    target = video_encoder(learned_positions=True)
    assert 'positions' not in convert_encoder(state, target, 'videomae').state
    positions = convert_encoder(state, target, 'videomae', source_grid=(4, 4, 4)).state['positions']
    assert torch.equal(positions, sine_positions(64, WIDTH)[:, :32])


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(kind='nothing'), r"kind='nothing' is unknown"),
        (dict(kind='mmaction', rename='encoder.'), r"no 'backbone.blocks.0.norm1.weight' or 'blocks.0"),
        (dict(width=48), r'the width 48, the encoder 32'),
        (dict(mlp_ratio=2), r'blocks.0.mlp.fc1.weight is \(64, 32\)'),
        (dict(qk_norm=True), r"has \['attn.k_norm.*cannot"),
        (dict(pre_norm=True), r'normalises its embedded patches'),
        (dict(in_chans=2), r'2 input channels'),
    ],
)
def test_what_cannot_be_fitted_is_refused(change: dict, message: str) -> None:
    kind, prefix = change.pop('kind', 'timm'), change.pop('rename', '')
    if 'width' in change:
        change['embed_dim'] = change.pop('width')
    state = {f'{prefix}{name}': value for name, value in timm_model(**change).state_dict().items()}
    with pytest.raises(ValueError, match=message):
        convert_encoder(state, audio_encoder(), kind)


def test_learned_positions_start_fixed_and_are_not_decayed() -> None:
    from mmengine.optim import OptimWrapper

    from hicmae_mm.engine.optimizers import LayerDecayOptimWrapperConstructor
    from hicmae_mm.registry import MODELS

    encoder = video_encoder(learned_positions=True)
    assert torch.equal(encoder.positions, sine_positions(32, WIDTH))
    assert encoder.layer_id('positions') == 0
    model = MODELS.build(
        dict(
            type='AudioVisualRecognizer',
            encoders=dict(video=encoder),
            head=dict(type='ClassificationHead', num_classes=2),
        )
    )
    build = LayerDecayOptimWrapperConstructor(
        dict(optimizer=dict(type='AdamW', lr=1.0, weight_decay=0.05)), dict(layer_decay=0.5)
    )
    wrapper: OptimWrapper = build(model)
    group = next(g for g in wrapper.param_groups if any(p is encoder.positions for p in g['params']))
    assert group['weight_decay'] == 0
    assert group['lr'] == 0.5 ** (DEPTH + 1)


def prompted(patch_embed: dict[str, Any]) -> PromptedViTEncoder:
    """An encoder whose prompts change nothing but the length of the sequence."""
    encoder = PromptedViTEncoder(patch_embed, WIDTH, DEPTH, HEADS, num_prompts=2, prompt_interval=3)
    randomise(encoder)
    return encoder


def one_clip(encoder: PromptedViTEncoder, x: Tensor) -> tuple[Tensor, Tensor]:
    """Class token and patches that the blocks get."""
    tokens = encoder.embed(x)[0]
    return tokens[0], tokens[1 : -encoder.prompts.shape[0]]


@torch.no_grad()
@pytest.mark.parametrize('prefix', ['', 'module.encoder.'])
def test_audiomae_fills_an_encoder_with_prompts_of_another_length(prefix: str) -> None:
    source = timm_model(fc_norm=False)  # 8 x 4 patches and a class token
    state = {f'{prefix}{name}': value for name, value in source.state_dict().items()}
    state |= {f'{prefix}decoder_pos_embed': torch.zeros(1, 33, 8), f'{prefix}mask_token': torch.zeros(1, 1, 8)}
    target = prompted(dict(type='SpectrogramEmbed', num_frames=32, num_mel_bins=32, patch_size=8))
    converted = convert_encoder(state, target, 'audiomae')
    report = target.load_state_dict(converted.state, strict=False)
    assert sorted(report.missing_keys) == ['prompt_updates.0', 'prompts']
    assert converted.notes[0] == 'positions of a grid (8, 4) adapted to (4, 4)'
    table = resize_position_grid(source.pos_embed, (8, 4), (4, 4))
    x = torch.randn(1, 1, 32, 32)
    first, patches = one_clip(target, x)
    close(first, source.cls_token[0, 0] + source.pos_embed[0, 0])
    close(patches, source.patch_embed.proj(x).flatten(2).mT[0] + table[0, 1:])
    assert target.positions[0, -2:].eq(0).all()
    tokens = torch.randn(2, 21, WIDTH)
    close(blocks_output(target, tokens), blocks_output(source, tokens))
    close(target.norm(tokens), source.norm(tokens))


@torch.no_grad()
def test_mae_face_fills_an_encoder_of_frames_of_another_size() -> None:
    source = timm_model(img_size=64, in_chans=3, fc_norm=False)  # 8 x 8 patches
    target = prompted(dict(type='ImageEmbed', image_size=32, patch_size=8))  # 4 x 4, a quarter as many
    converted = convert_encoder(source.state_dict(), target, 'timm')
    close(converted.state['positions'][:, :17], resize_position_grid(source.pos_embed, (8, 8), (4, 4)))
    same = prompted(dict(type='ImageEmbed', image_size=64, patch_size=8))
    same.load_state_dict(convert_encoder(source.state_dict(), same, 'timm').state, strict=False)
    x = torch.randn(1, 3, 64, 64)
    first, patches = one_clip(same, x)
    embedded = source._pos_embed(source.patch_embed(x))[0]
    close(torch.cat([first[None], patches]), embedded)


@torch.no_grad()
def test_videomae_fills_an_encoder_of_frames() -> None:
    source = mmaction_model(use_mean_pooling=False)  # (2, 4, 4) patches, positions by formula, no class token
    state = {name: value for name, value in source.state_dict().items() if name != 'pos_embed'}
    target = prompted(dict(type='ImageEmbed', image_size=32, patch_size=8))
    converted = convert_encoder(videomae_names(state), target, 'videomae')
    assert 'cls_token' not in converted.state
    assert 'the checkpoint has no class token' in ' '.join(converted.notes)
    target.load_state_dict(converted.state, strict=False)
    frame = torch.randn(1, 3, 32, 32)
    still = frame.unsqueeze(2).expand(-1, -1, 2, -1, -1)  # one tubelet without motion
    expected = source.patch_embed(torch.cat([still, still], 2))
    tokens = expected[0] if isinstance(expected, tuple) else expected
    _, patches = one_clip(target, frame)
    close(patches, tokens.flatten(1, -2)[0, :16] + sine_positions(32, WIDTH)[0, :16])
    block = blocks_output(source, tokens[:, :16].contiguous())
    close(blocks_output(target, tokens[:, :16].contiguous()), block)
    learned = videomae_names(state) | dict(pos_embed=torch.randn(1, 2 * 4 * 4, WIDTH))
    found = convert_encoder(learned, target, 'videomae').state['positions']
    assert torch.equal(found[:, 1:17], learned['pos_embed'][:, :16])
    with pytest.raises(ValueError, match=r'position table has 18 tokens.*name 3 numbers with --source-grid'):
        convert_encoder(learned | dict(pos_embed=torch.zeros(1, 18, WIDTH)), target, 'videomae')
    with pytest.raises(ValueError, match=r'--source-grid needs two or three numbers for pictures, got \[16\]'):
        convert_encoder(videomae_names(state), target, 'videomae', source_grid=[16])

"""The backbones of MMAction2: equal to the library, on clips and on frames, clear about wrong files and names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.registry import DefaultScope
from torch import Tensor, nn

from hicmae_mm.models.encoders import MMActionEncoder
from hicmae_mm.structures import Padded

SIZE = (4, 32, 32)
PATH = dict(type='resnet3d', depth=18, pretrained=None, conv1_stride_t=1, pool1_stride_t=1)
TINY: dict[str, dict[str, Any]] = {
    'ResNet3d': dict(type='ResNet3d', depth=18, pretrained='torchvision://resnet18', base_channels=4),
    'ResNet3dSlowFast': dict(
        type='ResNet3dSlowFast',
        pretrained=None,
        resample_rate=4,
        speed_ratio=4,
        channel_ratio=2,
        slow_pathway=dict(
            PATH, lateral=True, conv1_kernel=(1, 7, 7), dilations=(1, 1, 1, 1), inflate=(0, 0, 1, 1), base_channels=4
        ),
        fast_pathway=dict(PATH, lateral=False, conv1_kernel=(5, 7, 7), base_channels=2),
    ),
    'MViT': dict(
        type='MViT',
        arch=dict(embed_dims=8, num_layers=2, num_heads=1, downscale_indices=[1]),
        spatial_size=32,
        temporal_size=4,
    ),
    'VisionTransformer': dict(
        type='VisionTransformer', img_size=32, num_frames=4, embed_dims=16, depth=1, num_heads=2, return_feat_map=True
    ),
    'TimeSformer': dict(
        type='TimeSformer',
        num_frames=4,
        img_size=32,
        patch_size=16,
        embed_dims=16,
        num_heads=2,
        num_transformer_layers=1,
    ),
    'MobileNetV2': dict(type='MobileNetV2', widen_factor=0.1, out_indices=(6, 7)),
    'MobileNetV2TSM': dict(type='MobileNetV2TSM', num_segments=4, widen_factor=0.1),
}


def library(name: str) -> nn.Module:
    from mmaction.registry import MODELS

    with DefaultScope.overwrite_default_scope('mmaction'):
        net = MODELS.build({key: value for key, value in TINY[name].items() if key != 'pretrained'})
    net.eval()
    return net


def weights_of(net: nn.Module, path: Path, prefix: str = '') -> str:
    state = {f'{prefix}{name}': value for name, value in net.state_dict().items()}
    torch.save(dict(meta={}, state_dict=state | ({'cls_head.fc_cls.weight': torch.zeros(2)} if prefix else {})), path)
    return str(path)


def outputs_of(net: nn.Module, name: str, x: Tensor) -> tuple[Tensor, Tensor]:
    """Tokens ``(B, N, D)`` and what the heads of the library pool ``(B, D)``, from the library's own output."""
    output = net(x)
    if name == 'MViT':
        return output[-1][0].flatten(2).mT, output[-1][1]
    if name == 'ResNet3dSlowFast':
        slow, fast = output
        fast = nn.functional.adaptive_avg_pool3d(fast, slow.shape[2:])
        return torch.cat([slow, fast], 1).flatten(2).mT, torch.cat([part.mean((2, 3, 4)) for part in output], 1)
    return (output[:, None], output) if output.ndim == 2 else (output.flatten(2).mT, output.mean((2, 3, 4)))


@pytest.mark.parametrize(
    ('name', 'grid', 'width'),
    [
        ('ResNet3d', (2, 1, 1), 32),
        ('ResNet3dSlowFast', (1, 1, 1), 48),
        ('MViT', (2, 4, 4), 16),
        ('VisionTransformer', (2, 2, 2), 16),
        ('TimeSformer', (1,), 16),
    ],
)
@torch.no_grad()
def test_clips_give_the_librarys_own_output(name: str, grid: tuple[int, ...], width: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = library(name)
    file = weights_of(net, tmp_path / 'weights.pth', prefix='backbone.')
    encoder = MMActionEncoder(TINY[name], weights=file, input_size=SIZE)
    assert encoder.training
    encoder.eval().init_weights()
    x = torch.randn(2, 3, *SIZE)
    output = encoder(x)
    tokens, summary = outputs_of(net, name, x)
    torch.testing.assert_close(output.tokens, tokens)
    torch.testing.assert_close(output.summary[:, 0], summary)
    assert (encoder.embed_dims, encoder.depth, encoder.output_grid) == (width, 1, grid)
    assert encoder.split_steps(output.tokens, x).shape == (2, grid[0], tokens.shape[1] // grid[0], width)
    with pytest.raises(ValueError, match=r'needs input of one size \(B, 3, 4, 32, 32\), got \(2, 3, 5, 32, 32\)'):
        encoder(torch.zeros(2, 3, 5, 32, 32))


@pytest.mark.parametrize('name', ['MobileNetV2', 'MobileNetV2TSM'])
@torch.no_grad()
def test_frames_give_the_librarys_own_output(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = library(name)
    encoder = MMActionEncoder(TINY[name], weights=weights_of(net, tmp_path / 'a.pth'), input_size=SIZE).eval()
    x = torch.randn(2, 3, *SIZE)
    maps = net(x.transpose(1, 2).flatten(0, 1))
    last = maps[-1] if isinstance(maps, tuple) else maps  # two outputs of different widths
    output = encoder(x)
    torch.testing.assert_close(output.tokens, last.flatten(2).mT.reshape(2, -1, 1280))
    torch.testing.assert_close(output.summary, last.mean((2, 3)).reshape(2, 4, 1280))
    assert encoder.split_steps(output.tokens, x).shape == (2, 4, 1, 1280)
    frames = MMActionEncoder(TINY[name], weights=str(tmp_path / 'a.pth'), input_size=SIZE, tokens='frames').eval()
    torch.testing.assert_close(frames(x).tokens, output.summary)
    sequences = Padded(x.transpose(1, 2), torch.tensor([4, 3]))
    if encoder.num_segments is None:
        assert encoder(sequences).padding.sum(1).tolist() == [0, 1]
        assert encoder(x[:, :, :3]).tokens.shape == (2, 3, 1280)
    else:
        with pytest.raises(ValueError, match=r'needs clips of num_segments=4 frames, got sequences of different'):
            encoder(sequences)
        with pytest.raises(ValueError, match=r'needs clips of num_segments=4 frames, got 3 frames'):
            encoder(x[:, :, :3])


@torch.no_grad()
def test_time_steps_as_tokens() -> None:
    encoder = MMActionEncoder(TINY['VisionTransformer'], input_size=SIZE, tokens='frames').eval()
    cells = MMActionEncoder(TINY['VisionTransformer'], input_size=SIZE).eval()
    cells.load_state_dict(encoder.state_dict())
    x = torch.randn(2, 3, *SIZE)
    steps = cells.split_steps(cells(x).tokens, x)
    assert encoder.output_grid == (2,)
    torch.testing.assert_close(encoder(x).tokens, steps.mean(2))


def test_initialisation_and_depths_of_random_weights() -> None:
    encoder = MMActionEncoder(TINY['VisionTransformer'], input_size=SIZE)
    encoder.init_weights()
    assert float(encoder.net.blocks[0].attn.qkv.weight.detach().std()) == pytest.approx(0.02, rel=0.2)
    assert encoder.layer_id('net.blocks.0.attn.qkv.weight') == 1
    assert encoder.layer_id('net.patch_embed.projection.weight') == 0
    assert encoder.layer_id('net.norm.weight') is None


def test_config_of_mmaction_gives_backbone_and_normalisation(tmp_path: Path) -> None:
    path = tmp_path / 'tsm.py'
    backbone = dict(type='ResNet', depth=50, pretrained='torchvision://resnet50')
    normalisation = dict(type='ActionDataPreprocessor', mean=[1, 2, 3], std=[4, 5, 6])
    path.write_text(f'model = {dict(type="Recognizer2D", backbone=backbone, data_preprocessor=normalisation)!r}\n')
    encoder = MMActionEncoder(dict(depth=18), config=str(path), input_size=(2, 32, 32))
    assert (encoder.takes_pictures, encoder.embed_dims) == (True, 512)
    assert (encoder.expected_input.source, encoder.expected_input.mean) == (str(path), (1.0, 2.0, 3.0))
    assert encoder.example_input(2).shape == (2, 3, 2, 32, 32)
    path.write_text('model = dict(type="Other")\n')
    with pytest.raises(ValueError, match='is no config of a recognizer of MMAction2: it has no model.backbone'):
        MMActionEncoder(config=str(path))


def test_wrong_names_and_files_are_refused_by_one_line(tmp_path: Path) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        (dict(backbone=dict(type='ResNet4d')), r"MMAction2 has no backbone 'ResNet4d'; it has AAGCN, C2D, C3D"),
        (dict(backbone=dict(type='C3D', speed=1)), r"C3D of MMAction2 cannot be built: .*'speed'"),
        (dict(backbone=dict(type='STGCN', graph_cfg=dict(layout='coco'))), r'STGCN of MMAction2 does not encode clips'),
        (dict(backbone=TINY['MobileNetV2TSM']), r'mixes num_segments=4 frames, and input_size has 16'),
        (dict(backbone=TINY['VisionTransformer']), r'16 frames of 224 x 224 pixels \(input_size\)'),
    ]
    for options, message in cases:
        with pytest.raises(ValueError, match=message):
            MMActionEncoder(**options)
    with pytest.raises(FileNotFoundError, match=r'the file of weights .* does not exist'):
        MMActionEncoder(TINY['TimeSformer'], weights=str(tmp_path / 'none.pth'), input_size=SIZE)
    with pytest.raises(FileNotFoundError, match=r'the config of MMAction2 .* does not exist'):
        MMActionEncoder(config=str(tmp_path / 'none.py'))
    foreign = weights_of(library('TimeSformer'), tmp_path / 'foreign.pth', prefix='backbone.')
    with pytest.raises(ValueError, match='it belongs to another model'):
        MMActionEncoder(TINY['VisionTransformer'], weights=foreign, input_size=SIZE)


@pytest.mark.slow
def test_every_backbone_of_mmactions_own_configs() -> None:
    """One config of every kind of backbone, at its size, without running it."""
    import mmaction
    from mmaction.models import backbones
    from mmengine.config import Config

    paths: dict[str, Path] = {}
    for path in sorted((Path(mmaction.__file__).parent / '.mim' / 'configs' / 'recognition').glob('*/*.py')):
        backbone = Config.fromfile(path).get('model', {}).get('backbone') or {}
        paths.setdefault(backbone.get('type', ''), path)
    paths.pop('', None)
    refused = {}
    for kind, path in paths.items():
        backbone = Config.fromfile(path).model.backbone
        frames = next((backbone[key] for key in ('num_frames', 't_size', 'num_segments') if key in backbone), 8)
        size = (16, 112, 112) if kind == 'C3D' else (frames, 224, 224)
        try:
            encoder = MMActionEncoder(config=str(path), input_size=size)
        except ValueError as error:
            refused[kind] = str(error)
            continue
        assert encoder.embed_dims >= 256, kind
        assert encoder.expected_input is not None, kind
    skeletons_and_sound = {'AAGCN', 'STGCN', 'RGBPoseConv3D', 'ResNetAudio', 'ResNet3dLayer', 'MobileNetV2'}
    assert set(paths) >= set(backbones.__all__) - skeletons_and_sound
    assert set(refused) == {'ResNetTIN', 'MobileOneTSM'}
    assert 'tin_shift' in refused['ResNetTIN']  # of the full mmcv
    assert "no backbone 'MobileOneTSM'" in refused['MobileOneTSM']  # of mmpretrain, which is not installed

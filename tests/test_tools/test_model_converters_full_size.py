"""Full-size published checkpoints, through files on the disk: converted, loaded by the configs, tested on media.

The weights are those of the parity files' rule, so what the published implementation makes of them is known.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.fileio import load
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from hicmae_mm.checkpoints.loading import load_weights, read_checkpoint
from hicmae_mm.config.paths import configs_root
from hicmae_mm.registry import MODELS
from tests.conftest import MediaFolder
from tests.parity.conftest import parity_folder, read_parity, seeded_inputs, seeded_weights
from tests.test_tools.model_converters import run, same
from tests.test_tools.modules import load_tool

pytestmark = pytest.mark.slow
PRETRAIN = configs_root() / 'hicmae_base_pretrain_voxceleb2.py'
FINETUNE = configs_root() / 'hicmae_base_cremad.py'
TOLERANCE = 2e-4


def convert(kind: str, config: Path, out: Path) -> Path:
    """Writes a published checkpoint beside ``out``, and converts it."""
    meta, _ = read_parity(parity_folder() / f'{kind}_base_seeded.safetensors')
    source = out.with_name(f'{kind}.pth')
    torch.save({'model': seeded_weights(meta), 'epoch': 99, 'args': argparse.Namespace(lr=3e-4)}, source)
    assert run('hicmae_to_mm', source, out, '--config', config) == 0
    return out


def build(config: Path, checkpoint: Path) -> nn.Module:
    cfg = Config.fromfile(config).model
    cfg.pop('data_preprocessor')
    model = MODELS.build(cfg).eval()
    load_weights(model, read_checkpoint(checkpoint)['state_dict'], checkpoint.name, require_all=True)
    return model


def close(actual: Tensor, expected: Tensor) -> None:
    scale = max(1.0, float(expected.abs().max()))
    torch.testing.assert_close(actual.float(), expected.float(), rtol=TOLERANCE, atol=TOLERANCE * scale)


@pytest.fixture(scope='module')
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for gigabytes, which pytest would keep."""
    folder = tmp_path_factory.mktemp('scratch')
    yield folder
    shutil.rmtree(folder)


@torch.no_grad()
def test_pretraining(scratch: Path) -> None:
    out = convert('pretrain', PRETRAIN, scratch / 'converted.pth')
    assert run('mm_to_hicmae', out, scratch / 'returned.pth') == 0
    returned, source = (read_checkpoint(scratch / name)['state_dict'] for name in ('returned.pth', 'pretrain.pth'))
    assert same(returned, source)
    meta, expected = read_parity(parity_folder() / 'pretrain_base_seeded.safetensors')
    masks = {name: expected[f'mask_{name}'].bool() for name in ('video', 'audio')}
    predictions = build(PRETRAIN, out)(seeded_inputs(meta, 16, 160, [256, 128]), masks=masks)
    for name, prediction in predictions.items():
        head = expected[f'pred_{name}_head']
        close(prediction[:, : head.shape[1], : head.shape[2]], head)


@pytest.fixture(scope='module')
def checkpoint(scratch: Path) -> Path:
    return convert('finetune', FINETUNE, scratch / 'converted.safetensors')


@pytest.fixture(scope='module')
def recognizer(checkpoint: Path) -> nn.Module:
    return build(FINETUNE, checkpoint)


@torch.no_grad()
def test_finetuning(recognizer: nn.Module) -> None:
    meta, expected = read_parity(parity_folder() / 'finetune_base_seeded.safetensors')
    features = recognizer.extract_features(seeded_inputs(meta, 16, 160, [256, 128]))
    close(recognizer.head.norm(features), expected['feature'])
    close(recognizer.head(features), expected['output'])


def write_cremad(root: Path) -> list[str]:
    """Two clips as CREMA-D has them after face extraction, one of them too short for 16 frames at stride 4."""
    media = MediaFolder(root)
    names = ['1001_DFA_ANG_XX', '1002_IEO_SAD_HI']
    noise = np.random.default_rng(0)
    for name, num_frames, hz in zip(names, (80, 40), (200, 900)):
        media.frame_folder(f'face_aligned/{name}', num_frames, height=256, width=256)
        sound = media.tone(num_frames / 25, hz) + noise.normal(0, 0.05, num_frames * 640).astype(np.float32)
        media.wav(f'AudioWAV/{name}.wav', sound)
    (root / 'fold1').mkdir()
    lines = [f'face_aligned/{name} AudioWAV/{name}.wav {label}' for name, label in zip(names, (0, 5))]
    (root / 'fold1' / 'test.csv').write_text('\n'.join(lines) + '\n')
    return names


@torch.no_grad()
def scores_by_hand(recognizer: nn.Module, root: Path, name: str, num_views: int) -> Tensor:
    """Scores of one clip without data set, loader, preprocessor and head: softmax, averaged over the views."""
    cfg = Config.fromfile(FINETUNE)
    init_default_scope('hicmae_mm')
    pipeline = Compose(cfg.test_dataloader.dataset.pipeline)
    files = {'video_path': str(root / 'face_aligned' / name), 'audio_path': str(root / 'AudioWAV' / f'{name}.wav')}
    clip = pipeline({**files, 'streams': ('video', 'audio')})
    frames, sound = clip['inputs']['video'], clip['inputs']['audio']
    assert frames.shape == (num_views, 16, 160, 160, 3)
    assert sound.shape == (num_views, 1, 256, 128)
    mean, std = (torch.tensor(values) for values in ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)))
    video = ((frames.float() - mean) / std).permute(0, 4, 1, 2, 3)
    return recognizer({'video': video, 'audio': sound}).softmax(dim=-1).mean(dim=0)


def test_testing_real_media(
    recognizer: nn.Module, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = write_cremad(tmp_path)
    monkeypatch.setenv('CREMAD_ROOT', str(tmp_path))
    monkeypatch.setenv('FOLD', '1')
    out, options = tmp_path / 'predictions.pkl', ('test_dataloader.num_workers=0', 'test_dataloader.batch_size=2')
    arguments = (FINETUNE, checkpoint, '--work-dir', tmp_path / 'work', '--out', out, '--cfg-options', *options)
    assert load_tool('test.py').main([str(argument) for argument in arguments]) == 0
    views = (2, 1)  # spatial views of square frames are one, and so are all views of the short clip
    expected = torch.stack([scores_by_hand(recognizer, tmp_path, *clip) for clip in zip(names, views)])
    found = load(out)
    assert [sample['gt_label'].item() for sample in found] == [0, 5]
    scores = torch.stack([torch.as_tensor(sample['pred_score']) for sample in found])
    torch.testing.assert_close(scores, expected, rtol=TOLERANCE, atol=1e-5)
    assert (expected[0] - expected[1]).abs().max() > 1e-3  # the clips do differ

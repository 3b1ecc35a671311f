"""Published checkpoints become this package's and return; other encoders are fitted."""

from __future__ import annotations

import argparse
import filecmp
import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config

from hicmae_mm.checkpoints.loading import load_weights, read_checkpoint
from hicmae_mm.checkpoints.published_keys import map_published_keys
from hicmae_mm.config.overrides import load_config
from hicmae_mm.registry import MODELS
from tests.parity.conftest import parity_folder, read_parity
from tests.test_tools.model_converters import FOLDER, published, run, same

CONFIG = """
encoder = dict(type='VisionTransformerEncoder', embed_dims=32, depth=3, num_heads=2)
video = dict(type='TubeletEmbed', image_size=32, num_frames=16)
audio = dict(type='SpectrogramEmbed', num_frames=64, num_mel_bins=32)
model = dict(
    type='AudioVisualRecognizer',
    encoders=dict(video=dict(encoder, patch_embed=video), audio=dict(encoder, patch_embed=audio)),
    fusion=dict(type='CrossModalFusion', depth=2, num_heads=2),
    head=dict(type='ClassificationHead', num_classes={classes}),
)
test_dataloader = dict(dataset=dict(type='AudioVisualDataset', metainfo=dict(classes=('low', 'middle', 'high'))))
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A checkpoint as the published trainer wrote it."""
    weights = published('finetune_tiny_cls')
    average = {name: value / 2 for name, value in weights.items()}
    content = {
        'model': weights,
        'model_ema': average,
        'optimizer': {'state': {0: {'exp_avg': torch.zeros(2), 'step': 5}}, 'param_groups': [{'lr': 1e-3}]},
        'epoch': 49,
        'scaler': {'scale': 65536.0},
        'args': argparse.Namespace(lr=1e-3, device=torch.device('cuda'), output_dir=Path('out'), betas=(0.9, 0.999)),
    }
    torch.save(content, tmp_path / 'published.pth')
    return tmp_path / 'published.pth'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    classes = read_parity(parity_folder() / 'finetune_tiny_cls.safetensors')[0]['num_classes']
    (tmp_path / 'small.py').write_text(CONFIG.replace('{classes}', str(classes)))
    return tmp_path / 'small.py'


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_a_published_checkpoint_converts_with_its_facts(
    suffix: str, source: Path, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / 'new' / f'converted{suffix}'
    assert run('hicmae_to_mm', source, out, '--config', config) == 0
    assert '188 entries' in capsys.readouterr().out
    converted = read_checkpoint(out)
    assert same(converted['state_dict'], map_published_keys(published('finetune_tiny_cls')))
    meta = converted['meta']
    assert meta['source_sha256'] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert (meta['source'], meta['epoch'], meta['config_name']) == ('published.pth', 49, 'small')
    assert meta['classes'] == ['low', 'middle', 'high']
    assert Config.fromstring(meta['config'], '.py').model.head.type == 'ClassificationHead'
    assert run('hicmae_to_mm', source, out, '--weights', 'model_ema') == 0
    halved = {name: value / 2 for name, value in converted['state_dict'].items()}
    assert same(read_checkpoint(out)['state_dict'], halved)


@pytest.mark.parametrize('name', ['finetune_tiny_cls', 'finetune_tiny_reg', 'pretrain_tiny'])
def test_names_return_through_files(name: str, tmp_path: Path) -> None:
    weights = published(name)
    torch.save({'model': weights}, tmp_path / 'a.pth', _use_new_zipfile_serialization=False)
    for suffix in ('.pth', '.safetensors'):
        ours, theirs = tmp_path / f'ours{suffix}', tmp_path / 'theirs.pth'
        assert run('hicmae_to_mm', tmp_path / 'a.pth', ours) == 0
        assert run('mm_to_hicmae', ours, theirs) == 0
        assert same(torch.load(theirs, weights_only=True)['model'], weights)
        assert run('hicmae_to_mm', theirs, tmp_path / f'again{suffix}') == 0
        assert same(read_checkpoint(tmp_path / f'again{suffix}')['state_dict'], read_checkpoint(ours)['state_dict'])


class Attack:
    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f'touch {self.witness}',)


def test_code_in_a_file_runs_only_where_it_is_trusted(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil, out, witness = tmp_path / 'evil.pth', tmp_path / 'out.pth', tmp_path / 'witness'
    torch.save({'model': published('finetune_tiny_cls'), 'args': Attack(witness)}, evil)
    assert run('hicmae_to_mm', evil, out) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: '")
    assert error.count('\n') == 1
    assert 'asks for posix.system' in error
    assert '--trust-source' in error
    assert not witness.exists()
    assert not out.exists()
    assert run('hicmae_to_mm', evil, out, '--trust-source') == 0
    assert witness.exists()
    assert same(read_checkpoint(out)['state_dict'], map_published_keys(published('finetune_tiny_cls')))


def test_what_does_not_fit_is_refused_in_one_line(
    source: Path, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / 'out.pth'
    torch.save({'model': {'layer4.0.conv1.weight': torch.zeros(1)}}, tmp_path / 'foreign.pth')
    torch.save({'model': {'head.bias': torch.zeros(5)}}, tmp_path / 'part.pth')
    ruined = {'head.bias': torch.full((5,), torch.nan)}
    torch.save({'model': {'head.bias': torch.zeros(5)}, 'model_ema': ruined}, tmp_path / 'ruined.pth')
    torch.save({'state_dict': {'head.heads.valence.fc.bias': torch.zeros(5)}}, tmp_path / 'own.pth')
    for arguments, message in (
        (('hicmae_to_mm', tmp_path / 'foreign.pth', out), 'not a published HiCMAE checkpoint'),
        (('hicmae_to_mm', tmp_path / 'part.pth', out, '--config', config), 'the checkpoint does not fit the model'),
        (('hicmae_to_mm', tmp_path / 'part.pth', out, '--weights', 'model_ema'), "has no 'model_ema', only ['model']"),
        (('hicmae_to_mm', tmp_path / 'ruined.pth', out, '--weights', 'model_ema'), 'head.bias'),
        (('hicmae_to_mm', source, out, '--config', 'absent.py'), 'config file absent.py does not exist'),
        (('hicmae_to_mm', tmp_path / 'nothing.pth', out), "nothing.pth' does not exist"),
        (('hicmae_to_mm', source, tmp_path / 'out.onnx'), 'must end in .pth or .safetensors'),
        (('mm_to_hicmae', tmp_path / 'own.pth', out), 'not a model of the published HiCMAE implementation'),
        (('mm_to_hicmae', tmp_path / 'own.pth', out.with_suffix('.safetensors')), 'end the name in .pth'),
        (('publish_model', tmp_path / 'nothing.pth', out), "nothing.pth' does not exist"),
    ):
        assert run(*arguments) == 1  # type: ignore[arg-type]
        error = capsys.readouterr().err
        assert error.startswith('error: ')
        assert error.count('\n') == 1
        assert message in error
        assert not list(tmp_path.glob('out*'))


def test_a_pretrained_checkpoint_starts_a_recognizer(config: Path, tmp_path: Path) -> None:
    torch.save({'model': published('pretrain_tiny'), 'epoch': 99}, tmp_path / 'pretrained.pth')
    assert run('hicmae_to_mm', tmp_path / 'pretrained.pth', tmp_path / 'start.safetensors') == 0
    depth = read_parity(parity_folder() / 'pretrain_tiny.safetensors')[0]['depth']
    options = {f'model.encoders.{stream}.depth': depth for stream in ('video', 'audio')}
    model = MODELS.build(load_config(config, options).model)
    report = load_weights(model, read_checkpoint(tmp_path / 'start.safetensors')['state_dict'], 'start')
    assert {name.split('.')[0] for name in report.missing} == {'aggregator', 'head'}
    assert {name.split('.')[0] for name in report.unexpected} == {'decoders'}
    assert not report.mismatched


def test_both_encoders_start_from_other_projects(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = published('finetune_tiny_cls')
    videomae = {name: value for name, value in weights.items() if name.startswith('encoder.')}
    audio = {
        name.removeprefix('encoder_audio.'): value
        for name, value in weights.items()
        if name.startswith('encoder_audio.')
    }
    for layer in range(3):
        query, value = (audio.pop(f'blocks.{layer}.attn.{part}_bias') for part in 'qv')
        audio[f'blocks.{layer}.attn.qkv.bias'] = torch.cat([query, torch.ones(32), value])
    audio |= {'cls_token': torch.zeros(1, 1, 32), 'pos_embed': torch.ones(1, 9, 32)}
    torch.save({'model': videomae}, tmp_path / 'videomae.pth')
    torch.save({'model': audio}, tmp_path / 'audiomae.pth')
    first, both = tmp_path / 'first.pth', tmp_path / 'both.safetensors'
    common = ('--config', config)
    assert (
        run('encoder_to_mm', tmp_path / 'videomae.pth', first, '--kind', 'videomae', '--stream', 'video', *common) == 0
    )
    arguments = ('--kind', 'audiomae', '--stream', 'audio', '--add-to', first, *common)
    assert run('encoder_to_mm', tmp_path / 'audiomae.pth', both, *arguments) == 0
    assert "positions (8 tokens) are left out, the encoder's are fixed" in capsys.readouterr().out
    checkpoint = read_checkpoint(both)
    assert checkpoint['meta']['sources'].keys() == {'video', 'audio'}
    ours = map_published_keys(weights)
    assert same(checkpoint['state_dict'], {name: ours[name] for name in ours if name.startswith('encoders.')})
    options = ('--cfg-options', 'model.encoders.audio.learned_positions=True')
    assert run('encoder_to_mm', tmp_path / 'audiomae.pth', both, *arguments, *options) == 0
    assert read_checkpoint(both)['state_dict']['encoders.audio.positions'].eq(1).all()

    # the same by MMEngine's own means, for one encoder of a config
    cfg = load_config(config)
    init_cfg = dict(type='Pretrained', checkpoint=str(first), prefix='encoders.video.')
    cfg.model.encoders.video.init_cfg = init_cfg
    model = MODELS.build(cfg.model)
    model.init_weights()
    assert all(
        torch.equal(value, ours[f'encoders.video.{k}']) for k, value in model.encoders.video.state_dict().items()
    )

    capsys.readouterr()
    for wrong, message in (
        (('--kind', 'audiomae', '--stream', 'text', *common), "has no encoder 'text', only ['video', 'audio']"),
        (('--kind', 'mmaction', '--stream', 'audio', *common, '--layers', 0), 'choose 3 of the 3 layers'),
    ):
        assert run('encoder_to_mm', tmp_path / 'audiomae.pth', tmp_path / 'out.pth', *wrong) == 1
        assert message in capsys.readouterr().err
        assert not (tmp_path / 'out.pth').exists()


def test_encoders_with_prompts_start_from_other_projects(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = FOLDER.parents[1] / 'configs' / 'mma_dfer' / 'mma_dfer_nano_synthetic.py'
    cfg = load_config(config)
    encoder = MODELS.build(cfg.model).encoders['audio']
    rows, columns = encoder.patch_embed.grid
    kept = ('cls_token', 'patch_embed.', 'blocks.', 'norm.')
    state = {name: value + 1.0 for name, value in encoder.state_dict().items() if name.startswith(kept)}
    table = torch.randn(1, 1 + 2 * rows * columns, encoder.embed_dims)  # twice as long
    torch.save({'model': state | {'pos_embed': table}}, tmp_path / 'audiomae.pth')
    arguments = ('--kind', 'audiomae', '--stream', 'audio', '--config', config)
    assert run('encoder_to_mm', tmp_path / 'audiomae.pth', tmp_path / 'start.pth', *arguments) == 0
    assert f'positions of a grid {(2 * rows, columns)} adapted to {(rows, columns)}' in capsys.readouterr().out
    model = MODELS.build(cfg.model)
    load_weights(model, read_checkpoint(tmp_path / 'start.pth')['state_dict'], 'start.pth')
    found = model.encoders['audio'].state_dict()
    assert same({name: found[name] for name in state}, state)
    assert torch.equal(found['positions'][:, :1], table[:, :1])


@pytest.mark.slow
def test_a_converter_that_is_killed_leaves_no_half_file(tmp_path: Path) -> None:
    source, out = tmp_path / 'large.pth', tmp_path / 'out.safetensors'
    torch.save({'model': {'encoder.norm.weight': torch.arange(40_000_000.0)}}, source)
    command = [sys.executable, str(FOLDER / 'hicmae_to_mm.py'), str(source), str(out)]
    process = subprocess.Popen(command)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob('*.partial')) and time.monotonic() < deadline:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    (partial,) = tmp_path.glob('out.safetensors.*.partial')
    assert not out.exists()
    assert run('hicmae_to_mm', source, tmp_path / 'undisturbed.safetensors') == 0
    assert run('hicmae_to_mm', source, out) == 0
    assert filecmp.cmp(out, tmp_path / 'undisturbed.safetensors', shallow=False)
    assert not partial.exists()
    for path in tmp_path.iterdir():
        path.unlink()  # pytest would keep half a gigabyte

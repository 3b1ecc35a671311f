"""Files of the published implementation's trainer are taken as they are, wherever weights are named."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from hicmae_mm.apis import load_encoder
from hicmae_mm.checkpoints.files import write_checkpoint
from hicmae_mm.checkpoints.published_keys import published_keys
from hicmae_mm.registry import MODELS
from tests.conftest import MediaFolder
from tests.forking import programs
from tests.test_demo.demos import DEMO
from tests.test_tools.command import last_line, run_tool
from tests.test_tools.in_process import call

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def files(config_file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same weights as this package writes them, and as the published trainer does."""
    folder = tmp_path_factory.mktemp('published')
    cfg = Config.fromfile(config_file)
    init_default_scope('hicmae_mm')
    torch.manual_seed(3)
    state = MODELS.build(cfg.model).state_dict()
    write_checkpoint(folder / 'ours.pth', state, {})
    content = {
        'model': published_keys(state),
        'optimizer': {'state': {0: {'exp_avg': torch.zeros(2), 'step': 5}}, 'param_groups': [{'lr': 1e-3}]},
        'epoch': 49,
        'scaler': torch.amp.GradScaler('cpu').state_dict(),
        'args': argparse.Namespace(lr=1e-3, device=torch.device('cuda'), output_dir=Path('out'), betas=(0.9, 0.999)),
    }
    torch.save(content, folder / 'theirs.pth')
    return folder / 'ours.pth', folder / 'theirs.pth'


def test_the_test_tool_scores_them_alike(config_file: Path, files: tuple[Path, Path], tmp_path: Path) -> None:
    scores = []
    for path in files:
        out = tmp_path / f'{path.stem}.json'
        run_tool('test.py', config_file, path, '--work-dir', tmp_path / path.stem, '--out', out)
        metrics = json.loads(out.read_text())
        scores.append({name: metrics[name] for name in ('UAR', 'WAR', 'macro_f1')})
    assert scores[0] == scores[1]


@pytest.mark.parametrize(
    ('option', 'message'),
    [
        ('model.head.num_classes=3', 'which has other classes or values (2, the config 3): name another config'),
        ('model.encoders.audio.embed_dims=32', 'which has another size'),
    ],
)
def test_another_config_is_refused(
    option: str, message: str, config_file: Path, files: tuple[Path, Path], tmp_path: Path
) -> None:
    options = [option]
    if 'embed_dims' in option:
        options += ['model.encoders.video.embed_dims=32']
    result = run_tool('test.py', config_file, files[1], '--work-dir', tmp_path, '--cfg-options', *options, check=False)
    assert result.returncode == 1
    assert message in last_line(result)
    assert 'theirs.pth' in last_line(result)


def test_the_demo_draws_a_timeline(
    config_file: Path, files: tuple[Path, Path], media: MediaFolder, tmp_path: Path
) -> None:
    clip, results = media.video('talk.mp4', num_frames=60, height=32, width=32), []
    for path in files:
        out = tmp_path / path.stem
        command = [str(DEMO / 'emotion_demo.py'), str(clip), '--model', str(config_file), '--weights', str(path)]
        options = ['--out', str(out), '--face-cropper', 'none', '--no-overlay']
        result = programs.run([*command, *options], tmp_path, os.environ, seconds=300)
        assert result.returncode == 0, result.stderr
        results.append(json.loads((out / 'talk.json').read_text()))
        assert (out / 'talk.png').stat().st_size > 1000
    assert results[0]['scores'] == results[1]['scores']


# kfold.py, pseudo_label.py, robustness.py, reproduce.py and dist_*.sh give the file to train.py and test.py
EVERY = {
    'train': (
        'train.py',
        '{config} --work-dir o --cfg-options train_cfg.max_epochs=1 param_scheduler.0.warmup=0 load_from={weights}',
    ),
    'extract_features': ('extract_features.py', '{config} {weights} --out o --num-workers 0'),
    'cache_encoders': (
        'cache_encoders.py',
        '{config} {weights} --out o --num-workers 0 --no-augmentation --cfg-options model.frozen=[encoders]',
    ),
    'export': ('export.py', '{config} {weights} --out o --format torch-export'),
    'confusion_matrix': ('analysis_tools/confusion_matrix.py', '{config} {weights} --show-path o.png'),
    'vis_attention': ('visualization/vis_attention.py', '{config} {weights} --out o'),
    'vis_layers': ('visualization/vis_layers.py', '{config} {weights} --out o.png'),
    'vis_tsne': ('visualization/vis_tsne.py', '{config} {weights} --out o.png'),
    'publish_model': ('model_converters/publish_model.py', '{weights} o.safetensors --config {config}'),
    'mm_to_hicmae': ('model_converters/mm_to_hicmae.py', '{weights} o.pth'),
    'hicmae_to_mm': ('model_converters/hicmae_to_mm.py', '{weights} o.pth --config {config}'),
}


@pytest.mark.parametrize(('tool', 'arguments'), EVERY.values(), ids=EVERY)
@pytest.mark.usefixtures('elsewhere')
def test_every_tool_takes_them(tool: str, arguments: str, config_file: Path, files: tuple[Path, Path]) -> None:
    call(tool, *arguments.format(config=config_file, weights=files[1]).split())
    assert [path for path in Path().rglob('*') if path.name.startswith('o')]


def test_encoders_alone_are_taken(config_file: Path, files: tuple[Path, Path]) -> None:
    sound = np.random.default_rng(0).standard_normal(16000).astype(np.float32) / 9
    ours, theirs = (load_encoder(config_file, path, stream='audio', device='cpu')(sound, 16000) for path in files)
    assert torch.equal(ours.utterance, theirs.utterance)

"""RAVDESS as most people have it, the sound alone: lists, check and training, as a user does it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from hicmae_mm.config.paths import configs_root
from hicmae_mm.datasets.writers import write_wav
from hicmae_mm.engine import build_runner
from tests.test_tools.command import run_tool
from tests.test_tools.converters import read_lists
from tests.tiny_config import make_tiny


@pytest.mark.slow
def test_sound_alone_from_the_download_to_a_score(tmp_path: Path) -> None:
    root, lists = tmp_path / 'RAVDESS', tmp_path / 'lists'
    for actor in (1, 5, 9, 13, 17, 21):
        folder = root / 'Audio_Speech_Actors_01-24' / f'Actor_{actor:02d}'
        for emotion in (1, 3, 8):
            tone = 0.3 * np.sin(2 * np.pi * 100 * emotion * np.arange(4800) / 16000)
            write_wav(folder / f'03-01-{emotion:02d}-01-01-01-{actor:02d}.wav', tone)
    options = (root, '--out-dir', lists, '--streams', 'audio')
    missing = run_tool('dataset_converters/ravdess.py', *options, check=False)
    assert missing.returncode == 1
    assert '1422 of 1440 media are missing' in missing.stderr
    printed = run_tool('dataset_converters/ravdess.py', *options, '--allow-missing').stdout
    assert 'fold1: train/test 15/3, published: 1200/240; 5/1 speakers, none in both' in printed
    assert all(row[0] == '-' for row in read_lists(lists)['fold1']['train'])

    train, test = lists / 'fold1' / 'train.csv', lists / 'fold1' / 'test.csv'
    checked = run_tool('misc/verify_dataset.py', train, '--data-root', lists, '--against', test, '--num-workers', 0)
    assert 'clips 15, clean 15' in checked.stdout
    assert 'corpus RAVDESS, published split: speaker-independent' in checked.stdout
    assert f'speakers against {test}: 5/1 speakers, none in both' in checked.stdout

    cfg = Config.fromfile(configs_root() / 'hicmae_nano_audio_synthetic.py')
    make_tiny(cfg, tmp_path / 'run')
    for name in ('train', 'val', 'test'):
        dataset = cfg[f'{name}_dataloader'].dataset
        dataset.update(
            type='RAVDESS', data_root=str(lists), ann_file=f'fold1/{"train" if name == "train" else "test"}.csv'
        )
        del dataset['metainfo']
    cfg.model.head.num_classes = 8
    cfg.model.head.loss.class_weight = [2.0] + [1.0] * 7  # neutral has half as many clips as the others
    cfg.train_dataloader.sampler = dict(type='ClassBalancedSampler')
    runner = build_runner(cfg)
    runner.train()
    assert 0 <= runner.test()['WAR'] <= 1

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hicmae_mm.datasets.synthetic.noise import write_noise_clips
from hicmae_mm.datasets.writers import write_video
from tests.conftest import MediaFolder
from tests.engine.tiny_run import finetune_config, write_corpus
from tests.test_tools.in_process import write_config


@pytest.fixture(scope='session')
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp('corpus'))


@pytest.fixture(scope='session')
def config_file(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fine-tuning with a learning rate that separates the classes within two epochs."""
    path = tmp_path_factory.mktemp('config') / 'tiny.py'
    cfg = finetune_config(corpus, Path())
    cfg.pop('work_dir')
    cfg.optim_wrapper.optimizer.lr = 0.3
    cfg.model.data_preprocessor.pop('batch_augment')
    cfg.default_hooks.logger.interval = 2
    cfg.visualizer.vis_backends.append(dict(type='TensorboardVisBackend'))
    cfg.dump(path)
    return path


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes an empty folder the current one."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope='session')
def nano_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('tools')
    annotation = write_noise_clips(folder, as_video=False, num_clips=4, seconds=3)
    lines = [line.rsplit(' ', 1)[0] for line in annotation.read_text().splitlines()]
    annotation.write_text(''.join(f'{line} {label}\n' for line, label in zip(lines, (0, 1, 5, 5))))
    return folder


@pytest.fixture(scope='session')
def recognizer(nano_folder: Path) -> tuple[Path, Path]:
    return write_config(nano_folder, 'hicmae_nano_synthetic')


@pytest.fixture(scope='session')
def pretrainer(nano_folder: Path) -> tuple[Path, Path]:
    write_noise_clips(nano_folder / 'videos', as_video=True, num_clips=4, seconds=3)
    return write_config(nano_folder, 'hicmae_nano_pretrain_synthetic')


@pytest.fixture
def raw(media: MediaFolder) -> Path:
    """Videos in two folders: two good ones, one without sound, one silent, one cut short."""
    (media.root / 'raw' / 'actor 1').mkdir(parents=True)
    media.video('raw/actor 1/happy.mp4', num_frames=10)
    media.video('raw/mute.mp4', num_frames=10, has_sound=False)
    media.video('raw/sad.avi', num_frames=10)
    write_video(media.root / 'raw' / 'silent.mp4', media.frames(10), 25, np.zeros(6400))
    media.truncated(media.root / 'raw' / 'actor 1' / 'happy.mp4')
    return media.root / 'raw'

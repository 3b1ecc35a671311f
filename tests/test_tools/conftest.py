from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.tiny_run import finetune_config, write_corpus


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

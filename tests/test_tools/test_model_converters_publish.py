"""Trained checkpoints are shared with their facts, and start a training but do not resume one."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config

from hicmae_mm.checkpoints.loading import read_checkpoint, read_checkpoint_meta
from hicmae_mm.engine import build_runner, set_resume
from tests.engine.tiny_run import finetune_config, train
from tests.test_tools.model_converters import run, same

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def trained(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A training with a moving average, one epoch."""
    cfg = finetune_config(corpus, tmp_path_factory.mktemp('publish'), train_cfg=dict(max_epochs=1))
    cfg.param_scheduler[0].warmup = 0
    train(cfg)
    return cfg


def test_a_published_training_scores_what_it_says(trained: Config, tmp_path: Path) -> None:
    checkpoint = Path(trained.work_dir) / 'epoch_1.pth'
    metafile = tmp_path / 'metafile.yml'
    name = re.sub(r'_\d{8}_\d{6}$', '', read_checkpoint_meta(checkpoint)['experiment_name'])
    metafile.write_text(f'# a comment\nModels:\n- Name: {name}\n  Metadata: {{}}\n  Results: [{{Task: x}}]\n')
    arguments = ('--record', metafile, '--url', 'https://example.org/models/')
    for suffix in ('.pth', '.safetensors'):
        assert run('publish_model', checkpoint, tmp_path / f'model{suffix}', *arguments) == 0
        (out,) = tmp_path.glob(f'model-*{suffix}')
        digest = hashlib.sha256(out.read_bytes()).hexdigest()
        assert out.stem == f'model-{digest[:8]}'
        published, source = read_checkpoint(out), read_checkpoint(checkpoint)
        assert published.keys() == {'state_dict', 'meta'}
        assert same(published['state_dict'], source['state_dict'])  # the average
        meta = published['meta']
        assert (meta['is_average'], meta['classes'], meta['config_name']) == (True, ['high', 'low'], name)
        assert meta['source_sha256'] == hashlib.sha256(checkpoint.read_bytes()).hexdigest()

        cfg = Config(trained.to_dict() | dict(load_from=str(out), experiment_name=f'published{suffix}'))
        metrics = build_runner(cfg).test()
        for key in ('UAR', 'WAR', 'macro_f1'):
            assert metrics[key] == pytest.approx(meta['metrics'][key])
        (entry,) = yaml.safe_load(metafile.read_text())['Models']
        assert entry['Weights'] == f'https://example.org/models/{out.name}'
        assert entry['Metadata']['Weights SHA256'] == digest
        assert entry['Results'][0]['Metrics'] == meta['metrics']
    assert metafile.read_text().startswith('# a comment\n')

    other = tmp_path / 'metrics.json'
    other.write_text(json.dumps({'UAR': 0.75, 'data_time': 3.0, 'confusion': [[1]]}))
    assert run('publish_model', out, tmp_path / 'twice.pth', '--metrics', other) == 0
    (again,) = tmp_path.glob('twice-*.pth')
    meta = read_checkpoint(again)['meta']
    assert meta['metrics'] == {'UAR': 0.75}
    assert meta['converted_from']['source'] == 'epoch_1.pth'
    assert meta['config_name'] == name


def test_training_starts_but_does_not_resume_from_weights(trained: Config, tmp_path: Path) -> None:
    weights = {}
    for suffix in ('.pth', '.safetensors'):
        run('publish_model', Path(trained.work_dir) / 'epoch_1.pth', tmp_path / f'model{suffix}')
        (weights[suffix],) = tmp_path.glob(f'model-*{suffix}')
    base = trained.to_dict() | dict(work_dir=str(tmp_path / 'work'), custom_hooks=[])
    refusal = r'holds weights but no training state \(optimizer, message_hub missing\)'
    with pytest.raises(ValueError, match=refusal):
        set_resume(Config(base), str(weights['.safetensors']))
    cfg = Config(base | dict(experiment_name='resumed'))
    set_resume(cfg, str(weights['.pth']))
    with pytest.raises(ValueError, match=refusal):
        build_runner(cfg).train()
    expected = read_checkpoint(Path(trained.work_dir) / 'epoch_1.pth')['state_dict']
    for suffix, path in weights.items():
        runner = build_runner(Config(base | dict(load_from=str(path), experiment_name=f'started{suffix}')))
        runner.load_or_resume()
        assert same(dict(runner.model.state_dict()), dict(expected))

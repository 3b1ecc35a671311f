"""The options of `analysis_tools/benchmark.py` that compare variants and count workers and bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from mmengine.registry import DefaultScope

from hicmae_mm.config.paths import configs_root
from tests.test_tools.modules import load_tool

PRETRAIN = str(configs_root() / 'hicmae_nano_pretrain_synthetic.py')
FINETUNE = str(configs_root() / 'hicmae_nano_synthetic.py')


def call(*arguments: str) -> None:
    with DefaultScope.overwrite_default_scope('hicmae_mm'):
        load_tool('analysis_tools/benchmark.py').main(arguments)


@pytest.mark.slow
@pytest.mark.parametrize('mode', ['train', pytest.param('infer', marks=pytest.mark.slow)])
def test_published_style_in_this_process(tmp_path: Path, mode: str) -> None:
    file, config = tmp_path / 'speed.json', PRETRAIN if mode == 'train' else FINETUNE
    few = ('--batch-size', '2', '--iters', '2', '--warmup', '0', '--amp', '--device', 'cpu', '--json', str(file))
    call(mode, config, *few, '--variant', 'baseline')
    report = json.loads(file.read_text())
    assert report['variant'] == 'baseline'
    assert report['dtype'] == 'float32'  # the published mixed precision is a GPU's
    assert report['clips_per_s'] == pytest.approx(2 / report['seconds_per_iter'])


@pytest.mark.slow
def test_compiling_is_reported_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hicmae_mm.engine.hooks.compile import compile_parts

    # a backend that runs the graph as it is: the tool's own is minutes of C++ compilation
    monkeypatch.setattr(compile_parts, '__defaults__', (('encoders', 'fusion', 'decoders'), 'eager', None, False))
    file = tmp_path / 'speed.json'
    try:
        call('infer', FINETUNE, '--batch-size', '1', '--iters', '2', '--variant', 'compile', '--json', str(file))
    finally:
        torch._dynamo.reset()
    report = json.loads(file.read_text())
    assert report['compile_seconds'] > report['seconds_per_iter']
    assert (report['graph_breaks'], report['recompiled_graphs']) == (0, 0)


@pytest.mark.slow
def test_variants_are_set_against_the_plain_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / 'speed.json'
    few = ('--batch-size', '2', '--iters', '1', '--warmup', '1', '--threads', '1', '--json', str(file))
    call('train', PRETRAIN, '--checkpointing', *few)
    plain, other = json.loads(file.read_text())
    assert (plain['variant'], other['variant']) == ('plain', 'checkpointing')
    assert other['ratio']['matmul_fraction'] == pytest.approx(other['matmul_fraction'] / plain['matmul_fraction'])
    assert f'{Path(PRETRAIN).stem}: checkpointing' in capsys.readouterr().out


def test_workers_bytes_and_stages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / 'speed.json'
    call('data', FINETUNE, '--iters', '2', '--warmup', '1', '--workers', '2', '--batch-size', '1', '--json', str(file))
    report = json.loads(file.read_text())
    assert report['workers'] == 2
    assert report['clips_per_s_per_worker'] == pytest.approx(report['clips_per_s'] / 2)
    assert 0.05 < report['megabytes_per_clip'] < 2  # eight pictures of 20 kB, and sound
    stages = report['milliseconds_per_clip']
    assert min(stages.values()) > 0
    steps = report['milliseconds_per_transform']
    assert sum(steps.values()) == pytest.approx(sum(stages.values()) - stages['collate'])
    assert {'OpenVideo', 'DecodeFrames', 'LoadAudio', 'Filterbank', 'PackAudioVisual'} <= set(steps)
    assert 'milliseconds_per_clip       read ' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('data', FINETUNE, '--baseline'), 'are compared in the modes train and infer'),
        (('train', PRETRAIN, '--variant', 'plain', '--baseline'), '--variant measures one config, and nothing'),
        (('data', FINETUNE, '--workers', '-1'), 'must be at least 0, got 2 and -1'),
    ],
)
def test_options_that_do_not_go_together(arguments: tuple[str, ...], message: str, capsys) -> None:
    with pytest.raises(SystemExit):
        call(*arguments)
    assert message in capsys.readouterr().err

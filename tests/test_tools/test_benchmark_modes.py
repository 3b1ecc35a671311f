"""The modes of ``benchmark.py``: training, inference and data, on given and on random media."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from hicmae_mm.config.paths import configs_root
from tests.test_tools.in_process import call, failure

pytestmark = pytest.mark.usefixtures('elsewhere')


@pytest.mark.slow
@pytest.mark.parametrize('mode', ['train', 'infer'])
def test_benchmark_of_a_model(
    tmp_path: Path,
    pretrainer: tuple[Path, Path],
    recognizer: tuple[Path, Path],
    mode: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = pretrainer[0] if mode == 'train' else recognizer[0]
    options = ['--batch-size', 2, '--iters', 2, '--warmup', 1, '--json', 'made/speed.json']
    call('analysis_tools/benchmark.py', mode, config, *options)
    report = json.loads((tmp_path / 'made/speed.json').read_text())
    assert report['gflops_per_s'] == pytest.approx(report['clips_per_s'] * report['nominal_gflop_per_clip'])
    assert report['clips_per_s'] == pytest.approx(2 / report['seconds_per_iter'])
    rates, seconds = report['matmul_gflops_per_s_measured'], report['seconds']
    assert (len(rates), len(seconds)) == (3, 2)
    assert report['matmul_gflops_per_s'] == sorted(rates)[1]
    work = 2 * report['nominal_gflop_per_clip']
    shares = [work / taken / ((rates[i] + rates[i + 1]) / 2) for i, taken in enumerate(seconds)]
    assert report['matmul_fraction'] == pytest.approx(sum(shares) / 2)
    assert report['peak_memory_mb'] > 100
    assert 'matmul_fraction' in capsys.readouterr().out


@pytest.mark.slow
def test_benchmark_compares_configs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configs = [configs_root() / f'hicmae_nano{name}_synthetic.py' for name in ('', '_video')]
    options = ['--batch-size', 2, '--iters', 1, '--warmup', 0, '--json', 'speed.json']
    call('analysis_tools/benchmark.py', 'train', *configs, *options)
    both, video = json.loads((tmp_path / 'speed.json').read_text())
    assert set(both['ratio'].values()) == {1.0}
    for name, ratio in video['ratio'].items():
        assert ratio == pytest.approx(video[name] / both[name])
    assert video['ratio']['nominal_gflop_per_clip'] < 1
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]] == [path.stem for path in configs]


def test_benchmark_of_a_model_on_given_media(tmp_path: Path, recognizer: tuple[Path, Path]) -> None:
    options = ['--batch-size', 2, '--iters', 1, '--warmup', 0, '--media', 'config', '--json', 'speed.json']
    call('analysis_tools/benchmark.py', 'infer', recognizer[0], *options)
    report = json.loads((tmp_path / 'speed.json').read_text())
    # two clips of two temporal views; the frames are square, so the spatial views coincide
    assert report['clips_per_s'] == pytest.approx(4 / report['seconds_per_iter'])


def test_benchmark_of_a_pipeline(tmp_path: Path, recognizer: tuple[Path, Path]) -> None:
    threads = torch.get_num_threads()
    options = ['--split', 'test', '--iters', 2, '--json', 'speed.json']
    call('analysis_tools/benchmark.py', 'data', recognizer[0], *options)
    report = json.loads((tmp_path / 'speed.json').read_text())
    assert report['media'].endswith('annotation.txt')
    assert report['threads'] == 1
    assert report['views_per_s'] == pytest.approx(report['clips_per_s'] * report['views_per_clip'])
    assert report['matmul_fraction'] is None
    assert torch.get_num_threads() == threads


@pytest.mark.slow
@pytest.mark.parametrize(
    ('name', 'media'),
    [
        ('hicmae_nano_pretrain_synthetic', 'noise, 224x224 H.264 + wav'),
        ('hicmae_nano_synthetic', 'noise, 256x256 JPEG + wav'),
        ('hicmae_base_pretrain_voxceleb2_shards', 'noise, shards of 160x160 JPEG + flac'),
    ],
)
def test_benchmark_makes_its_own_media(tmp_path: Path, name: str, media: str) -> None:
    options = ['--iters', 2, '--media', 'random', '--json', 'speed.json']
    call('analysis_tools/benchmark.py', 'data', configs_root() / f'{name}.py', *options)
    assert json.loads((tmp_path / 'speed.json').read_text())['media'] == media


def test_benchmark_names_what_is_wrong(pretrainer: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    tool = 'analysis_tools/benchmark.py'
    assert failure(tool, 'train', 'no.py') == 'config file no.py does not exist'
    assert failure(tool, 'data', pretrainer[0], '--split', 'test').endswith('has no test_dataloader')
    with pytest.raises(SystemExit):
        call(tool, 'data', pretrainer[0], pretrainer[0])
    assert 'several configs are compared in the modes train and infer' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        call(tool, 'train', pretrainer[0], '--iters', 0)
    assert 'must be at least 1, got 4 and 0' in capsys.readouterr().err

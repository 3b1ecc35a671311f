"""Two processes through tools/dist_train.sh, dist_test.sh and the Slurm scripts, on gloo where there is no GPU."""

from __future__ import annotations

import json
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from mmengine.fileio import load

from hicmae_mm.checkpoints.loading import read_checkpoint
from tests.test_tools.command import folder_names, run_tool
from tests.test_tools.modules import load_tool

pytestmark = [pytest.mark.slow, pytest.mark.dist]


@pytest.fixture(scope='module')
def trained(config_file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Two ranks, 2 epochs of 3 iterations."""
    work_dir = tmp_path_factory.mktemp('two_ranks')
    result = run_tool('dist_train.sh', config_file, '--work-dir', work_dir, GPUS=2, OMP_NUM_THREADS=1)
    return work_dir, result.stdout + result.stderr


def test_two_ranks_train_and_evaluate_every_sample_once(trained: tuple[Path, str]) -> None:
    work_dir, console = trained
    assert {'epoch_1.pth', 'epoch_2.pth'} <= folder_names(work_dir)
    assert read_checkpoint(work_dir / 'epoch_2.pth')['meta']['iter'] == 6
    assert 'total batch size 8' in console
    rows = [line.split() for line in console.splitlines() if line.split()[:1] in (['high'], ['low'])]
    counts = [int(cell) for row in rows if len(row) == 4 for cell in row[1:3]]
    assert sum(counts) == 2 * 13  # one matrix per epoch
    for noise in ('Warning', 'WARNING', 'Traceback'):
        assert noise not in console


def test_two_ranks_score_exactly_as_one(trained: tuple[Path, str], config_file: Path, tmp_path: Path) -> None:
    checkpoint = trained[0] / 'epoch_2.pth'
    results, scores = [], []
    for ranks in (1, 2):
        work_dir, out = tmp_path / str(ranks), tmp_path / f'{ranks}.pkl'
        arguments = ['--work-dir', work_dir, '--out', out, '--out-item', 'pred']
        if ranks == 1:
            run_tool('test.py', config_file, checkpoint, *arguments, OMP_NUM_THREADS=1)
        else:
            run_tool('dist_test.sh', config_file, checkpoint, ranks, *arguments, OMP_NUM_THREADS=1)
        (log,) = work_dir.glob('*/*.json')
        results.append({key: value for key, value in json.loads(log.read_text()).items() if 'time' not in key})
        scores.append(load(out))
    assert results[0] == results[1]
    assert 0.5 < results[0]['UAR'] <= 1
    assert [sample['sample_id'] for sample in scores[0]] == [f'{number}.mp4' for number in range(13)]
    assert [sample['sample_id'] for sample in scores[1]] == [sample['sample_id'] for sample in scores[0]]
    for one, two in zip(*scores):
        torch.testing.assert_close(one['pred_score'], two['pred_score'])


def test_two_ranks_resume_exactly(trained: tuple[Path, str], config_file: Path, tmp_path: Path) -> None:
    straight = trained[0]
    run_tool(
        'dist_train.sh', config_file, 2, '--work-dir', tmp_path, '--resume', straight / 'epoch_1.pth', OMP_NUM_THREADS=1
    )
    expected, found = (read_checkpoint(folder / 'epoch_2.pth') for folder in (straight, tmp_path))
    for part in ('state_dict', 'ema_state_dict'):
        assert found[part].keys() == expected[part].keys()
        assert all(torch.equal(found[part][name], value) for name, value in expected[part].items())


def test_more_ranks_than_samples_is_an_error(corpus: Path, config_file: Path, tmp_path: Path) -> None:
    annotation = tmp_path / 'one.txt'
    annotation.write_text((corpus / 'clips.txt').read_text().splitlines()[0])
    result = run_tool(
        'dist_train.sh', config_file, 2, '--work-dir', tmp_path / 'run', '--cfg-options',
        f'train_dataloader.dataset.ann_file={annotation}', check=False, OMP_NUM_THREADS=1,
    )  # fmt: skip
    assert result.returncode != 0
    assert '2 ranks but only 1 samples' in result.stderr


def test_two_nodes_train_a_sharded_model_that_one_process_tests(config_file: Path, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    arguments = (
        'dist_train.sh', config_file, '--work-dir', tmp_path / 'run', '--no-validate', '--cfg-options',
        'model_wrapper_cfg.type=FullyShardedModel', 'custom_hooks=[]', 'default_hooks.checkpoint.save_best=None',
    )  # fmt: skip
    nodes = dict(GPUS=1, NNODES=2, MASTER_ADDR='127.0.0.1', PORT=port, OMP_NUM_THREADS=1, CUDA_VISIBLE_DEVICES='')
    with ThreadPoolExecutor() as pool:
        first, second = pool.map(lambda rank: run_tool(*arguments, NODE_RANK=rank, **nodes), range(2))
    assert 'Sharded in ' in first.stdout + first.stderr
    assert 'Epoch(train)' not in second.stdout + second.stderr
    checkpoint = tmp_path / 'run' / 'epoch_2.pth'
    assert read_checkpoint(checkpoint)['meta']['iter'] == 6
    metrics = tmp_path / 'metrics.json'
    test_tool = load_tool('test.py')
    options = ['--work-dir', str(tmp_path / 'test'), '--out', str(metrics), '--cfg-options', 'custom_hooks=[]']
    assert test_tool.main([str(config_file), str(checkpoint), *options]) == 0
    assert 0.5 < json.loads(metrics.read_text())['UAR'] <= 1


_SRUN = """#!/usr/bin/env bash
# Starts the tasks of a Slurm step on this machine: srun -p NAME ... --ntasks N ... python ...
echo "$@" > "$SRUN_LOG"
while [ $# -gt 0 ] && [ "$1" != "$PYTHON" ]; do
  [ "$1" = --ntasks ] && export SLURM_NTASKS=$2
  shift
done
for ((rank = 0; rank < SLURM_NTASKS; rank++)); do
  SLURM_PROCID=$rank SLURM_LOCALID=$rank "$@" &
done
status=0
for job in $(jobs -p); do wait "$job" || status=$?; done
exit $status
"""


def test_slurm_scripts_start_every_task(config_file: Path, tmp_path: Path) -> None:
    srun = tmp_path / 'bin' / 'srun'
    srun.parent.mkdir()
    srun.write_text(_SRUN)
    srun.chmod(0o755)
    environment = dict(
        PATH=f'{srun.parent}:{os.environ["PATH"]}', SRUN_LOG=tmp_path / 'srun.log', GPUS=2, GPUS_PER_NODE=0,
        CPUS_PER_TASK=1, SRUN_ARGS='--exclusive --time 10', MASTER_PORT=29617,
        CUDA_VISIBLE_DEVICES='',  # two processes without a GPU each, on any machine
    )  # fmt: skip
    run_tool(
        'slurm_train.sh', 'part', 'job', config_file, tmp_path / 'run',
        '--cfg-options', 'train_cfg.max_epochs=1', 'param_scheduler.0.warmup=0', **environment,
    )  # fmt: skip
    assert '--ntasks 2' in (tmp_path / 'srun.log').read_text()
    assert read_checkpoint(tmp_path / 'run' / 'epoch_1.pth')['meta']['iter'] == 3  # 13 samples on two ranks
    run_tool(
        'slurm_test.sh', 'part', 'job', config_file, tmp_path / 'run' / 'epoch_1.pth', '--work-dir', tmp_path,
        '--out', tmp_path / 'metrics.json', **environment,
    )  # fmt: skip
    call = (tmp_path / 'srun.log').read_text()
    for part in (
        '-p part',
        '--job-name job',
        '--ntasks 2',
        '--cpus-per-task 1',
        '--exclusive --time 10',
        '--launcher slurm',
    ):
        assert part in call
    assert 0 <= json.loads((tmp_path / 'metrics.json').read_text())['UAR'] <= 1

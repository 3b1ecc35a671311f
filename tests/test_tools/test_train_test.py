"""tools/train.py and tools/test.py, from the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from mmengine import ConfigDict
from mmengine.fileio import load

from tests.test_tools.command import folder_names, last_line, run_tool
from tests.test_tools.modules import load_tool

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def trained(config_file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    work_dir = tmp_path_factory.mktemp('trained')
    result = run_tool('train.py', config_file, '--work-dir', work_dir, '--seed', 1)
    return work_dir, result.stdout + result.stderr


def test_training_leaves_checkpoints_and_logs(trained: tuple[Path, str]) -> None:
    work_dir, _ = trained
    names = folder_names(work_dir)
    assert {'tiny.py', 'epoch_1.pth', 'epoch_2.pth', 'last_checkpoint'} <= names
    assert len([name for name in names if name.startswith('best_UAR_epoch_')]) == 1
    (scalars,) = work_dir.glob('*/vis_data/scalars.json')
    records = [json.loads(line) for line in scalars.read_text().splitlines()]
    assert [r['iter'] for r in records if 'loss' in r] == [2, 4, 5, 7, 9, 10]
    assert [r['step'] for r in records if 'UAR' in r] == [1, 2]
    assert list(work_dir.glob('*/vis_data/events.out.tfevents.*'))


def test_the_console_is_short_and_clean(trained: tuple[Path, str]) -> None:
    work_dir, console = trained
    assert 'eta: ' in console
    assert re.search(r'UAR: \d\.\d{4}', console)
    assert re.search(r'best checkpoint with \d\.\d{4} UAR', console)
    for noise in ('Warning', 'WARNING', 'deprecated', 'SyncBatchNorm', 'System environment', 'Traceback'):
        assert noise not in console
    assert len(console.splitlines()) < 60
    (log,) = work_dir.glob('*/*.log')
    assert 'System environment' in log.read_text()


def test_testing_repeats_the_validation_result(trained: tuple[Path, str], config_file: Path, tmp_path: Path) -> None:
    work_dir, _ = trained
    checkpoint = work_dir / 'epoch_2.pth'
    run_tool(
        'test.py', config_file, checkpoint, '--work-dir', tmp_path, '--out', tmp_path / 'metrics.json',
        '--out-item', 'metrics', '--show-dir', tmp_path / 'pictures',
    )  # fmt: skip
    metrics = json.loads((tmp_path / 'metrics.json').read_text())
    (scalars,) = work_dir.glob('*/vis_data/scalars.json')
    validated = [json.loads(line) for line in scalars.read_text().splitlines() if 'UAR' in line][-1]
    assert metrics['UAR'] == pytest.approx(validated['UAR'])
    assert len(folder_names(tmp_path / 'pictures')) == 13

    run_tool('test.py', config_file, checkpoint, '--work-dir', tmp_path, '--out', tmp_path / 'scores.pkl')
    predictions = load(tmp_path / 'scores.pkl')
    assert [sample['sample_id'] for sample in predictions] == [f'{number}.mp4' for number in range(13)]
    assert all(float(sample['pred_score'].sum()) == pytest.approx(1) for sample in predictions)


@pytest.mark.parametrize(
    ('tool', 'arguments', 'message'),
    [
        ('train.py', ['--cfg-options', 'model.head.num_clases=3'], "did you mean 'num_classes'"),
        ('train.py', ['--cfg-options', 'train_dataloder.batch_size=3'], "did you mean 'train_dataloader'"),
        ('train.py', ['--resume', 'absent.pth'], "checkpoint 'absent.pth' does not exist"),
        ('test.py', ['absent.pth'], "checkpoint 'absent.pth' does not exist"),
        ('test.py', ['x.pth', '--out', 'metrics.txt'], 'metrics go into one of .json'),
    ],
)
def test_mistakes_are_named(
    tool: str, arguments: list[str], message: str, config_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    try:
        status = load_tool(tool).main([str(config_file), *arguments, '--work-dir', str(tmp_path)])
    except SystemExit as ended:  # the parser's way
        status = ended.code
    assert status
    assert message in capsys.readouterr().err.strip().splitlines()[-1]


def test_a_mistake_ends_the_process_in_one_line(config_file: Path, tmp_path: Path) -> None:
    result = run_tool('test.py', config_file, 'absent.pth', '--work-dir', tmp_path, check=False)
    assert result.returncode == 1
    assert last_line(result) == "error: checkpoint 'absent.pth' does not exist"
    assert 'Traceback' not in result.stderr


def test_flags_reach_the_run(config_file: Path, corpus: Path, tmp_path: Path) -> None:
    """--amp, --no-validate and --auto-scale-lr with accumulation, and samples that cannot be read."""
    annotation = tmp_path / 'broken.txt'
    lines = (corpus / 'clips.txt').read_text().splitlines()
    (corpus / 'broken.mp4').write_bytes((corpus / '0.mp4').read_bytes()[:400])
    annotation.write_text('\n'.join([*lines[:6], 'broken.mp4 0.wav 0', 'absent.mp4 0.wav 1']))
    result = run_tool(
        'train.py', config_file, '--work-dir', tmp_path / 'run', '--amp', '--no-validate', '--auto-scale-lr',
        '--cfg-options', 'train_cfg.max_epochs=2', 'optim_wrapper.accumulative_counts=2', 'auto_scale_lr.enable=False',
        f'train_dataloader.dataset.ann_file={annotation}', 'train_dataloader.dataset.on_error=skip',
    )  # fmt: skip
    console = result.stdout + result.stderr
    assert 'total batch size 8, base batch size 256' in console
    assert 'bfloat16' in console
    assert 'UAR' not in console
    assert '2 different samples were skipped during training' in console
    skipped = {
        entry['sample_id']: entry for entry in json.loads((tmp_path / 'run' / 'skipped_samples.json').read_text())
    }
    assert set(skipped) == {'broken.mp4', 'absent.mp4'}
    assert all(entry['count'] == 2 for entry in skipped.values())


@pytest.mark.parametrize(
    ('has_bfloat16', 'given', 'expected'),
    [
        (True, {}, dict(type='AmpOptimWrapper', dtype='bfloat16', loss_scale=dict(enabled=False))),
        (True, dict(dtype='float16'), dict(type='AmpOptimWrapper', dtype='float16')),
        (False, {}, dict(type='AmpOptimWrapper')),
    ],
)
def test_mixed_precision_of_a_gpu(
    has_bfloat16: bool, given: dict, expected: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'is_bf16_supported', lambda including_emulation: has_bfloat16)
    wrapper = ConfigDict(given)
    load_tool('train.py').use_mixed_precision(wrapper)
    assert wrapper == expected


def test_pretrained_weights_are_reported(trained: tuple[Path, str], config_file: Path, tmp_path: Path) -> None:
    work_dir, _ = trained
    result = run_tool(
        'train.py', config_file, '--work-dir', tmp_path, '--no-validate', '--cfg-options', 'train_cfg.max_epochs=2',
        f'load_from={work_dir / "epoch_1.pth"}', 'model.head.num_classes=4', 'train_dataloader.dataset.num_classes=4',
        'train_dataloader.dataset.metainfo.classes=[a,b,c,d]',
    )  # fmt: skip
    console = result.stdout + result.stderr
    assert 'of another shape, initial values kept: head.fc.weight (2, 64) (model (4, 64))' in console
    assert re.search(r'epoch_1.pth: \d+ of \d+ entries of the model loaded', console)

"""Tools that are given damaged, forged or misplaced files end in one line that names them, and run nothing of them."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from hicmae_mm.config.paths import configs_root
from tests.test_tools.modules import load_tool

C = str(configs_root() / 'hicmae_nano_synthetic.py')


class Evil:
    def __reduce__(self) -> tuple:
        return os.system, ('touch ran',)


LINES = [
    (
        'analysis_tools/eval_metric.py',
        [C, 'evil.pkl'],
        'evil.pkl is not a file of predictions: it asks for posix.system',
    ),
    ('analysis_tools/eval_metric.py', [C, 'folder'], 'folder: Is a directory (name a file)'),
    ('analysis_tools/eval_metric.py', [C, 'pipe'], 'pipe is a pipe or a device'),
    ('analysis_tools/eval_metric.py', [C, 'absent'], 'absent does not exist'),
    ('analysis_tools/confusion_matrix.py', [C, 'evil.pkl'], 'it asks for posix.system'),
    ('analysis_tools/confusion_matrix.py', [C, 'bad.json'], 'bad.json is not a file of predictions'),
    ('analysis_tools/analyze_results.py', [C, 'evil.pkl', '--out-dir', 'o'], 'it asks for posix.system'),
    ('analysis_tools/compare_runs.py', ['evil.pkl', 'evil.pkl'], 'it asks for posix.system'),
    ('analysis_tools/compare_runs.py', ['list.json', 'list.json'], 'list.json must hold a list of samples'),
    ('analysis_tools/analyze_logs.py', ['plot_curve', 'bad.json'], 'bad.json, line 1 is not JSON'),
    ('analysis_tools/analyze_logs.py', ['cal_train_time', 'pipe'], 'no log at pipe'),
    ('analysis_tools/analyze_logs.py', ['summary', 'bad.json'], 'bad.json, line 1 is not JSON'),
    ('analysis_tools/get_flops.py', ['bad.json'], 'config file bad.json cannot be read'),
    ('analysis_tools/scaling.py', ['folder'], 'folder: Is a directory'),
    ('misc/print_config.py', ['folder'], 'folder: Is a directory'),
    ('misc/print_config.py', [C, '--save-path', 'evil.pkl/x.py'], 'evil.pkl/x.py: Not a directory'),
    ('kfold.py', [C, '--folds', '1-99999999999'], 'are too many'),
    ('train.py', [C, '--work-dir', 'evil.pkl'], 'evil.pkl: File exists'),
    (
        'train.py',
        [C, '--work-dir', 'w', '--cfg-options', 'train_cfg.val_interval=0'],
        'train_cfg.val_interval=0 must be',
    ),
    ('dataset_converters/make_synthetic.py', ['--out', 'evil.pkl'], 'Not a directory'),
    ('dataset_converters/ravdess.py', ['evil.pkl', '--out-dir', 'o'], 'evil.pkl is not a folder'),
    ('misc/verify_dataset.py', ['evil.pkl'], 'not UTF-8'),
    ('visualization/vis_tsne.py', [C, '--features', 'evil.pkl'], 'evil.pkl: expected a .npz file'),
    ('model_converters/publish_model.py', ['folder', 'o.pth'], "'folder' is a folder"),
    ('model_converters/merge_adapters.py', [C, 'folder', 'o.pth'], 'has no LoRA in model.adapters'),
]


@pytest.mark.parametrize(('tool', 'arguments', 'message'), LINES, ids=range(len(LINES)))
def test_one_line_and_status_1(
    tool: str,
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'evil.pkl').write_bytes(pickle.dumps([Evil()]))
    (tmp_path / 'bad.json').write_text('{')
    (tmp_path / 'list.json').write_text('[1]')
    (tmp_path / 'folder').mkdir()
    os.mkfifo(tmp_path / 'pipe')
    before = sorted(tmp_path.rglob('*'))
    assert load_tool(tool).main(arguments) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith('error: ')
    assert 'unexpected' not in error
    assert message in error
    assert sorted(path for path in tmp_path.rglob('*') if path.name != 'w') == before

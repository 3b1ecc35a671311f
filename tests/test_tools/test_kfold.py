"""tools/kfold.py: folds trained, killed (SIGKILL) in the middle, continued, and tabulated."""

from __future__ import annotations

import csv
import importlib.util
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import pytest
import torch
from mmengine.config import Config
from mmengine.fileio import load

from hicmae_mm.checkpoints.loading import read_checkpoint
from hicmae_mm.config.folds import best_checkpoint, dataset_meta, load_fold
from hicmae_mm.config.paths import tools_root
from hicmae_mm.engine import build_runner
from hicmae_mm.evaluation.folds import FoldEvaluator, FoldPredictions, fold_table, to_json, to_markdown
from tests.engine.tiny_run import finetune_config, train
from tests.test_tools.command import is_running, wait_for

EPOCHS, NUM_TEST_CLIPS = 3, 6


@pytest.fixture(scope='module')
def kfold() -> ModuleType:
    spec = importlib.util.spec_from_file_location('kfold', tools_root() / 'kfold.py')
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules['kfold'] = module  # its data class looks itself up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def config(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folds of 10 and 6 clips, hard enough that the epochs differ in their scores."""
    folder = tmp_path_factory.mktemp('folds')
    lines = (corpus / 'clips.txt').read_text().splitlines()[:16]
    for fold in (1, 2):
        tested = lines[NUM_TEST_CLIPS * (fold - 1) : NUM_TEST_CLIPS * fold]
        (folder / f'fold{fold}').mkdir()
        (folder / f'fold{fold}' / 'test.csv').write_text('\n'.join(tested) + '\n')
        trained = [line for line in lines if line not in tested]
        (folder / f'fold{fold}' / 'train.csv').write_text('\n'.join(trained) + '\n')
    cfg = finetune_config(corpus, Path())
    cfg.pop('work_dir')
    cfg.train_cfg.max_epochs = EPOCHS
    cfg.optim_wrapper.optimizer.lr = 0.03
    cfg.default_hooks.checkpoint.max_keep_ckpts = 2
    for name, ann_file in (('train', 'train'), ('val', 'test'), ('test', 'test')):
        cfg[f'{name}_dataloader'].dataset.ann_file = f'{folder}/fold{{{{$FOLD:1}}}}/{ann_file}.csv'
    cfg.dump(folder / 'tiny_folds.py')
    return folder / 'tiny_folds.py'


@pytest.fixture(scope='module', autouse=True)
def one_thread() -> Iterator[None]:
    """The same number of threads here as in the tools, for sums in the same order."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('OMP_NUM_THREADS', '1')
        torch.set_num_threads(1)
        yield


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f'/proc/{pid}/task/{pid}/children').read_text().split()]


def _times(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob('*') if path.is_file()}


@pytest.fixture(scope='module')
def killed(config: Path, kfold: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Two folds, of which the second was killed while it trained, and then continued."""
    work_dir = tmp_path_factory.mktemp('killed')
    arguments = [str(config), '--folds', '1-2', '--work-dir', str(work_dir)]
    log = (work_dir.parent / 'killed.log').open('wb')
    process = subprocess.Popen([sys.executable, str(tools_root() / 'kfold.py'), *arguments], stdout=log, stderr=log)
    wait_for(work_dir / 'fold2_seed0' / 'last_checkpoint', process)
    children = _children(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    first = _times(work_dir / 'fold1_seed0')
    partial = (work_dir / 'folds.md').read_text()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv('FOLD', raising=False)
        assert kfold.main(arguments) == 0
    assert len(children) == 1
    assert not is_running(children[0])
    return dict(work_dir=work_dir, arguments=arguments, first=first, partial=partial)


def _straight(config: Path, folder: Path) -> dict[str, list[FoldPredictions]]:
    """What the folds give without kfold.py and in one go."""
    predictions: dict[str, list[FoldPredictions]] = dict(best=[], last=[])
    for fold in (1, 2):
        cfg = load_fold(config, fold)
        cfg.work_dir = str(folder / f'fold{fold}')
        train(cfg)
        best = best_checkpoint(Path(cfg.work_dir), 'UAR')
        assert best is not None
        for kind, checkpoint in (('best', best), ('last', Path(cfg.work_dir) / f'epoch_{EPOCHS}.pth')):
            test = load_fold(config, fold)
            dump = folder / f'{fold}_{kind}.pkl'
            test.merge_from_dict(dict(work_dir=str(folder / 'test'), load_from=str(checkpoint)))
            test.test_evaluator = [test.test_evaluator, dict(type='DumpResults', out_file_path=str(dump))]
            build_runner(Config(test.to_dict() | dict(experiment_name=f'{fold}_{kind}'))).test()
            predictions[kind].append(FoldPredictions(fold, 0, checkpoint.name, load(dump)))
    return predictions


@pytest.mark.slow
def test_a_killed_run_ends_as_an_undisturbed_one(killed: dict[str, Any], config: Path, tmp_path: Path) -> None:
    predictions = _straight(config, tmp_path)
    cfg = load_fold(config, 1)
    table = fold_table(predictions, FoldEvaluator(cfg.test_evaluator, dataset_meta(cfg)), selected_by=['UAR'])
    assert (killed['work_dir'] / 'folds.json').read_text() == to_json(table)
    assert (killed['work_dir'] / 'folds.md').read_text() == to_markdown(table)
    for fold in (1, 2):
        found, expected = killed['work_dir'] / f'fold{fold}_seed0', tmp_path / f'fold{fold}'
        names = sorted(path.name for path in expected.glob('*.pth'))
        assert sorted(path.name for path in found.glob('*.pth*')) == names
        for name in names:
            weights = read_checkpoint(expected / name)['state_dict']
            again = read_checkpoint(found / name)['state_dict']
            assert [key for key, value in weights.items() if not torch.equal(again[key], value)] == []


@pytest.mark.slow
def test_finished_folds_are_left_alone(
    killed: dict[str, Any], kfold: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    work_dir = killed['work_dir']
    assert killed['partial'].endswith('1 of 2 trainings are finished.\n')
    assert _times(work_dir / 'fold1_seed0') == killed['first']
    log = (work_dir / 'fold2_seed0' / 'train.log').read_text()
    assert 'nothing to resume' in log  # both attempts are in it
    assert 'resumed epoch: ' in log

    before = _times(work_dir / 'fold2_seed0')
    assert kfold.main([*killed['arguments'], '--dry-run']) == 0
    assert capsys.readouterr().out == 'everything is finished\n'
    assert kfold.main([*killed['arguments'], '--metrics', 'top5', '--clean']) == 0
    assert capsys.readouterr().out.count('was finished before') == 6
    assert '| best top5 (%) | last top5 (%) |' in (work_dir / 'folds.md').read_text()
    after = _times(work_dir / 'fold2_seed0')
    assert before.keys() - after.keys() == {f'epoch_{EPOCHS - 1}.pth'}  # --clean
    assert all(before[name] == time for name, time in after.items())
    assert kfold.main(killed['arguments']) == 0


@pytest.mark.slow
def test_the_files_of_a_run(killed: dict[str, Any]) -> None:
    work_dir = killed['work_dir']
    table = json.loads((work_dir / 'folds.json').read_text())
    assert table['results'].keys() == {'best', 'last'}
    rows = list(csv.DictReader((work_dir / 'folds.csv').open()))
    assert [row['row'] for row in rows] == ['fold', 'fold', 'pooled', 'mean', 'std'] * 2
    for kind in ('best', 'last'):
        dumps = [load(work_dir / f'fold{fold}_seed0' / f'test_{kind}' / 'predictions.pkl') for fold in (1, 2)]
        right = [[s['pred_label'].item() == s['gt_label'].item() for s in samples] for samples in dumps]
        result = table['results'][kind]
        assert [run['measures']['WAR'] for run in result['runs']] == [sum(r) / NUM_TEST_CLIPS for r in right]
        assert result['pooled'][0]['measures']['WAR'] == pytest.approx(sum(map(sum, right)) / (2 * NUM_TEST_CLIPS))
    assert table['results']['last']['runs'][0]['checkpoint'] == f'epoch_{EPOCHS}.pth'
    assert cv2.imread(str(work_dir / 'confusion_matrix.png')).std() > 10


@pytest.mark.slow
def test_another_config_is_trained_anew_and_a_failure_is_named(
    killed: dict[str, Any], kfold: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    work_dir = killed['work_dir']
    weights = (work_dir / 'fold1_seed0' / f'epoch_{EPOCHS}.pth').read_bytes()
    changed = [*killed['arguments'], '--cfg-options', 'load_from=absent.pth']
    assert kfold.main(changed) == 1
    output, error = capsys.readouterr()
    assert 'fold 1, seed 0: is trained again, for this has changed:\n  config.load_from: None -> absent.pth' in output
    log = work_dir / 'fold1_seed0' / 'train.log'
    assert error == f"error: fold 1, seed 0: the step 'train' failed with status 1; see {log}\n"
    assert "'absent.pth' does not exist" in log.read_text()
    assert (work_dir / 'outdated' / 'fold1_seed0_1' / f'epoch_{EPOCHS}.pth').read_bytes() == weights
    assert (work_dir / 'fold2_seed0' / f'epoch_{EPOCHS}.pth').is_file()


def test_commands_can_be_looked_at(config: Path, kfold: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(config), '--folds', '1,2', '--repeats', '2', '--seed', '5', '--work-dir', 'w', '--dry-run']
    assert kfold.main([*arguments, '--amp', '--gpus', '2', '--cfg-options', 'model.fusion.depth=1']) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 * 2 * 3
    tools = tools_root()
    assert lines[3] == (
        f'FOLD=2 bash {tools}/dist_train.sh {config} 2 --work-dir w/fold2_seed5 --resume --seed 5 --amp '
        '--cfg-options model.fusion.depth=1'
    )
    assert lines[4] == (
        f'FOLD=2 bash {tools}/dist_test.sh {config} w/fold2_seed5/best_UAR_epoch_N.pth 2 --work-dir '
        'w/fold2_seed5/test_best --out w/fold2_seed5/test_best/predictions.pkl --cfg-options model.fusion.depth=1'
    )
    assert lines[11].startswith(f'FOLD=2 bash {tools}/dist_test.sh {config} w/fold2_seed6/epoch_{EPOCHS}.pth 2')
    assert not Path('w').exists()


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--folds', '1-3'], r'fold 3: the list .*fold3/train.csv does not exist'),
        (['--folds', '5-1'], r"folds '5-1' cannot be read"),
        (['--folds', '1-2', '--cfg-options', 'test_dataloader.dataset.ann_file=clips.txt'], 'does not use FOLD'),
        (['--folds', '1', '--cfg-options', 'modle.head=1'], "did you mean 'model'"),
        (['--folds', '1', '--cfg-options', 'test_evaluator=None'], 'has no test_evaluator'),
    ],
)
def test_mistakes_are_named_before_anything_runs(
    options: list[str],
    message: str,
    config: Path,
    kfold: ModuleType,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert kfold.main([str(config), '--work-dir', str(tmp_path / 'run'), *options]) == 1
    error = capsys.readouterr().err
    assert error.startswith('error: ')
    assert error.count('\n') == 1
    assert re.search(message, error)
    assert not (tmp_path / 'run').exists()

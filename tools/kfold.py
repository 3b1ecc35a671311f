"""Trains and tests a config on several folds, and writes one table of all of them.

python tools/kfold.py CONFIG --folds 1-5 --gpus 4 --work-dir work_dirs/mine --amp --cfg-options load_from=PRETRAINED.pth

Every fold is trained by tools/train.py with FOLD in the environment; its best and its last checkpoint are tested by
tools/test.py. Run again after an interruption, it skips what is finished and resumes what is not. See docs/folds.md.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import MMLogger

from hicmae_mm.commands.steps import Step, StepMarks, differences, identity_of, run_step
from hicmae_mm.config.folds import (
    best_checkpoint,
    check_folds_differ,
    dataset_meta,
    last_checkpoint,
    load_fold,
    other_checkpoints,
    parse_folds,
    selecting_measures,
    set_aside,
    testing_identity,
    training_identity,
)
from hicmae_mm.config.override_values import OverrideAction
from hicmae_mm.config.paths import tools_root
from hicmae_mm.evaluation.folds import FoldEvaluator, FoldPredictions, fold_table, pool, to_csv, to_json, to_markdown
from hicmae_mm.evaluation.predictions import read_predictions
from hicmae_mm.utils.files import exclusive, write_text


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Train and test every fold of a config, and tabulate the scores')
    parser.add_argument('config', help='config file that reads FOLD from the environment')
    parser.add_argument('--folds', default='1-5', help='such as 1-5, 1,3,5 or 2; default: 1-5')
    parser.add_argument('--gpus', type=int, default=1, help='processes per training; default: 1')
    parser.add_argument('--repeats', type=int, default=1, help='trainings per fold, with one seed each; default: 1')
    parser.add_argument('--seed', type=int, help='seed of the first repeat; default: that of the config, or 0')
    parser.add_argument('--work-dir', type=Path, help='default: work_dirs/<name of the config>_folds')
    parser.add_argument('--metrics', nargs='+', help='measures of the Markdown table; default: the usual of the task')
    parser.add_argument('--amp', action='store_true', help='train in mixed precision')
    parser.add_argument(
        '--clean', action='store_true', help='of a finished fold keep only the best and last checkpoint'
    )
    parser.add_argument('--dry-run', action='store_true', help='print the commands that are still to be run')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='overrides of the config')
    args = parser.parse_args(arguments)
    args.work_dir = args.work_dir or Path('work_dirs') / f'{Path(args.config).stem}_folds'
    if args.gpus < 1 or args.repeats < 1:
        parser.error('--gpus and --repeats must be at least 1')
    return args


@dataclass(frozen=True)
class Run:
    """Describes one training: a fold with a seed, its resolved config and its work folder."""

    fold: int
    seed: int
    cfg: Config
    folder: Path
    args: argparse.Namespace

    @property
    def name(self) -> str:
        """As in messages."""
        return f'fold {self.fold}, seed {self.seed}'

    @property
    def marks(self) -> StepMarks:
        """Notes of what has been begun and finished."""
        return StepMarks(self.folder / 'steps')

    def train_step(self) -> Step:
        """Trains, or continues the training."""
        flags = ['--work-dir', str(self.folder), '--resume', '--seed', str(self.seed)]
        flags += ['--amp'] if self.args.amp else []
        identity = {'gpus': self.args.gpus, 'amp': self.args.amp, 'seed': self.seed, **training_identity(self.cfg)}
        return self._step('train', [], flags, (self.folder / 'last_checkpoint',), identity)

    def test_steps(self) -> dict[str, Step]:
        """Tests the best checkpoint, where the config keeps one, and the last one."""
        return {kind: self._test_step(kind, checkpoint) for kind, checkpoint in self.checkpoints().items()}

    def checkpoints(self) -> dict[str, Path]:
        """Returns the best and the last checkpoint; before the end of the training, the names that they will have."""
        is_trained = self.marks.is_finished(self.train_step())
        found: dict[str, Path] = {}
        for measure in selecting_measures(self.cfg)[:1]:
            best = best_checkpoint(self.folder, measure) if is_trained else None
            found['best'] = best or self.folder / f'best_{measure.replace("/", "_")}_epoch_N.pth'
        last = last_checkpoint(self.folder) if is_trained else None
        found['last'] = last or self.folder / f'epoch_{self.cfg.train_cfg.get("max_epochs", "N")}.pth'
        return found

    def predictions_of(self, kind: str) -> Path:
        """Returns the file for the predictions of a checkpoint."""
        return self.folder / f'test_{kind}' / 'predictions.pkl'

    def _test_step(self, kind: str, checkpoint: Path) -> Step:
        out = self.predictions_of(kind)
        flags = ['--work-dir', str(out.parent), '--out', str(out)]
        return self._step(f'test_{kind}', [checkpoint], flags, (out,), testing_identity(self.cfg, checkpoint))

    def _step(
        self, name: str, positional: list[Path], flags: list[str], outputs: tuple[Path, ...], identity: dict[str, Any]
    ) -> Step:
        tool = name.partition('_')[0]
        several = self.args.gpus > 1
        program = ['bash', f'dist_{tool}.sh'] if several else ['python', f'{tool}.py']
        program[1] = str(tools_root() / program[1])
        arguments = [self.args.config, *map(str, positional), *([str(self.args.gpus)] if several else []), *flags]
        arguments += ['--cfg-options', *self.args.cfg_options] if self.args.cfg_options else []
        fold = {'FOLD': str(self.fold)}
        return Step(name, f'{name}: {self.name}', (*program, *arguments), fold, outputs, identity)


def plan(args: argparse.Namespace) -> list[Run]:
    """Reads and checks the config of every fold.

    Raises:
        FileNotFoundError: If there is no config, or a fold has no lists.
        ValueError: If the config does not use FOLD, or an option is misspelt.
    """
    options = ArgumentParser()
    options.add_argument('--cfg-options', nargs='+', action=OverrideAction)
    given = options.parse_args(['--cfg-options', *args.cfg_options] if args.cfg_options else []).cfg_options
    configs = {fold: load_fold(args.config, fold, given) for fold in parse_folds(args.folds)}
    check_folds_differ(configs, args.config)
    runs = []
    for repeat in range(args.repeats):
        for fold, cfg in configs.items():
            first = (cfg.get('randomness') or {}).get('seed') or 0 if args.seed is None else args.seed
            seed = first + repeat
            runs.append(Run(fold, seed, cfg, args.work_dir / f'fold{fold}_seed{seed}', args))
    return runs


def execute(run: Run) -> None:
    """Does what is left of a fold: training, then the tests.

    Raises:
        RuntimeError: If a command failed, a checkpoint is gone, or another process works on this fold.
    """
    with exclusive(run.folder.parent / '.locks' / run.folder.name) as lock:
        train = run.train_step()
        set_aside_what_differs(run, train)
        do(run, train, lock)
        for kind, checkpoint in run.checkpoints().items():
            if not checkpoint.is_file():
                raise RuntimeError(f'no {kind} checkpoint in {run.folder}; remove that folder to train again')
        for step in run.test_steps().values():
            if run.marks.is_outdated(step):
                print(f'{run.name}: {step.name} is repeated, for this has changed:')
                print_differences(run, step)
            do(run, step, lock)
    for path in other_checkpoints(run.folder) if run.args.clean else ():
        path.unlink()


def do(run: Run, step: Step, lock: int) -> None:
    """Runs a step unless it was finished before."""
    if run.marks.is_finished(step):
        print(f'{run.name}: {step.name} was finished before')
        return
    print(f'{run.name}: $ {step.shell_line}', flush=True)
    run.marks.begin(step)
    run.marks.finish(step, run_step(step, log_file=run.folder / f'{step.name}.log', keep_open=[lock]))


def set_aside_what_differs(run: Run, train: Step) -> None:
    """Renames the folder of a training that was begun with another config or command, or by hand."""
    is_known = run.marks.mark_of(train).is_file()
    if not run.folder.is_dir() or (is_known and not run.marks.is_outdated(train)):
        return
    if is_known:
        print(f'{run.name}: is trained again, for this has changed:')
        print_differences(run, train)
    print(f'{run.name}: {run.folder} is now {set_aside(run.folder)}')


def print_differences(run: Run, step: Step, most: int = 8) -> None:
    """Says what a step has in common no more with the one done before."""
    lines = differences(run.marks.read(step)['identity'], identity_of(step))
    for line in [*lines[:most], *([f'and {len(lines) - most} more'] if len(lines) > most else [])]:
        print(f'  {line}')


def collect(runs: Sequence[Run]) -> dict[str, list[FoldPredictions]]:
    """Predictions of the best and the last checkpoint of finished folds."""
    predictions: dict[str, list[FoldPredictions]] = {}
    for run in runs:
        for kind, checkpoint in run.checkpoints().items():
            samples = read_predictions(run.predictions_of(kind))
            predictions.setdefault(kind, []).append(FoldPredictions(run.fold, run.seed, checkpoint.name, samples))
    return predictions


def write_results(runs: Sequence[Run], planned: int, args: argparse.Namespace) -> str:
    """Writes ``folds.md``, ``.csv``, ``.json`` and, for classes, ``confusion_matrix.png``; returns the Markdown table.

    Raises:
        ValueError: If --metrics names a measure that the config does not compute.
    """
    predictions = collect(runs)
    meta = dataset_meta(runs[0].cfg)
    evaluator = FoldEvaluator(runs[0].cfg.test_evaluator, meta)
    table = fold_table(predictions, evaluator, args.metrics, selecting_measures(runs[0].cfg))
    if len(runs) < planned:
        table['notes'].append(f'{len(runs)} of {planned} trainings are finished.')
    for suffix, text in (('md', to_markdown(table)), ('csv', to_csv(table)), ('json', to_json(table))):
        write_text(args.work_dir / f'folds.{suffix}', text)
    kind, parts = next(iter(predictions.items()))
    confusion = evaluator.confusion(pool(parts))
    if confusion is not None:
        from hicmae_mm.visualization import draw_confusion_matrix, save_figure  # matplotlib only where it is needed

        names = meta.get('classes') or ()
        names = names if len(names) == len(confusion) else [str(index) for index in range(len(confusion))]
        title = f'{Path(args.config).stem}: {kind} checkpoints of folds {", ".join(map(str, table["folds"]))}'
        save_figure(draw_confusion_matrix(confusion, names, title), args.work_dir / 'confusion_matrix.png')
    return to_markdown(table)


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs what is not finished, and tabulates."""
    args = parse_args(arguments)
    MMLogger.get_instance('kfold').setLevel(logging.WARNING)  # else every measurement prints its confusion matrix
    done: list[Run] = []
    try:
        runs = plan(args)
        if args.dry_run:
            print('\n'.join(commands_left(runs)) or 'everything is finished')
            return 0
        for run in runs:
            try:
                execute(run)
            except RuntimeError as error:
                raise RuntimeError(f'{run.name}: {error}') from error
            done.append(run)
            table = write_results(done, len(runs), args)
    except KeyboardInterrupt:
        raise KeyboardInterrupt('the same command continues here') from None
    print(f'\n{table}\nTables and confusion matrix: {args.work_dir}/folds.{{md,csv,json}}, confusion_matrix.png')
    return 0


def commands_left(runs: Sequence[Run]) -> Iterator[str]:
    """Returns the shell lines of the steps that are not finished; checkpoints to come have a name with N."""
    for run in runs:
        train, tests = run.train_step(), run.test_steps().values()
        is_trained = run.marks.is_finished(train)
        if not is_trained:
            yield train.shell_line
        yield from (step.shell_line for step in tests if not (is_trained and run.marks.is_finished(step)))


if __name__ == '__main__':
    sys.exit(main())

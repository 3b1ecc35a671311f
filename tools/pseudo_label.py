"""Trains, labels unlabelled clips by the model where it is sure, and trains again on both (MER2023, MER-SEMI).

python tools/pseudo_label.py CONFIG --unlabelled data/mer2023/unlabelled.csv --threshold 0.9 --work-dir work_dirs/semi

A model that was trained before takes the place of the first training: ``--checkpoint FILE``. Run again after an
interruption, the command skips what is finished and resumes what is not.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import copy
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import init_default_scope

from hicmae_mm.commands.steps import Step, StepMarks, run_step
from hicmae_mm.config.folds import (
    best_checkpoint,
    dataset_meta,
    last_checkpoint,
    selecting_measures,
    testing_identity,
    training_identity,
)
from hicmae_mm.config.override_values import OverrideAction
from hicmae_mm.config.overrides import load_config
from hicmae_mm.config.paths import tools_root
from hicmae_mm.datasets.pseudo_labels import pseudo_labels
from hicmae_mm.evaluation.predictions import read_predictions
from hicmae_mm.registry import DATASETS
from hicmae_mm.utils.files import exclusive, write_text


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Train with pseudo-labels of unlabelled clips')
    parser.add_argument('config', help='config file of a model of classes')
    parser.add_argument('--unlabelled', required=True, type=Path, help='list of clips, whose labels are not read')
    parser.add_argument('--threshold', type=float, default=0.9, help='smallest probability of a label; default: 0.9')
    parser.add_argument('--rounds', type=int, default=1, help='number of rounds of labelling and training; default: 1')
    parser.add_argument('--checkpoint', type=Path, help='model of the first labels; default: it is trained')
    parser.add_argument('--work-dir', type=Path, help='default: work_dirs/<name of the config>_semi')
    parser.add_argument('--cfg-options', nargs='+', action=OverrideAction, help='key=value, overrides of the config')
    args = parser.parse_args(argv)
    if not 0 < args.threshold <= 1 or args.rounds < 1:
        parser.error('--threshold is above 0 and at most 1, --rounds at least 1')
    args.work_dir = args.work_dir or Path('work_dirs') / f'{Path(args.config).stem}_semi'
    return args


class SemiSupervised:
    """Plans the steps of one command, in folders ``round0``, ``round1``, ... of its work folder.

    Args:
        cfg: The config.
        args: The command line.
        lock: Descriptor of the lock, which steps inherit.
    """

    def __init__(self, cfg: Config, args: argparse.Namespace, lock: int) -> None:
        self.cfg, self.args, self.lock = cfg, args, lock

    def train(self, number: int, pseudo_list: Path | None) -> Path:
        """Trains a round on the labelled clips and on those of a list, and returns its checkpoint."""
        folder, cfg = self._folder(number), copy.deepcopy(self.cfg)
        if pseudo_list is not None:
            labelled = cfg.train_dataloader.dataset
            added = copy.deepcopy(labelled)
            added.ann_file = str(pseudo_list)
            cfg.train_dataloader.dataset = dict(type='ConcatDataset', datasets=[labelled, added])
        config = self._write(cfg, folder / 'train.py')
        flags = ['--work-dir', str(folder), '--resume']
        self._do('train', number, ['train.py', str(config), *flags], folder / 'last_checkpoint', training_identity(cfg))
        found = [best_checkpoint(folder, measure) for measure in selecting_measures(cfg)[:1]]
        checkpoint = next((path for path in found if path), None) or last_checkpoint(folder)
        if checkpoint is None:
            raise RuntimeError(f'no checkpoint in {folder}; remove that folder to train again')
        return checkpoint

    def label(self, number: int, checkpoint: Path) -> Path:
        """Labels the unlabelled clips by a checkpoint, and returns the list of those that it is sure of."""
        folder, cfg = self._folder(number), copy.deepcopy(self.cfg)
        dataset = cfg.test_dataloader.dataset
        dataset.update(ann_file=str(self.args.unlabelled.absolute()), task='unlabelled')
        out = folder / 'unlabelled.pkl'
        cfg.test_evaluator = [dict(type='DumpPredictions', out_file_path=str(out))]
        config = self._write(cfg, folder / 'label.py')
        identity = testing_identity(cfg, checkpoint) | {'modified': checkpoint.stat().st_mtime_ns}
        tool = ['test.py', str(config), str(checkpoint), '--work-dir', str(folder / 'label')]
        self._do('label', number, tool, out, identity)
        labels = pseudo_labels(DATASETS.build({**dataset, 'pipeline': []}), read_predictions(out), self.args.threshold)
        if not labels.rows:
            raise ValueError(
                f'no clip of {self.args.unlabelled} has a class of probability {self.args.threshold:g} or more; the '
                f'highest is {labels.highest:.3f}: lower --threshold, or train longer'
            )
        names = dataset_meta(self.cfg).get('classes')
        counts = ', '.join(f'{names[i] if names else i} {n}' for i, n in sorted(labels.counts.items()))
        print(f'round {number}: {len(labels.rows)} clips are labelled ({counts})', flush=True)
        pseudo_list = folder / 'pseudo_labels.jsonl'
        write_text(pseudo_list, '\n'.join(json.dumps(row, ensure_ascii=False) for row in labels.rows) + '\n')
        return pseudo_list.absolute()

    def _folder(self, number: int) -> Path:
        folder: Path = self.args.work_dir / f'round{number}'
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @staticmethod
    def _write(cfg: Config, path: Path) -> Path:
        write_text(path, cfg.pretty_text)
        return path

    def _do(self, name: str, number: int, tool: list[str], output: Path, identity: dict[str, Any]) -> None:
        """Runs a tool unless the same was finished before."""
        command = ('python', str(tools_root() / tool[0]), *tool[1:])
        step = Step(name, f'{name}, round {number}', command, outputs=(output,), identity=identity)
        folder = self._folder(number)
        marks = StepMarks(folder / 'steps')
        if marks.is_finished(step):
            print(f'round {number}: {name} was finished before')
            return
        print(f'round {number}: $ {step.shell_line}', flush=True)
        marks.begin(step)
        marks.finish(step, run_step(step, log_file=folder / f'{name}.log', keep_open=[self.lock]))


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Trains, labels, and trains again."""
    args = parse_args(argv)
    cfg = load_config(args.config, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'hicmae_mm'))
    for path in filter(None, (args.unlabelled, args.checkpoint)):
        if not path.is_file():
            raise FileNotFoundError(f'{path} does not exist')
    if cfg.get('train_dataloader') is None or cfg.get('test_dataloader') is None:
        raise ValueError(f'{args.config} needs train_dataloader and test_dataloader')
    args.work_dir.mkdir(parents=True, exist_ok=True)
    with exclusive(args.work_dir / '.lock') as lock:
        work = SemiSupervised(cfg, args, lock)
        checkpoint = args.checkpoint or work.train(0, None)
        for number in range(1, args.rounds + 1):
            checkpoint = work.train(number, work.label(number, checkpoint))
    print(f'trained on labels and pseudo-labels: {checkpoint}')
    return 0


if __name__ == '__main__':
    sys.exit(main())

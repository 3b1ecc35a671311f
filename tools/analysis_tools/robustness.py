"""Measures how a recognizer copes with degraded test clips: noise, blur, missing streams, and others.

python tools/analysis_tools/robustness.py CONFIG CHECKPOINT --out-dir work_dirs/robustness --jobs 2

Every degradation is tested at several levels, by `tools/test.py` on a config with one more transform, which is kept in
`configs/`. The table and the curves have 95 % intervals. A rerun continues; docs/robustness.md explains the levels.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config

from hicmae_mm.checkpoints.files import file_sha256
from hicmae_mm.checkpoints.loading import check_exists
from hicmae_mm.commands.preloaded import step_starter
from hicmae_mm.commands.side_by_side import Job, run_side_by_side
from hicmae_mm.commands.steps import Step, StepMarks
from hicmae_mm.config.checks import check_config
from hicmae_mm.config.folds import testing_identity
from hicmae_mm.config.override_values import OverrideAction
from hicmae_mm.config.overrides import load_config
from hicmae_mm.config.paths import tools_root
from hicmae_mm.evaluation.comparison import bootstrap_interval, concordance, unweighted_recall
from hicmae_mm.evaluation.frame_measures import frame_measures
from hicmae_mm.evaluation.metrics import FrameMetric
from hicmae_mm.evaluation.predictions import Samples, read_predictions, scores_and_labels, values_and_targets
from hicmae_mm.measuring.robustness import Degradation, degradations_of, degraded, write_noise
from hicmae_mm.registry import METRICS
from hicmae_mm.utils.files import csv_text, exclusive, write_text

CLEAN, RECORDINGS = 'clean', 'recordings'


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Test a recognizer on degraded clips')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out-dir', type=Path, help='default: work_dirs/<name of the config>_robustness')
    parser.add_argument(
        '--degradations', nargs='+', metavar='NAME', help='such as noise blur; default: all that the config can get'
    )
    parser.add_argument(
        '--levels', nargs='+', type=float, metavar='LEVEL', help='other levels; needs one name in --degradations'
    )
    parser.add_argument('--noise', type=Path, help='folder of noise recordings, in place of pink noise')
    parser.add_argument('--jobs', type=int, default=1, help='tests at a time; default: 1')
    parser.add_argument(
        '--resamples', type=int, default=2000, help='number of resamples for the intervals; default: 2000'
    )
    parser.add_argument('--cfg-options', nargs='+', action=OverrideAction, help='key=value, overrides of the config')
    parser.add_argument('--dry-run', action='store_true', help='list the tests that are still to be run')
    args = parser.parse_args(argv)
    if args.jobs < 1 or args.resamples < 100:
        parser.error('--jobs must be at least 1, and --resamples at least 100')
    if args.levels and len(args.degradations or ()) != 1:
        parser.error('--levels needs exactly one name in --degradations, whose levels they are')
    if args.levels and not all(map(math.isfinite, args.levels)):
        parser.error(f'--levels are finite numbers, got {args.levels}')
    if args.noise is not None and not args.noise.is_dir():
        parser.error(f'--noise {args.noise} is not a folder')
    args.noise = None if args.noise is None else args.noise.resolve()
    args.out_dir = args.out_dir or Path('work_dirs') / f'{Path(args.config).stem}_robustness'
    return args


@dataclass(frozen=True)
class Trial:
    """Describes one test.

    Attributes:
        name: Name of the degradation, or ``'clean'``.
        level: Level; None for the clean test.
        step: Command of the test.
        predictions: File that the test writes.
    """

    name: str
    level: float | None
    step: Step
    predictions: Path


def choose(cfg: Config, args: argparse.Namespace) -> dict[str, Degradation]:
    """Returns the degradations to measure.

    Raises:
        ValueError: If a name is unknown, or the config cannot get one.
    """
    possible = degradations_of(cfg)
    names = args.degradations or list(possible)
    unknown = [name for name in names if name not in possible]
    if unknown or not names:
        raise ValueError(
            f'{args.config} cannot be tested with {unknown}; its streams and its test pipeline allow {list(possible)}'
        )
    return {name: possible[name] for name in names}


def plan(cfg: Config, chosen: dict[str, Degradation], args: argparse.Namespace) -> Iterator[Trial]:
    """Writes the config of every test, and yields the tests."""
    weights = file_sha256(Path(args.checkpoint))
    made = args.out_dir / RECORDINGS
    recordings = {'noise': args.noise or made / 'noise', 'babble': made / 'babble'}
    yield trial(cfg, CLEAN, None, weights, args)
    for name, degradation in chosen.items():
        for level in args.levels or degradation.levels:
            yield trial(degraded(cfg, degradation, level, recordings), name, level, weights, args)


def trial(cfg: Config, name: str, level: float | None, weights: str, args: argparse.Namespace) -> Trial:
    """Writes the config of a test, and returns the test."""
    label = name if level is None else f'{name}_{level:g}'
    config, out = args.out_dir / 'configs' / f'{label}.py', args.out_dir / 'predictions' / f'{label}.pkl'
    write_text(config, cfg.pretty_text)
    tool = str(tools_root() / 'test.py')
    arguments = ('--work-dir', str(args.out_dir / 'logs' / label), '--out', str(out))
    identity = {**testing_identity(cfg, Path(args.checkpoint)), 'weights': weights}
    line = ('python', tool, str(config), args.checkpoint, *arguments)
    return Trial(name, level, Step(label, label, line, outputs=(out,), identity=identity), out)


def run(left: Sequence[Step], marks: StepMarks, args: argparse.Namespace) -> None:
    """Runs tests, several at a time.

    Raises:
        RuntimeError: If a test failed.
    """
    if not left:
        return
    threads = {} if args.jobs == 1 else {'OMP_NUM_THREADS': '1'}
    starter = step_starter(threads)

    def start(step: Step) -> Job:
        print(f'{step.name}: started', flush=True)
        marks.begin(step)
        log = args.out_dir / 'logs' / f'{step.name}.log'
        return starter(step, log_file=log, label=f'{step.name}: ', environment=threads)

    run_side_by_side(left, args.jobs, start, marks.finish)


def measured(samples: Samples, resamples: int, metric: FrameMetric | None = None) -> dict[str, list[float]]:
    """Returns measures with their intervals: UAR of classes, CCC of every predicted value, or measures of frames.

    Raises:
        ValueError: If the predictions have none of them.
    """
    if metric is not None:
        of_frames, recordings = frame_measures(samples, metric)
        return {name: [*bootstrap_interval(one, recordings, resamples)] for name, one in of_frames.items()}
    found: dict[str, list[float]] = {}
    if 'pred_score' in samples[0]:
        scores, labels = scores_and_labels(samples)
        found['UAR'] = [*bootstrap_interval(unweighted_recall(scores.argmax(1), labels), len(samples), resamples)]
    if 'pred_values' in samples[0]:
        values, targets = values_and_targets(samples)
        for index in range(values.shape[1]):
            name = 'CCC' if values.shape[1] == 1 else f'CCC/{index}'
            measure = concordance(values[:, index], targets[:, index])
            found[name] = [*bootstrap_interval(measure, len(samples), resamples)]
    if not found:
        fields = sorted(name for name in samples[0] if name.startswith('pred_'))
        raise ValueError(
            f'the predictions are {fields}: classes (pred_score) and values (pred_values) of clips can be measured, '
            'and predictions per frame, if test_evaluator is a FrameMetric'
        )
    return found


def frame_metric(cfg: Config) -> FrameMetric | None:
    """Returns the metric of the config that measures frames, if it has one."""
    evaluators = cfg.get('test_evaluator') or []
    for evaluator in evaluators if isinstance(evaluators, list) else [evaluators]:
        if evaluator.get('type') == FrameMetric.__name__:
            metric: FrameMetric = METRICS.build(dict(evaluator))
            return metric
    return None


def collect(trials: Sequence[Trial], cfg: Config, resamples: int) -> list[dict[str, Any]]:
    """Measures every test: a row with name, level, and each measure as value, low and high."""
    rows, metric = [], frame_metric(cfg)
    for one in trials:
        samples = read_predictions(one.predictions)
        measures = measured(samples, resamples, metric)
        rows.append({'degradation': one.name, 'level': one.level, 'clips': len(samples), **measures})
    return rows


def write_results(rows: list[dict[str, Any]], chosen: dict[str, Degradation], args: argparse.Namespace) -> None:
    """Writes ``robustness.json``, ``.csv`` and ``.md``, and a picture per measure."""
    from hicmae_mm.visualization.robustness import RobustnessPanel, draw_robustness  # matplotlib only where needed
    from hicmae_mm.visualization.style import save_figure

    measures = [name for name, value in rows[0].items() if isinstance(value, list)]
    write_text(args.out_dir / 'robustness.json', json.dumps(rows, indent=1) + '\n')
    write_text(args.out_dir / 'robustness.csv', as_csv(rows, measures))
    write_text(args.out_dir / 'robustness.md', as_markdown(rows, measures))
    samples = read_predictions(args.out_dir / 'predictions' / f'{CLEAN}.pkl')
    for measure in measures:
        panels = []
        for name, degradation in chosen.items():
            of_name = [row for row in rows if row['degradation'] == name]
            values, lows, highs = zip(*(row[measure] for row in of_name))
            levels = [row['level'] for row in of_name]
            panels.append(RobustnessPanel(degradation.title, degradation.axis, levels, values, lows, highs))
        chance = 1 / len(np.unique(scores_and_labels(samples)[1])) if measure == 'UAR' else None
        figure = draw_robustness(panels, measure, rows[0][measure][0], chance, Path(args.config).stem)
        save_figure(figure, args.out_dir / f'robustness_{measure.replace("/", "_")}.png')


def as_csv(rows: list[dict[str, Any]], measures: list[str]) -> str:
    """Returns the rows as CSV text."""
    parts = ('', ' low', ' high')
    facts = ('degradation', 'level', 'clips')
    return csv_text(
        [
            {name: row[name] for name in facts}
            | {f'{name}{part}': value for name in measures for part, value in zip(parts, row[name])}
            for row in rows
        ]
    )


def as_markdown(rows: list[dict[str, Any]], measures: list[str]) -> str:
    """Returns the rows as a Markdown table."""
    lines = [f'| degradation | level | {" | ".join(measures)} |', '|---|---|' + '---|' * len(measures)]
    for row in rows:
        cells = [f'{value:.3f} ({low:.3f} to {high:.3f})' for value, low, high in (row[name] for name in measures)]
        level = '' if row['level'] is None else f'{row["level"]:g}'
        lines.append(f'| {row["degradation"]} | {level} | {" | ".join(cells)} |')
    return '\n'.join(lines) + '\n'


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Tests, measures and draws."""
    args = parse_args(argv)
    check_exists(args.checkpoint)
    cfg = load_config(args.config, args.cfg_options)
    check_config(cfg)
    chosen = choose(cfg, args)
    with exclusive(args.out_dir / '.lock'):
        trials, marks = list(plan(cfg, chosen, args)), StepMarks(args.out_dir / 'steps')
        left = [one for one in trials if not marks.is_finished(one.step)]
        if args.dry_run:
            print('\n'.join(one.step.shell_line for one in left))
            return 0
        names = {one.name for one in left} - ({'noise'} if args.noise else set())
        write_noise(cfg, args.out_dir / RECORDINGS, names)
        try:
            # first the clean clips alone, because predictions that cannot be measured need no further test
            run([one.step for one in left if one.name == CLEAN], marks, args)
            collect(trials[:1], cfg, args.resamples)
            run([one.step for one in left if one.name != CLEAN], marks, args)
        except KeyboardInterrupt:
            raise KeyboardInterrupt('the same command continues here') from None
        rows = collect(trials, cfg, args.resamples)
        write_results(rows, chosen, args)
    print(as_markdown(rows, [name for name, value in rows[0].items() if isinstance(value, list)]), end='')
    print(f'\nTables and curves: {args.out_dir}/robustness*')
    return 0


if __name__ == '__main__':
    sys.exit(main())

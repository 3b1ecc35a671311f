"""Runs the quickstart: this package's own tools one after the other, and prints what they found.

bash tools/quickstart.sh [--force] [--tiny] [--work-dir DIR] [--data-root DIR] [--jobs N]

Every step is a command that a user can run again by hand; it is printed before it runs. Steps that do not need each
other run side by side, the lines of each under its name. Finished steps are skipped on a rerun, interrupted trainings
resume.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from hicmae_mm.commands.progress import StepProgress, covered_seconds
from hicmae_mm.commands.side_by_side import run_side_by_side
from hicmae_mm.commands.steps import Step, StepMarks
from hicmae_mm.config.reading import read_config
from hicmae_mm.datasets.writers import write_picture
from hicmae_mm.utils.files import write_text

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = Path('configs')
PRETRAIN = CONFIGS / 'hicmae_nano_pretrain_synthetic.py'
# name -> (what the table calls it, config, starts from the pre-trained weights?)
RUNS = {
    'audio_video': ('A+V, pre-trained', CONFIGS / 'hicmae_nano_synthetic.py', True),
    'audio': ('A, pre-trained', CONFIGS / 'hicmae_nano_audio_synthetic.py', True),
    'video': ('V, pre-trained', CONFIGS / 'hicmae_nano_video_synthetic.py', True),
    'audio_video_scratch': ('A+V, from scratch', CONFIGS / 'hicmae_nano_synthetic.py', False),
}
NUM_CLASSES = 6
# what --tiny changes: fewer clips, fewer epochs
TINY_CORPUS = (
    *('--num-train-actors', '2', '--num-train-takes', '2', '--num-unlabelled-takes', '1'),
    *('--num-test-actors', '1', '--num-test-takes', '1'),
)
TINY_EPOCHS = 2
TINY_TRAINING = (
    f'train_cfg.max_epochs={TINY_EPOCHS}',
    'param_scheduler.0.warmup=1',
    'default_hooks.checkpoint.interval=1',
    'default_hooks.logger.interval=1',
)
TINY_VALIDATION = ('train_cfg.val_interval=1',)
LOADER_WORKERS = 2  # of the configs
LOW_PRIORITY = 15  # niceness of trainings that the pre-training, and what needs it longest, should not wait for
MOST_JOBS = 4  # more steps than that are never ready at once


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Pre-train, fine-tune and test on synthetic talking faces')
    parser.add_argument('--work-dir', type=Path, help='default: work_dirs/quickstart')
    parser.add_argument('--data-root', type=Path, help='folder of the media; default: data/synthetic')
    parser.add_argument('--force', action='store_true', help='run every step again')
    parser.add_argument('--tiny', action='store_true', help='few clips, two epochs: does it run?')
    parser.add_argument('--jobs', type=int, default=min(num_cores(), MOST_JOBS), help='steps at a time (%(default)s)')
    args = parser.parse_args()
    if args.jobs < 1:
        parser.error(f'--jobs must be at least 1, got {args.jobs}')
    suffix = '_tiny' if args.tiny else ''
    args.work_dir = args.work_dir or Path(f'work_dirs/quickstart{suffix}')
    args.data_root = args.data_root or Path(f'data/synthetic{suffix}')
    return args


def num_cores() -> int:
    """Returns the CPU cores that this process may use."""
    return len(os.sched_getaffinity(0))


def plan(work_dir: Path, data_root: Path, is_tiny: bool) -> Iterator[Step]:
    """Returns the steps, each after those that it needs. Training from scratch runs beside the pre-training."""
    options = TINY_TRAINING if is_tiny else ()
    corpus = ('--out', str(data_root), *(TINY_CORPUS if is_tiny else ()))
    make = tool('dataset_converters/make_synthetic.py', *corpus)
    yield Step('media', 'draw and record talking faces', make, outputs=(ROOT / data_root / 'test.csv',))
    yield train_step('pretrain', 'pre-train without labels', PRETRAIN, work_dir, options, 'media')
    pretrained = work_dir / 'pretrain' / last_checkpoint(PRETRAIN, is_tiny)
    for name, (title, config, is_pretrained) in RUNS.items():
        # small learning rates for the lower layers protect pre-trained weights; there are none to protect from scratch
        start = (f'load_from={pretrained}' if is_pretrained else 'optim_wrapper.paramwise_cfg.layer_decay=1.0',)
        validation = TINY_VALIDATION if is_tiny else ()
        needed = 'pretrain' if is_pretrained else 'media'
        training = train_step(name, f'fine-tune: {title}', config, work_dir, options + validation + start, needed)
        yield training if name == 'audio_video' else replace(training, niceness=LOW_PRIORITY)
        run_dir = work_dir / name
        checkpoint = run_dir / last_checkpoint(config, is_tiny)
        test = ('--out', run_dir / 'metrics.json', '--work-dir', run_dir / 'test')
        command = tool('test.py', config, checkpoint, *test)
        yield Step(f'test_{name}', f'test on unseen actors: {title}', command, needs=(name,))
    yield from picture_steps(work_dir, is_tiny)


def last_checkpoint(config: Path, is_tiny: bool) -> str:
    """Returns the file name of the checkpoint of the last epoch."""
    epochs = TINY_EPOCHS if is_tiny else read_config(ROOT / config).train_cfg.max_epochs
    return f'epoch_{epochs}.pth'


def picture_steps(work_dir: Path, is_tiny: bool) -> Iterator[Step]:
    """Returns what a user can look at."""
    pictures = work_dir / 'pictures'
    config = RUNS['audio_video'][1]
    yield Step(
        'reconstruction',
        'draw masked inputs and their reconstructions',
        tool(
            'visualization/vis_reconstruction.py', PRETRAIN, work_dir / 'pretrain' / last_checkpoint(PRETRAIN, is_tiny),
            '--out', pictures / 'reconstruction', '--num-clips', '4',
        ),
        needs=('pretrain',),
    )  # fmt: skip
    yield Step(
        'confusion',
        'draw the confusion matrix',
        tool(
            'analysis_tools/confusion_matrix.py', config, work_dir / 'audio_video' / last_checkpoint(config, is_tiny),
            '--work-dir', work_dir / 'audio_video' / 'confusion',
            '--out', pictures / 'confusion_matrix.png',
        ),
        needs=('audio_video',),
    )  # fmt: skip
    legend = [title for title, _, _ in RUNS.values()]
    yield Step(
        'curves',
        'draw the training curves',
        tool(
            'analysis_tools/analyze_logs.py', 'plot_curve', *(work_dir / name for name in RUNS),
            '--keys', 'UAR', '--legend', *legend, '--title', 'UAR on unseen actors while fine-tuning',
            '--out', pictures / 'curves.png',
        ),
        needs=tuple(RUNS),
    )  # fmt: skip


def tool(name: str, *arguments: object) -> tuple[str, ...]:
    """Returns the command line of one of this package's tools."""
    return ('python', f'tools/{name}', *map(str, arguments))


def train_step(name: str, title: str, config: Path, work_dir: Path, options: tuple[str, ...], needed: str) -> Step:
    """Returns the step of a training, which resumes if it was interrupted."""
    settings = ('--cfg-options', *options) if options else ()
    command = tool('train.py', config, '--work-dir', work_dir / name, '--resume', *settings)
    return Step(name, title, command, needs=(needed,))


def shared_cores(num_jobs: int) -> dict[str, str]:
    """Leaves each of several steps its share of the cores, and of these its data loader's workers theirs."""
    if num_jobs == 1 or 'OMP_NUM_THREADS' in os.environ:
        return {}
    return {'OMP_NUM_THREADS': str(max(num_cores() // num_jobs - LOADER_WORKERS, 1))}


def remove_outdated(steps: list[Step], marks: StepMarks, work_dir: Path) -> None:
    """Removes the marks of steps whose command has changed, and of all that need them, with their trainings."""
    outdated: set[str] = set()
    for step in steps:
        if marks.is_outdated(step) or not outdated.isdisjoint(step.needs):
            outdated.add(step.name)
            marks.forget(step)
            if step.name in ('pretrain', *RUNS):
                shutil.rmtree(ROOT / work_dir / step.name, ignore_errors=True)


def summarise(work_dir: Path, steps: list[Step], marks: StepMarks) -> dict[str, float]:
    """Writes ``summary.json`` and ``summary.md``; returns the UAR of every run by its title."""
    scores = {
        title: json.loads((ROOT / work_dir / name / 'metrics.json').read_text())['UAR']
        for name, (title, _, _) in RUNS.items()
    }
    scores['chance'] = 1 / NUM_CLASSES
    lines = ['| streams, start | UAR on unseen actors |', '|---|---|']
    lines += [f'| {title} | {score:.3f} |' for title, score in scores.items()]
    write_text(ROOT / work_dir / 'summary.md', '\n'.join(lines) + '\n')
    seconds = {step.name: marks.read(step)['seconds'] for step in steps}
    ends = {step.name: marks.mark_of(step).stat().st_mtime for step in steps}
    busy = covered_seconds([(end - seconds[name], end) for name, end in ends.items()])
    summary = {'UAR': scores, 'seconds': seconds, 'total_seconds': round(busy, 1)}
    write_text(ROOT / work_dir / 'summary.json', json.dumps(summary, indent=2) + '\n')
    return scores


def draw_overview(work_dir: Path) -> None:
    """Puts the pictures side by side into one: reconstruction on the left, matrix and curves on the right."""
    pictures = ROOT / work_dir / 'pictures'
    left = cv2.imread(str(min((pictures / 'reconstruction').glob('*.png'))))
    right = [cv2.imread(str(pictures / name)) for name in ('confusion_matrix.png', 'curves.png')]
    width = min(picture.shape[1] for picture in right)
    column = np.vstack([scaled(picture, width / picture.shape[1]) for picture in right])
    column = scaled(column, left.shape[0] / column.shape[0])[: left.shape[0]]
    write_picture(pictures / 'overview.png', np.hstack([left[: column.shape[0]], column])[..., ::-1])


def scaled(picture: np.ndarray, factor: float) -> np.ndarray:
    """Resizes a picture ``(H, W, 3)``; ``factor`` is new size over old size."""
    height, width = (round(side * factor) for side in picture.shape[:2])
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)


def report(console: Console, scores: dict[str, float], work_dir: Path) -> None:
    """Prints the table and where to look."""
    table = Table('streams, start', 'UAR', title='Six emotions, actors never seen in training')
    for title, score in scores.items():
        table.add_row(title, f'{score:.3f}')
    console.print(table)
    console.print(f'Pictures: {work_dir / "pictures"} (overview.png has them side by side)')
    console.print(f'Table: {work_dir / "summary.md"}. Trainings, logs and checkpoints: {work_dir}')


@command
def main() -> int:
    """Runs the steps that are not finished yet."""
    args = parse_args()
    console = Console(highlight=False, soft_wrap=True)
    media = {'SYNTHETIC_ROOT': str(args.data_root)}
    steps = [replace(step, environment=media) for step in plan(args.work_dir, args.data_root, args.tiny)]
    if args.force:
        shutil.rmtree(ROOT / args.work_dir, ignore_errors=True)
    marks = StepMarks(ROOT / args.work_dir / 'finished')
    remove_outdated(steps, marks, args.work_dir)
    os.environ.update(shared_cores(args.jobs))
    unprinted = {'media': ('--force',)} if args.force else {}
    progress = StepProgress(steps, marks, args.jobs, console, ROOT, unprinted)
    try:
        run_side_by_side(steps, args.jobs, progress.start, progress.finish)
    except KeyboardInterrupt:
        raise KeyboardInterrupt('run the quickstart again to continue here') from None
    except RuntimeError as error:
        raise RuntimeError(f'{error}. Run the quickstart again to continue here.') from error
    draw_overview(args.work_dir)
    report(console, summarise(args.work_dir, steps, marks), args.work_dir)
    return 0


if __name__ == '__main__':
    sys.exit(main())

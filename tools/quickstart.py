"""The quickstart: runs this package's own tools one after the other, and prints what came out.

bash tools/quickstart.sh [--force] [--tiny] [--work-dir DIR] [--data-root DIR]

Every step is a command that a user can run again by hand; it is printed before it runs. Finished steps are skipped on a
rerun, interrupted trainings resume.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from mmengine.config import Config
from rich.console import Console
from rich.table import Table

from hicmae_mm.utils.steps import Step, StepMarks, run_step

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


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description='Pre-train, fine-tune and test on synthetic talking faces')
    parser.add_argument('--work-dir', type=Path, help='default: work_dirs/quickstart')
    parser.add_argument('--data-root', type=Path, help='folder of the media; default: data/synthetic')
    parser.add_argument('--force', action='store_true', help='run every step again')
    parser.add_argument('--tiny', action='store_true', help='few clips, two epochs: does it run?')
    args = parser.parse_args()
    suffix = '_tiny' if args.tiny else ''
    args.work_dir = args.work_dir or Path(f'work_dirs/quickstart{suffix}')
    args.data_root = args.data_root or Path(f'data/synthetic{suffix}')
    return args


def plan(work_dir: Path, data_root: Path, is_tiny: bool) -> Iterator[Step]:
    """The steps in order."""
    options = TINY_TRAINING if is_tiny else ()
    corpus = ('--out', str(data_root), *(TINY_CORPUS if is_tiny else ()))
    make = tool('dataset_converters/make_synthetic.py', *corpus)
    yield Step('media', 'draw and record talking faces', make, outputs=(ROOT / data_root / 'test.csv',))
    yield train_step('pretrain', 'pre-train without labels', PRETRAIN, work_dir, options)
    pretrained = work_dir / 'pretrain' / last_checkpoint(PRETRAIN, is_tiny)
    for name, (title, config, is_pretrained) in RUNS.items():
        # small learning rates for the lower layers protect pre-trained weights; there are none to protect from scratch
        start = (f'load_from={pretrained}' if is_pretrained else 'optim_wrapper.paramwise_cfg.layer_decay=1.0',)
        validation = TINY_VALIDATION if is_tiny else ()
        yield train_step(name, f'fine-tune: {title}', config, work_dir, options + validation + start)
        run_dir = work_dir / name
        checkpoint = run_dir / last_checkpoint(config, is_tiny)
        test = ('--out', run_dir / 'metrics.json', '--work-dir', run_dir / 'test')
        yield Step(f'test_{name}', f'test on unseen actors: {title}', tool('test.py', config, checkpoint, *test))
    yield from picture_steps(work_dir, is_tiny)


def last_checkpoint(config: Path, is_tiny: bool) -> str:
    """File name of the checkpoint of the last epoch."""
    epochs = TINY_EPOCHS if is_tiny else Config.fromfile(ROOT / config).train_cfg.max_epochs
    return f'epoch_{epochs}.pth'


def picture_steps(work_dir: Path, is_tiny: bool) -> Iterator[Step]:
    """What a user can look at."""
    pictures = work_dir / 'pictures'
    config = RUNS['audio_video'][1]
    yield Step(
        'reconstruction',
        'draw masked inputs and their reconstructions',
        tool(
            'visualization/vis_reconstruction.py', PRETRAIN, work_dir / 'pretrain' / last_checkpoint(PRETRAIN, is_tiny),
            '--out', pictures / 'reconstruction', '--num-clips', '4',
        ),
    )  # fmt: skip
    yield Step(
        'confusion',
        'draw the confusion matrix',
        tool(
            'analysis_tools/confusion_matrix.py', config, work_dir / 'audio_video' / last_checkpoint(config, is_tiny),
            '--work-dir', work_dir / 'audio_video' / 'confusion',
            '--out', pictures / 'confusion_matrix.png',
        ),
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
    )  # fmt: skip


def tool(name: str, *arguments: object) -> tuple[str, ...]:
    """Command line of one of this package's tools."""
    return ('python', f'tools/{name}', *map(str, arguments))


def train_step(name: str, title: str, config: Path, work_dir: Path, options: tuple[str, ...]) -> Step:
    """A training that resumes if it was cut short."""
    settings = ('--cfg-options', *options) if options else ()
    return Step(name, title, tool('train.py', config, '--work-dir', work_dir / name, '--resume', *settings))


def run(step: Step, marks: StepMarks, is_forced: bool) -> None:
    """Runs a step in the foreground and marks it as done.

    Raises:
        RuntimeError: The command failed.
    """
    extra = ('--force',) if is_forced and step.name == 'media' else ()
    marks.begin(step)
    marks.finish(step, run_step(replace(step, command=(*step.command, *extra)), cwd=ROOT))


def forget_outdated(steps: list[Step], marks: StepMarks, work_dir: Path) -> None:
    """Forgets a step whose command has changed since, and all that come after it, with their trainings."""
    is_outdated = False
    for step in steps:
        is_outdated = is_outdated or marks.is_outdated(step)
        if is_outdated:
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
    (ROOT / work_dir / 'summary.md').write_text('\n'.join(lines) + '\n')
    seconds = {step.name: marks.read(step)['seconds'] for step in steps}
    summary = {'UAR': scores, 'seconds': seconds, 'total_seconds': round(sum(seconds.values()), 1)}
    (ROOT / work_dir / 'summary.json').write_text(json.dumps(summary, indent=2) + '\n')
    return scores


def draw_overview(work_dir: Path) -> None:
    """Puts the pictures side by side into one: reconstruction on the left, matrix and curves on the right."""
    pictures = ROOT / work_dir / 'pictures'
    left = cv2.imread(str(min((pictures / 'reconstruction').glob('*.png'))))
    right = [cv2.imread(str(pictures / name)) for name in ('confusion_matrix.png', 'curves.png')]
    width = min(picture.shape[1] for picture in right)
    column = np.vstack([scaled(picture, width / picture.shape[1]) for picture in right])
    column = scaled(column, left.shape[0] / column.shape[0])[: left.shape[0]]
    cv2.imwrite(str(pictures / 'overview.png'), np.hstack([left[: column.shape[0]], column]))


def scaled(picture: np.ndarray, factor: float) -> np.ndarray:
    """A picture ``(H, W, 3)`` of another size; ``factor`` is new over old."""
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


def main() -> int:
    """Runs the steps that are not finished yet."""
    args = parse_args()
    console = Console(highlight=False, soft_wrap=True)
    media = {'SYNTHETIC_ROOT': str(args.data_root)}
    steps = [replace(step, environment=media) for step in plan(args.work_dir, args.data_root, args.tiny)]
    if args.force:
        shutil.rmtree(ROOT / args.work_dir, ignore_errors=True)
    marks = StepMarks(ROOT / args.work_dir / 'finished')
    forget_outdated(steps, marks, args.work_dir)
    started = time.monotonic()
    for number, step in enumerate(steps, start=1):
        console.rule(f'{number}/{len(steps)} {step.title} [{time.monotonic() - started:.0f} s]')
        if marks.is_finished(step):
            console.print('finished before')
            continue
        console.print(f'$ {step.shell_line}', markup=False)
        try:
            run(step, marks, args.force)
        except (RuntimeError, KeyboardInterrupt) as error:
            console.print(f'{str(error) or "interrupted"}. Run the quickstart again to continue here.', style='red')
            return 1
    draw_overview(args.work_dir)
    report(console, summarise(args.work_dir, steps, marks), args.work_dir)
    return 0


if __name__ == '__main__':
    raise SystemExit(main())

"""Trains the systems around HiCMAE on the synthetic corpus, and writes the table of docs/plugins.md.

python tools/analysis_tools/plugins_table.py            # everything that is not finished, then the table
python tools/analysis_tools/plugins_table.py --table    # the table from what is finished

Media, features, trainings and tests are steps that a user can run again by hand; each is printed. A rerun continues
where the last one was stopped.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from hicmae_mm.commands.preloaded import step_starter
from hicmae_mm.commands.side_by_side import Job, run_side_by_side
from hicmae_mm.commands.steps import Step, StepMarks
from hicmae_mm.config.reading import read_config
from hicmae_mm.datasets.synthetic.corpus import EMOTIONS
from hicmae_mm.measuring.pages import replace_between_marks
from hicmae_mm.measuring.plugins import ALL, MARKS, SYSTEMS, PluginSystem, plugins_table

ROOT = Path(__file__).resolve().parents[2]
EXTRACTOR = Path('configs/hicmae_nano_text_synthetic.py')


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Train the systems around HiCMAE at nano size, and write their table')
    parser.add_argument('--data-root', type=Path, default=Path('data/plugins'), help='media (default: %(default)s)')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/plugins'), help='default: %(default)s')
    parser.add_argument('--page', type=Path, default=ROOT / 'docs' / 'plugins.md', help='page with the marks')
    parser.add_argument('--only', nargs='+', choices=[system.name for system in SYSTEMS], help='configs to train')
    parser.add_argument('--table', action='store_true', help='train nothing, write the table')
    return parser.parse_args(argv)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the steps that are not finished, and writes the table; rows of other systems stay."""
    args = parse_args(argv)
    console = Console(highlight=False, soft_wrap=True)
    marks = StepMarks(ROOT / args.work_dir / 'finished')
    steps = [] if args.table else list(plan(args))
    if not all(map(marks.is_finished, steps)):
        starter = step_starter()

        def start(step: Step) -> Job | None:
            if marks.is_finished(step):  # also one that two systems need
                return None
            console.rule(step.title)
            console.print(f'$ {step.shell_line}', markup=False)
            marks.begin(step)
            return starter(step, cwd=ROOT)

        run_side_by_side(steps, 1, start, marks.finish)
    page = args.page.read_text(encoding='utf-8') if args.page.is_file() else ''
    text = plugins_table(finished_scores(ROOT / args.work_dir), page)
    replace_between_marks(args.page, MARKS, text)
    print(text)
    return 0


def plan(args: argparse.Namespace) -> Iterator[Step]:
    """Returns media, features, and the training and test of each system with all streams and with each alone."""
    yield from preparation(args)
    for system in SYSTEMS:
        if args.only is None or system.name in args.only:
            if system.frame_features_of:
                yield from frame_features(args, _named(system.frame_features_of))
            for variant in (ALL, *system.streams):
                yield training(args, _named(system.weights_of or system.name), variant)
                yield test(args, system, variant)


def _named(name: str) -> PluginSystem:
    return next(system for system in SYSTEMS if system.name == name)


def preparation(args: argparse.Namespace) -> Iterator[Step]:
    """Returns the steps that make media, candidate labels, statistics of voices, and features."""
    root, folder = args.data_root, args.work_dir / 'extractor'
    media = ('--out', root, '--num-unlabelled-takes', 0, '--recordings', '--compounds')
    yield tool('media', 'make media', 'dataset_converters/make_synthetic.py', root, *media)
    names = ('--label-pattern', r'_([A-Z]+)\.wav', '--speaker-pattern', r'_(\d+)_\d+_')
    voices = ('--out-dir', root / 'voice', '--folds', 4, *names)
    yield tool('voices', 'statistics of voices', 'dataset_converters/speech.py', root, root / 'audio', *voices)
    rates = ('--partial-rate', 0.3, '--noise-rate', 0.3, '--classes', *EMOTIONS)
    table = root / 'train_described.csv'
    yield tool('candidates', 'draw candidates', 'dataset_converters/candidate_labels.py', root, table, *rates)
    yield tool('extractor', 'train the extractor', 'train.py', root, EXTRACTOR, '--work-dir', folder, '--resume')
    checkpoint = folder / f'epoch_{read_config(ROOT / EXTRACTOR).train_cfg.max_epochs}.pth'
    for split in ('train', 'test'):
        talks = ('--ann-file', root / f'{split}_talks.csv', '--data-root', root, '--format', 'npy')
        forms = {split: ('clip', 'video', 'audio', 'text'), f'{split}_steps': ('frame', 'video', 'audio')}
        for name, (level, *streams) in forms.items():
            options = ('--out', root / 'features' / name, *talks, '--level', level, '--streams', *streams)
            title = f'extract features, {name}'
            yield tool(f'features_{name}', title, 'extract_features.py', root, EXTRACTOR, checkpoint, *options)


def frame_features(args: argparse.Namespace, system: PluginSystem) -> Iterator[Step]:
    """Returns the trainings of a system with each stream alone, and the steps that make features of frames by them."""
    root = args.data_root
    lists = [root / 'recordings' / f'{split}.csv' for split in ('train', 'test')]
    for stream in system.streams:
        yield training(args, system, stream)
        model = (config_path(system, stream), '--weights', checkpoint(args, system, stream), '--stream', stream)
        options = (*model, '--lists', *lists, '--out', root / 'recordings' / 'features' / stream)
        title = f'extract features of frames, {stream}'
        yield tool(f'frame_features_{stream}', title, 'extract_frame_features.py', root, *options)


def training(args: argparse.Namespace, system: PluginSystem, variant: str) -> Step:
    """Returns the training of a system with all streams or one."""
    name = variant_name(system, variant)
    options = ('--work-dir', args.work_dir / name, '--resume', *overrides(system, variant))
    title = f'{system.title}, {variant}'
    return tool(f'train_{name}', title, 'train.py', args.data_root, config_path(system, variant), *options)


def test(args: argparse.Namespace, system: PluginSystem, variant: str) -> Step:
    """Returns the test of a system with all streams or one."""
    name = variant_name(system, variant)
    folder = args.work_dir / name
    weights = checkpoint(args, _named(system.weights_of or system.name), variant)
    out = ('--out', folder / 'metrics.json', '--work-dir', folder / 'test')
    options = (config_path(system, variant), weights, *out, *overrides(system, variant))
    return tool(f'test_{name}', f'test {system.title}, {variant}', 'test.py', args.data_root, *options)


def config_path(system: PluginSystem, variant: str) -> Path:
    """Returns the config of a system with all streams or one."""
    return Path('configs', f'{system.config_of(variant)}.py')


def checkpoint(args: argparse.Namespace, system: PluginSystem, variant: str) -> Path:
    """Returns the last checkpoint of the training of a system with all streams or one."""
    epochs = read_config(ROOT / config_path(system, variant)).train_cfg.max_epochs
    return Path(args.work_dir, variant_name(system, variant), f'epoch_{epochs}.pth')


def overrides(system: PluginSystem, variant: str) -> tuple[str, ...]:
    """Returns the options of the command line that leave one stream alone."""
    values = system.overrides_of(variant)
    return ('--cfg-options', *values) if values else ()


def variant_name(system: PluginSystem, variant: str) -> str:
    """Returns the name of the folder of a training."""
    return f'{system.name}_{variant.replace(" ", "_")}'


def tool(name: str, title: str, path: str, root: Path, *arguments: object) -> Step:
    """Returns the step of one of this package's tools."""
    return Step(name, title, ('python', f'tools/{path}', *map(str, arguments)), {'SYNTHETIC_ROOT': str(root)})


def finished_scores(work_dir: Path) -> dict[str, dict[str, dict[str, float]]]:
    """Reads the results of the tests that are finished."""
    scores: dict[str, dict[str, dict[str, float]]] = {}
    for system in SYSTEMS:
        for variant in (ALL, *system.streams):
            path = work_dir / variant_name(system, variant) / 'metrics.json'
            if path.is_file():
                scores.setdefault(system.name, {})[variant] = json.loads(path.read_text(encoding='utf-8'))
    return scores


if __name__ == '__main__':
    sys.exit(main())

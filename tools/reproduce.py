"""From nothing to the table of folds of an open corpus, by this package's own tools one after the other.

bash tools/reproduce.sh ravdess --accept-licence --load-from PRETRAINED.pth --gpus 4 --amp

Every step is a command that a user can run again by hand; it is printed before it runs. Finished steps are skipped on a
rerun, interrupted ones resume. See docs/reproduction.md.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hicmae_mm.commands.steps import Step, StepMarks, run_step
from hicmae_mm.config.folds import parse_folds
from hicmae_mm.config.paths import configs_root, tools_root
from hicmae_mm.datasets.downloads import DOWNLOADS
from hicmae_mm.utils.files import exclusive

STREAMS = ('audio', 'video', 'both')


@dataclass(frozen=True)
class Recipe:
    """Describes how a corpus becomes a table.

    Attributes:
        folds: All of its folds.
        configs: Streams -> name of the config.
        root_variable: Environment variable that tells the configs where the lists are.
        folders: Stream -> folder that is there once it is downloaded.
        videos: Folder of the videos below that of the corpus.
        match: Names of the videos that are used.
        sizes: Streams -> what there is to download.
        video_hours: Total length of all videos that are used.
    """

    folds: str
    configs: dict[str, str]
    root_variable: str
    folders: dict[str, str]
    videos: str
    match: str
    sizes: dict[str, str]
    video_hours: float


RECIPES = {
    'ravdess': Recipe(
        folds='1-6',
        configs={'both': 'hicmae_base_ravdess.py', 'audio': 'hicmae_base_audio_ravdess.py'},
        root_variable='RAVDESS_ROOT',
        folders={'audio': 'Audio_Speech_Actors_01-24', 'video': 'Video_Speech_Actor_24'},
        videos='',
        match='01-*',  # 02-* are the same pictures
        sizes={'both': '13 GB', 'audio': '0.2 GB', 'video': '13 GB'},
        video_hours=1.5,
    ),
    'cremad': Recipe(
        folds='1-5',
        configs={
            'both': 'hicmae_base_cremad.py',
            'audio': 'hicmae_base_audio_cremad.py',
            'video': 'hicmae_base_video_cremad.py',
        },
        root_variable='CREMAD_ROOT',
        folders={'audio': 'AudioWAV', 'video': 'VideoFlash'},
        videos='VideoFlash',
        match='*',
        sizes={'both': '15,000 files', 'audio': '7,500 files', 'video': '7,500 files'},
        video_hours=5.3,
    ),
}


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Download an open corpus, prepare it, train and test every fold, tabulate')
    parser.add_argument('corpus', choices=RECIPES, help='name of the corpus')
    parser.add_argument('--accept-licence', action='store_true', help='I have read the licence, and accept it')
    parser.add_argument('--streams', choices=STREAMS, default='both', help='streams that are used; default: both')
    parser.add_argument('--data-root', type=Path, help='folder of the corpus; default: data/raw/CORPUS')
    parser.add_argument('--no-download', action='store_true', help='the corpus is in --data-root already')
    parser.add_argument('--base-url', help='a mirror of the corpus, as of tools/misc/download_dataset.py')
    parser.add_argument('--work-dir', type=Path, help='default: work_dirs/reproduce_CORPUS_STREAMS')
    parser.add_argument('--config', help='another config than the published one, which reads FOLD')
    parser.add_argument('--load-from', help='pre-trained weights: a file or an address')
    parser.add_argument('--folds', help='such as 1-6, 1,3 or 2; default: all')
    parser.add_argument('--epochs', type=int, help='default: those of the config')
    parser.add_argument('--gpus', type=int, default=1, help='processes per training; default: 1')
    parser.add_argument('--amp', action='store_true', help='train in mixed precision')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='overrides of the config')
    parser.add_argument('--dry-run', action='store_true', help='print the commands that are still to be run')
    args = parser.parse_args(arguments)
    recipe = RECIPES[args.corpus]
    if args.epochs is not None and args.epochs < 1:
        parser.error(f'--epochs must be at least 1, got {args.epochs}')
    if args.config is None and args.streams not in recipe.configs:
        parser.error(f'there is no config of {args.corpus} for --streams {args.streams}: name one by --config')
    args.config = args.config or str(configs_root() / recipe.configs[args.streams])
    args.data_root = args.data_root or Path('data/raw') / args.corpus
    args.work_dir = args.work_dir or Path('work_dirs') / f'reproduce_{args.corpus}_{args.streams}'
    args.folds = args.folds or recipe.folds
    return args


def plan(args: argparse.Namespace) -> Iterator[Step]:
    """Returns the steps, each after the one that it needs."""
    recipe, root, lists = RECIPES[args.corpus], args.data_root, args.work_dir / 'lists'
    streams = ('audio', 'video') if args.streams == 'both' else (args.streams,)
    if not args.no_download:
        options = ('--out-dir', root, '--streams', args.streams, '--accept-licence')
        mirror = ('--base-url', args.base_url) if args.base_url else ()
        title = f'download the corpus ({recipe.sizes[args.streams]}; as long as your network takes)'
        there = tuple(root / recipe.folders[stream] for stream in streams)
        yield Step('download', title, tool('misc/download_dataset.py', args.corpus, *options, *mirror), outputs=there)
    if 'video' in streams:
        faces = root / 'face_aligned'
        match = () if recipe.match == '*' else ('--match', recipe.match)
        title = f'find the faces of {recipe.video_hours} hours of video (about as long on one core; all cores are used)'
        # the next step names clips that are needed and have no faces; CREMA-D has broken ones that are not needed
        options = (root / recipe.videos, '--out-dir', faces, *match, '--allow-failures')
        yield Step('faces', title, tool('dataset_converters/extract_faces.py', *options), outputs=(faces,))
    one_stream = () if args.streams == 'both' else ('--streams', args.streams)
    first = parse_folds(args.folds)[0]
    yield Step(
        'lists',
        'list the clips of each fold (seconds)',
        tool(f'dataset_converters/{args.corpus}.py', root, '--out-dir', lists, *one_stream),
        outputs=(lists / f'fold{first}' / 'train.csv',),
    )
    yield fold_step(args, lists)


def fold_step(args: argparse.Namespace, lists: Path) -> Step:
    """Returns the step of all trainings, tests and the table. The tool itself knows which of them are finished."""
    overrides = [*args.cfg_options]
    overrides += [] if args.epochs is None else [f'train_cfg.max_epochs={args.epochs}']
    overrides += [] if args.load_from is None else [f'load_from={args.load_from}']
    options = ['--folds', args.folds, '--gpus', str(args.gpus), '--work-dir', str(args.work_dir / 'folds')]
    options += ['--amp'] if args.amp else []
    options += ['--cfg-options', *overrides] if overrides else []
    number = len(parse_folds(args.folds))
    title = f'train and test {number} folds (at full size hours each on a GPU, days on a CPU)'
    environment = {RECIPES[args.corpus].root_variable: str(lists.resolve())}
    return Step('folds', title, tool('kfold.py', args.config, *options), environment)


def tool(name: str, *arguments: object) -> tuple[str, ...]:
    """Returns the command line of one of this package's tools."""
    return ('python', str(tools_root() / name), *map(str, arguments))


def steps_left(steps: Sequence[Step], marks: StepMarks) -> list[Step]:
    """Returns the unfinished steps and all that follow them, and always the last step."""
    finished = 0
    while finished < len(steps) - 1 and marks.is_finished(steps[finished]):
        finished += 1
    return list(steps[finished:])


def run(steps: Sequence[Step], args: argparse.Namespace) -> None:
    """Runs what is left, one step after the other.

    Raises:
        RuntimeError: If a step failed.
    """
    marks = StepMarks(args.work_dir / 'steps')
    with exclusive(args.work_dir / '.lock') as lock:
        left = steps_left(steps, marks)
        for number, step in enumerate(steps, 1):
            print(f'\n{number}/{len(steps)} {step.title}', flush=True)
            if step not in left:
                print('finished before', flush=True)
                continue
            print(f'$ {step.shell_line}', flush=True)
            marks.begin(step)
            marks.finish(step, run_step(step, keep_open=[lock]))


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the steps that are not finished yet."""
    args = parse_args(arguments)
    steps = list(plan(args))
    if args.dry_run:
        print('\n'.join(step.shell_line for step in steps_left(steps, StepMarks(args.work_dir / 'steps'))))
        return 0
    if not args.no_download:
        print(DOWNLOADS[args.corpus].licence_text(), flush=True)
        if not args.accept_licence:
            raise PermissionError('read the licence above; --accept-licence says that you accept it')
    if args.load_from is None:
        print('Without --load-from the models begin at random: expect scores far below the published ones.', flush=True)
    try:
        run(steps, args)
    except KeyboardInterrupt:
        raise KeyboardInterrupt('the same command continues here') from None
    except RuntimeError as error:
        raise RuntimeError(f'{error}; the same command continues here') from error
    return 0


if __name__ == '__main__':
    sys.exit(main())

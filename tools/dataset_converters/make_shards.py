"""Packs the clips of an annotation list into WebDataset tar shards, from which training reads them quickly.

    python tools/dataset_converters/make_shards.py data/voxceleb2/fold1/train.csv --data-root data/voxceleb2 \
        --out-dir data/voxceleb2_shards --crop 0,32,160,160

Run again, it goes on where it was stopped; finished shards cost nothing. Clips that are missing or broken are left out
and listed in ``report.json``. See docs/shards.md.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from hicmae_mm.datasets.preparation.pool import default_num_workers
from hicmae_mm.datasets.preparation.report import print_failures
from hicmae_mm.datasets.readers.video import BACKENDS
from hicmae_mm.datasets.shards.clip import SOUND
from hicmae_mm.datasets.shards.packing import ClipPacker, read_list
from hicmae_mm.datasets.shards.writing import REPORT_FILE, PackingPlan, write_shards

_COLUMNS = (
    TextColumn('{task.description}'),
    BarColumn(),
    MofNCompleteColumn(),
    TimeElapsedColumn(),
    TimeRemainingColumn(),
)
_STREAMS = ('video', 'audio')


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Pack clips into WebDataset tar shards.')
    parser.add_argument('ann_file', type=Path, metavar='ANN_FILE', help='annotation list, text or JSON')
    parser.add_argument('--data-root', type=Path, help="folder that the list's paths start from (default: the list's)")
    parser.add_argument('--out-dir', type=Path, required=True, metavar='DIR', help='folder of the shards')
    parser.add_argument(
        '--streams', nargs='+', choices=_STREAMS, default=_STREAMS, help='streams to pack (default: both)'
    )
    frames = parser.add_argument_group('frames', 'by default kept as they are')
    frames.add_argument('--crop', metavar='TOP,LEFT,HEIGHT,WIDTH', help='rectangle to cut out of every frame')
    frames.add_argument('--size', metavar='SIZE | HEIGHT,WIDTH', help='scale frames to this, after the crop')
    frames.add_argument('--fps', type=float, help='frames per second, the nearest earlier frame each')
    frames.add_argument(
        '--quality', type=int, default=90, help='quality of the JPEG files, 1 to 100 (default: %(default)s)'
    )
    frames.add_argument('--backend', choices=BACKENDS, help='video decoder (default: as in training)')
    frames.add_argument('--frame-folder-fps', type=float, metavar='FPS', help='frame rate of folders of frames')
    sound = parser.add_argument_group('sound', 'mono with 16 bits')
    sound.add_argument('--audio', choices=tuple(SOUND), default='flac', help='(default: %(default)s)')
    sound.add_argument('--sample-rate', type=int, metavar='HZ', help='(default: as it is)')
    shards = parser.add_argument_group('shards')
    length = shards.add_mutually_exclusive_group()
    length.add_argument('--samples-per-shard', type=int, metavar='N', help='clips of a shard (default: 1000)')
    length.add_argument('--shard-megabytes', type=float, metavar='MB', help='size of a shard instead, estimated')
    order = shards.add_mutually_exclusive_group()
    order.add_argument('--seed', type=int, default=0, help='seed of the order in which clips are packed (default: 0)')
    order.add_argument('--keep-order', action='store_true', help="pack in the list's order: for testing")
    parser.add_argument(
        '--num-workers', type=int, default=default_num_workers(), help='processes (default: one per core); 0: this one'
    )
    parser.add_argument('--force', action='store_true', help='pack everything again')
    parser.add_argument('--allow-failures', action='store_true', help='exit code 0 even if clips were left out')
    return parser.parse_args(argv)


def _numbers(text: str | None, option: str, *counts: int) -> tuple[int, ...] | None:
    """Numbers separated by commas."""
    if text is None:
        return None
    try:
        numbers = tuple(int(part) for part in text.split(','))
    except ValueError as error:
        raise ValueError(f'{option} takes whole numbers separated by commas, got {text!r}') from error
    if len(numbers) not in counts:
        raise ValueError(f'{option} takes {" or ".join(map(str, counts))} numbers, got {text!r}')
    return numbers


def make_plan(args: argparse.Namespace) -> PackingPlan:
    """Returns what the command line requests.

    Raises:
        FileNotFoundError: If there is no such list.
        ValueError: If the list is malformed or an option is out of range.
    """
    size = _numbers(args.size, '--size', 1, 2)
    packer = ClipPacker(
        crop=_numbers(args.crop, '--crop', 4),
        size=size * 2 if size is not None and len(size) == 1 else size,
        fps=args.fps,
        quality=args.quality,
        audio_format=args.audio,
        sample_rate_hz=args.sample_rate,
        backend=args.backend,
        frame_folder_fps=args.frame_folder_fps,
    )
    streams = tuple(name for name in _STREAMS if name in args.streams)
    clips, metainfo = read_list(args.ann_file, args.data_root or args.ann_file.parent, streams)
    samples = args.samples_per_shard if args.samples_per_shard or args.shard_megabytes else 1000
    seed = None if args.keep_order else args.seed
    return PackingPlan(clips, packer, streams, metainfo, samples, args.shard_megabytes, seed)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Packs, and returns 1 if clips were left out."""
    args = parse_args(argv)
    console = Console()
    plan = make_plan(args)
    with Progress(*_COLUMNS, console=console) as progress:
        task = progress.add_task('clips', total=len(plan.clips))
        for done in write_shards(plan, args.out_dir, args.num_workers, args.force):
            progress.update(task, completed=done)
    report = json.loads((args.out_dir / REPORT_FILE).read_text(encoding='utf-8'))
    print_failures([(entry['position'], entry['reason']) for entry in report['broken']], console)
    console.print(
        f'{report["num_packed"]} of {report["num_listed"]} clips in {report["num_shards"]} shards, '
        f'{report["megabytes"]} MB; report: {args.out_dir / REPORT_FILE}',
        highlight=False,
        soft_wrap=True,
    )
    return int(report['num_broken'] > 0 and not args.allow_failures)


if __name__ == '__main__':
    sys.exit(main())

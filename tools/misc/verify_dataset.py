"""Checks every clip of a list before a training does: missing, broken, silent, short and mismatched ones.

    python tools/misc/verify_dataset.py data/mine/train.csv --data-root data/mine --out data/mine/train_clean.csv

Exit code 0: every clip is fine; 1: some are not, or the list cannot be read. See docs/preparation.md.
"""

from __future__ import annotations

from hicmae_mm.command_line import ArgumentParser, command

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from hicmae_mm.datasets.preparation.jobs import write_atomically
from hicmae_mm.datasets.preparation.pool import default_num_workers
from hicmae_mm.datasets.preparation.report import print_failures, print_summary, show_progress
from hicmae_mm.datasets.preparation.verification import (
    STREAMS,
    CheckClip,
    check_clips,
    clean_list,
    list_clips,
    summarize_findings,
)
from hicmae_mm.datasets.video_readers import BACKENDS


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Check every clip of a list.')
    parser.add_argument('ann_file', type=Path, help='list of clips: text, or JSON')
    parser.add_argument('--data-root', default='', help='folder that its paths start from')
    parser.add_argument('--video-prefix', default='', help='folder of the video column below --data-root')
    parser.add_argument('--audio-prefix', default='', help='folder of the audio column below --data-root')
    parser.add_argument('--out', type=Path, help='list to write, without the clips that have problems')
    parser.add_argument('--report', type=Path, help='JSON to write (default: beside --out, else beside the list)')
    parser.add_argument('--streams', nargs='+', choices=STREAMS, default=STREAMS, help='what to check (default: both)')
    parser.add_argument('--full', action='store_true', help='decode every frame, not just the first, middle and last')
    number = dict(metavar='X', help='(default: %(default)s)')
    parser.add_argument('--min-frames', type=int, default=CheckClip.min_frames, **number)
    parser.add_argument('--min-seconds', type=float, default=CheckClip.min_seconds, **number)
    parser.add_argument('--silent-peak-db', type=float, default=CheckClip.silent_peak_db, **number)
    parser.add_argument('--silent-rms-db', type=float, default=CheckClip.silent_rms_db, **number)
    parser.add_argument('--max-mismatch-seconds', type=float, default=CheckClip.max_mismatch_seconds, **number)
    parser.add_argument('--backend', choices=BACKENDS, help="of the configs' OpenVideo (default: the installed one)")
    parser.add_argument('--frame-folder-fps', type=float, help='of folders of frames, whose length is unknown without')
    parser.add_argument(
        '--num-workers', type=int, default=default_num_workers(), help='processes (default: one per core); 0: this one'
    )
    return parser.parse_args(argv)


def verify(args: argparse.Namespace) -> bool:
    """Checks, writes report and clean list, prints a summary; returns whether every clip is fine.

    Raises:
        FileNotFoundError: No such list.
        ValueError: A malformed list, a list without clean clips, or options that contradict each other.
    """
    check = CheckClip(
        streams=tuple(args.streams),
        is_full=args.full,
        min_frames=args.min_frames,
        min_seconds=args.min_seconds,
        silent_peak_db=args.silent_peak_db,
        silent_rms_db=args.silent_rms_db,
        max_mismatch_seconds=args.max_mismatch_seconds,
        backend=args.backend,
        frame_folder_fps=args.frame_folder_fps,
    )
    console = Console()
    clips = list_clips(args.ann_file, args.data_root, dict(video=args.video_prefix, audio=args.audio_prefix))
    checked = show_progress(check_clips(check, clips, args.num_workers), len(clips), 'clips', console)
    findings = [found for _, found in sorted(checked, key=lambda pair: pair[0].index)]
    summary = summarize_findings(findings)
    defects = [
        dict(position=clip.position, paths={key: str(path or '') for key, path in clip.paths.items()}, **asdict(found))
        for clip, found in zip(clips, findings, strict=True)
        if found.problems
    ]
    report = dict(ann_file=str(args.ann_file), settings=asdict(check), summary=summary, defects=defects)
    report_file = args.report or (args.out or args.ann_file).with_suffix('.report.json')
    write_atomically(report_file, json.dumps(report, indent=1) + '\n')
    print_failures([(d['position'], f'{kind}: {text}') for d in defects for kind, _, text in d['problems']], console)
    print_summary(summary, console)
    console.print(f'report: {report_file}', highlight=False, soft_wrap=True)
    if args.out is not None:
        write_atomically(args.out, clean_list(args.ann_file, clips, [not found.problems for found in findings]))
        console.print(f'{summary["clean"]} clean clips: {args.out}', highlight=False, soft_wrap=True)
    return summary['clean'] == summary['clips']


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Checks, and returns 1 unless every clip is fine."""
    args = parse_args(argv)
    return 0 if verify(args) else 1


if __name__ == '__main__':
    sys.exit(main())

"""Extracts the sound of every video below a folder: 16 kHz mono files of 16 bits, in the same folder tree.

    python tools/dataset_converters/extract_audio.py data/raw/videos --out-dir data/mine/audio

Run again, it goes on where it was stopped; finished files cost nothing. See docs/preparation.md.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from hicmae_mm.datasets.preparation.audio import FORMATS, ExtractAudio, summarize_audio
from hicmae_mm.datasets.preparation.jobs import run_jobs
from hicmae_mm.datasets.preparation.pool import default_num_workers
from hicmae_mm.datasets.preparation.report import report_jobs
from hicmae_mm.datasets.preparation.sources import VIDEO_EXTENSIONS, find_files, mirrored_jobs


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Extract the sound of videos.')
    parser.add_argument('input_root', type=Path, help='folder of the videos, searched with all folders below it')
    parser.add_argument('--out-dir', type=Path, required=True, help='folder of the sound files and the report')
    parser.add_argument('--sample-rate', type=int, default=16000, help='sampling rate in Hz (default: %(default)s)')
    parser.add_argument('--format', choices=FORMATS, default='wav', help='(default: %(default)s)')
    parser.add_argument(
        '--extensions',
        nargs='+',
        default=VIDEO_EXTENSIONS,
        metavar='EXT',
        help='extensions of the videos (mp4, avi, mkv, ...)',
    )
    parser.add_argument(
        '--silent-db',
        type=float,
        default=-60.0,
        help='peak of a track that is called silent (default: %(default)s)',
    )
    parser.add_argument(
        '--num-workers', type=int, default=default_num_workers(), help='processes (default: one per core); 0: this one'
    )
    parser.add_argument('--force', action='store_true', help='make everything again')
    parser.add_argument('--allow-failures', action='store_true', help='exit code 0 even if some videos failed')
    return parser.parse_args(argv)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Extracts, and returns 1 if a video failed."""
    args = parse_args(argv)
    work = ExtractAudio(args.sample_rate, args.format, args.silent_db)
    sources = find_files(args.input_root, args.extensions, skipped=args.out_dir)
    jobs = mirrored_jobs(args.input_root, sources, args.out_dir, f'.{args.format}')
    settings = dict(made_by='extract_audio', **asdict(work))
    outcomes = run_jobs(work, jobs, args.out_dir, settings, args.num_workers, args.force)
    summary = report_jobs(outcomes, len(jobs), args.out_dir, settings, summarize_audio)
    return int(summary['failed'] > 0 and not args.allow_failures)


if __name__ == '__main__':
    sys.exit(main())

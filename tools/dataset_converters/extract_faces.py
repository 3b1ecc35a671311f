"""Cuts the face out of every video below a folder: a folder of JPEGs per video, in the same folder tree.

    python tools/dataset_converters/extract_faces.py data/raw/videos --out-dir data/mine/faces

Run again, it goes on where it was stopped; finished folders cost nothing. See docs/preparation.md.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from hicmae_mm.config.checks import check_component
from hicmae_mm.config.override_values import OverrideAction
from hicmae_mm.config.reading import read_config
from hicmae_mm.datasets.faces import CropOptions
from hicmae_mm.datasets.faces.base import MISSING_POLICIES
from hicmae_mm.datasets.faces.selection import SEVERAL_POLICIES
from hicmae_mm.datasets.faces.smoothing import SMOOTHING_METHODS
from hicmae_mm.datasets.preparation.face_sheets import with_sheets
from hicmae_mm.datasets.preparation.faces import INPUT_TYPES, ExtractFaces, summarize_faces
from hicmae_mm.datasets.preparation.jobs import run_jobs
from hicmae_mm.datasets.preparation.pool import default_num_workers
from hicmae_mm.datasets.preparation.report import report_jobs
from hicmae_mm.datasets.preparation.sources import VIDEO_EXTENSIONS
from hicmae_mm.registry import FACE_CROPPERS


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Cut the faces out of videos.')
    parser.add_argument(
        'input_root', type=Path, help='folder of the videos (or of the output of OpenFace), searched with all below it'
    )
    parser.add_argument('--out-dir', type=Path, required=True, help='folder of the face folders and the report')
    add_face_options(parser)
    parser.add_argument(
        '--extensions',
        nargs='+',
        default=VIDEO_EXTENSIONS,
        metavar='EXT',
        help='extensions of the videos (mp4, avi, mkv, ...)',
    )
    parser.add_argument(
        '--match', default='*', metavar='PATTERN', help="only clips whose file or folder is called so, such as '01-*'"
    )
    parser.add_argument(
        '--input-type', choices=INPUT_TYPES, default='video', help='video files or folders of frames (default: video)'
    )
    parser.add_argument(
        '--num-workers', type=int, default=default_num_workers(), help='processes (default: one per core); 0: this one'
    )
    parser.add_argument(
        '--sheet', action='store_true', help='also a picture per clip with its faces, in the folder OUT_DIR_sheets'
    )
    parser.add_argument('--force', action='store_true', help='make everything again')
    parser.add_argument('--allow-failures', action='store_true', help='exit code 0 even if some videos failed')
    return parser.parse_args(argv)


def add_face_options(parser: ArgumentParser) -> None:
    """Adds the options of finding faces, and those of cutting them out."""
    finding = parser.add_argument_group('finding faces')
    finding.add_argument(
        '--cropper',
        '--face-cropper',
        help='YuNet (default), HaarCascade, TrackedBoxes, WholeFrame, OpenFace, or yours',
    )
    finding.add_argument(
        '--cropper-options',
        '--face-cropper-options',
        nargs='+',
        action=OverrideAction,
        metavar='KEY=VALUE',
        help='arguments of the cropper, such as score_threshold=0.7',
    )
    finding.add_argument(
        '--config', type=Path, help='instead: a file with cropper = dict(type=...) and crop = dict(...)'
    )
    cutting = parser.add_argument_group('cutting out (defaults: those of the config, else of the cropper)')
    cutting.add_argument('--size', type=int, help='size of the pictures in pixels (256; OpenFace: as they are)')
    cutting.add_argument('--margin', type=float, help="room on each side, as a share of the face's size")
    cutting.add_argument(
        '--several', choices=SEVERAL_POLICIES, help='choice among several faces (largest; YuNet: track)'
    )
    cutting.add_argument('--missing', choices=MISSING_POLICIES, help='frames without a face (nearest; OpenFace: keep)')
    cutting.add_argument('--min-face-share', type=float, help='clips with fewer frames with a face fail (0)')
    cutting.add_argument(
        '--smoothing', choices=SMOOTHING_METHODS, help='smoothing of the box over time (moving_average)'
    )
    cutting.add_argument('--smoothing-window', type=int, help='length of the smoothing window in frames, odd (5)')
    cutting.add_argument('--jpeg-quality', type=int, help='quality of the JPEG files, 1 to 100 (95)')


def read_plan(args: argparse.Namespace) -> ExtractFaces:
    """Makes the work of the command line, and of the config file if there is one.

    Raises:
        FileNotFoundError: If a file or folder that is named does not exist.
        ValueError: If an option is misspelt, or contradicts another.
    """
    cropper: dict[str, Any] = dict(type='YuNet')
    options: dict[str, Any] = {}
    imports: tuple[str, ...] = ()
    if args.config is not None:
        if args.cropper or args.cropper_options:
            raise ValueError('--config names the cropper; leave out --cropper and --cropper-options')
        config = read_config(args.config)
        cropper, options = dict(config.get('cropper', cropper)), dict(config.get('crop', {}))
        imports = tuple(config.get('custom_imports', {}).get('imports', ()))
    elif args.cropper:
        cropper = dict(type=args.cropper)
    cropper |= args.cropper_options or {}
    if cropper['type'] not in _known_croppers():
        raise ValueError(f'unknown cropper {cropper["type"]!r}, expected one of {_known_croppers()}')
    check_component('cropper', cropper, FACE_CROPPERS)
    names = [field.name for field in fields(CropOptions)]
    if not set(options) <= set(names):
        raise ValueError(f'unknown option {min(set(options) - set(names))!r} of crop, expected some of {names}')
    options |= {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    return ExtractFaces(cropper, CropOptions(**options), args.input_root, imports)


def _known_croppers() -> list[str]:
    FACE_CROPPERS.import_from_location()
    return sorted(FACE_CROPPERS.module_dict)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Extracts, and returns 1 if a video failed."""
    args = parse_args(argv)
    work = read_plan(args)
    jobs = work.find_jobs(args.out_dir, args.extensions, args.input_type, args.match)
    settings = dict(made_by='extract_faces', **work.settings())
    outcomes = run_jobs(work, jobs, args.out_dir, settings, args.num_workers, args.force)
    if args.sheet:
        outcomes = with_sheets(outcomes, jobs, args.out_dir)
    summary = report_jobs(outcomes, len(jobs), args.out_dir, settings, summarize_faces)
    return int(summary['failed'] > 0 and not args.allow_failures)


if __name__ == '__main__':
    sys.exit(main())

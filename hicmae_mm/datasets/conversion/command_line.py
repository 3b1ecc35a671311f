"""Holds what all converters have in common on the command line."""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from hicmae_mm.datasets.conversion.media import STREAMS


def converter_parser(
    description: str,
    video_dir: str,
    audio_dir: str,
    video_suffix: str = '',
    audio_suffix: str = '.wav',
    has_folds: bool = True,
    streams: Sequence[str] = STREAMS,
) -> ArgumentParser:
    """Returns the parser that all converters share. ``video_dir`` to ``audio_suffix`` and ``streams`` are defaults.

    ``has_folds``: the lists are written by :func:`write_folds`, which can keep to the clips of given ones.
    """
    parser = ArgumentParser(description=description)
    parser.add_argument('data_root', type=Path, metavar='DATA_ROOT', help='the corpus as its owners distribute it')
    parser.add_argument('--out-dir', type=Path, required=True, metavar='DIR', help='folder of the lists')
    parser.add_argument(
        '--streams',
        nargs='+',
        choices=(*STREAMS, 'both'),
        default=streams,
        help="what is listed and must be there; the column of the other says '-' "
        f'(default: {"both" if len(streams) > 1 else streams[0]})',
    )
    parser.add_argument('--video-dir', default=video_dir, help='videos, below DATA_ROOT (default: %(default)r)')
    parser.add_argument(
        '--video-suffix',
        default=video_suffix,
        help="ending of a video, '' for folders of frames (default: %(default)r)",
    )
    parser.add_argument(
        '--audio-dir', default=audio_dir, help="sound, below DATA_ROOT, '-': the videos' own (default: %(default)r)"
    )
    parser.add_argument('--audio-suffix', default=audio_suffix, help='ending of a sound file (default: %(default)r)')
    if has_folds:
        parser.add_argument(
            '--only',
            type=Path,
            nargs='+',
            default=[],
            metavar='LIST',
            help='keep to the clips that these lists name, such as the published ones (their paths do not matter)',
        )
        parser.add_argument(
            '--table',
            action='store_true',
            help='write tables with named columns: speaker and whatever else the corpus tells (docs/data_format.md)',
        )
    media = parser.add_mutually_exclusive_group()
    media.add_argument('--no-check-media', action='store_true', help='do not look whether the media are there')
    media.add_argument('--allow-missing', action='store_true', help='leave out clips whose media are not there')
    return parser


@command
def run_converter(
    parser: ArgumentParser, convert: Callable[[argparse.Namespace], None], argv: Sequence[str] | None
) -> int:
    """Reads the command line and runs a converter."""
    convert(parser.parse_args(argv))
    return 0

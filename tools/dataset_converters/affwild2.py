"""Tables of Aff-Wild2 in the ABAW challenges: windows of videos, with labels of every frame.

python tools/dataset_converters/affwild2.py /corpora/Aff-Wild2 --out-dir data/affwild2
python tools/dataset_converters/affwild2.py /corpora/Aff-Wild2 --out-dir data/affwild2_videos --video-dir batch \
    --video-suffix .mp4 --challenges VA

Reads ``VA_Estimation_Challenge``, ``EXPR_Recognition_Challenge`` and ``AU_Detection_Challenge``, each with a text file
per video in ``Train_Set`` and ``Validation_Set``, and lists of the multi-task challenge (``image,valence,arousal,
expression,AU1,...``), wherever they lie below DATA_ROOT. Writes ``{va,expr,au,mtl}/{train,validation}.csv`` and the
labels of every video beside them. The pictures are folders of numbered faces (``cropped_aligned``), or videos.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import command

import argparse
import sys
from collections.abc import Sequence

from hicmae_mm.datasets.conversion import converter_parser, run_converter
from hicmae_mm.datasets.conversion.frame_windows import FrameMedia, Windows, write_challenge
from hicmae_mm.datasets.conversion.media import chosen_streams
from hicmae_mm.datasets.corpora.affwild2 import CHALLENGES, find_annotations, read_annotations


def convert(args: argparse.Namespace) -> None:
    """Writes the tables of every challenge whose annotations are there.

    Raises:
        FileNotFoundError: If there are no annotations, or the pictures of a video are missing.
        ValueError: If an annotation is malformed, or sound is requested.
    """
    if not args.data_root.is_dir():
        raise FileNotFoundError(f'DATA_ROOT {args.data_root} is not a folder')
    if chosen_streams(args) != ('video',):
        raise ValueError('labels belong to pictures, so Aff-Wild2 has no lists of sound: leave --streams out')
    windows = Windows(args.window, args.overlap)
    media = FrameMedia(args.data_root.resolve() / args.video_dir, args.video_suffix, args.fps)
    found = find_annotations(args.data_root, args.challenges)
    if not found:
        raise FileNotFoundError(
            f'{args.data_root} has no annotations of {", ".join(args.challenges)}, such as '
            'VA_Estimation_Challenge/Train_Set/*.txt'
        )
    for (challenge, part), files in sorted(found.items()):
        videos = read_annotations(challenge, files)
        summary = write_challenge(
            args.out_dir.resolve() / challenge.lower(), part, videos, media, windows, allow_missing=args.allow_missing
        )
        print(f'{challenge}, {part}: {summary}')
    print(f'tables are in {args.out_dir}')


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Converts; returns the exit status."""
    parser = converter_parser(
        'Tables of Aff-Wild2, windows with labels of every frame',
        video_dir='cropped_aligned',
        audio_dir='-',
        has_folds=False,
        streams=('video',),
    )
    parser.add_argument(
        '--challenges', nargs='+', choices=tuple(CHALLENGES), default=tuple(CHALLENGES), help='which (default: all)'
    )
    parser.add_argument('--window', type=int, default=200, help='frames of a window (default: %(default)s)')
    parser.add_argument(
        '--overlap', type=int, default=0, help='frames that training windows share (default: %(default)s)'
    )
    parser.add_argument(
        '--fps', type=float, default=30.0, help='frame rate of folders of pictures (default: %(default)s)'
    )
    return run_converter(parser, convert, argv)


if __name__ == '__main__':
    sys.exit(main())

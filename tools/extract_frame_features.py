"""Writes the features of long recordings, a row for each frame of their pictures, for models of frames.

python tools/extract_frame_features.py MODEL --weights FILE --stream audio --lists train.csv test.csv --out features

MODEL is a config, the folder of a training, or the folder of a speech model (wav2vec 2.0, HuBERT, WavLM), which needs
no weights. Each recording is read once, whatever its number of windows in the lists. The same command goes on after an
interruption. docs/features.md says more.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hicmae_mm.apis import load_encoder
from hicmae_mm.apis.frame_features import read_recordings, write_frame_features
from hicmae_mm.engine.logging import silence_known_warnings


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Extract features of recordings, a row for each frame')
    parser.add_argument('model', help='config, folder of a training, or folder of a speech model')
    parser.add_argument('--weights', help='checkpoint file; default: that of the model')
    parser.add_argument('--stream', choices=('audio', 'video'), help="default: the model's only stream")
    parser.add_argument('--lists', type=Path, nargs='+', required=True, help='tables of windows or of recordings')
    parser.add_argument('--out', type=Path, required=True, help='folder of the features')
    parser.add_argument('--name-column', default='recording', help='column with the recording (default: %(default)s)')
    parser.add_argument('--layer', type=int, default=-1, help='layer of the encoder, from 0; default: the last one')
    parser.add_argument('--fps', type=float, help='frame rate of folders of pictures; default: 25')
    parser.add_argument('--batch-size', type=int, default=8, help='windows at once (default: %(default)s)')
    parser.add_argument('--force', action='store_true', help='extract again what is there')
    parser.add_argument('--allow-failures', action='store_true', help='exit with 0 although recordings are bad')
    args = parser.parse_args(argv)
    if args.batch_size < 1 or (args.fps is not None and args.fps <= 0):
        parser.error('--batch-size must be at least 1, and --fps above 0')
    return args


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Extracts."""
    args = parse_args(argv)
    silence_known_warnings()
    recordings = read_recordings(args.lists, args.name_column)
    encoder = load_encoder(args.model, args.weights, args.stream)
    options = dict(layer=args.layer, fps=args.fps, batch_size=args.batch_size, force=args.force)
    num_bad = 0
    for number, (name, reason) in enumerate(write_frame_features(encoder, recordings, args.out, **options), 1):
        num_bad += bool(reason)
        print(f'{number} of {len(recordings)}: {name}' + (f' is bad: {reason}' if reason else ''), flush=True)
    print(f'{len(recordings) - num_bad} recordings, {encoder.embed_dims} numbers for each frame, are in {args.out}')
    if num_bad:
        print(f'{num_bad} of {len(recordings)} recordings are bad; they have no file', file=sys.stderr)
    return int(num_bad > 0 and not args.allow_failures)


if __name__ == '__main__':
    sys.exit(main())

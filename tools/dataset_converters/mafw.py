"""Lists of MAFW: the corpus's own 5 folds, 11 single or 43 compound emotions.

python tools/dataset_converters/mafw.py /corpora/MAFW --out-dir data/mafw
python tools/dataset_converters/mafw.py /corpora/MAFW --task compound --out-dir data/mafw43

Reads ``Train & Test Set/{single,compound}/no_caption/set_{1..5}/{train,test}.txt`` as distributed, frames in
``data/frames/NNNNN`` and sound in ``data/audio_16k/NNNNN.wav``, which ``extract_audio.py`` makes of the clips.

21 of the 10045 clips have no sound track. The published lists leave them out, and so does this converter, by their
missing wav; more than 21 missing are an error.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import command

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from hicmae_mm.datasets.conversion import (
    Folds,
    MediaLayout,
    converter_parser,
    has_content,
    listing,
    read_rows,
    run_converter,
    write_folds,
)
from hicmae_mm.datasets.corpora.mafw import COMPOUND_EMOTIONS, SINGLE_EMOTIONS
from hicmae_mm.datasets.corpora.protocols import PROTOCOLS

CLASSES = {'single': SINGLE_EMOTIONS, 'compound': COMPOUND_EMOTIONS}
NUM_FOLDS = 5
SILENT = 21  # clips of the corpus without a sound track


def read_split(path: Path, classes: Sequence[str]) -> list[tuple[str, int]]:
    """Returns names and class indices of a list of ``00025.mp4 anger`` lines.

    Raises:
        FileNotFoundError: If there is no such list.
        ValueError: If a line is malformed or its label unknown.
    """
    clips = []
    for place, fields in read_rows(path):
        if len(fields) != 2:
            raise ValueError(f"{place}: expected a line such as '00025.mp4 anger', got {' '.join(fields)!r}")
        if fields[1] not in classes:
            raise ValueError(f'{place}: {fields[1]!r} is none of the {len(classes)} emotions, such as {classes[-1]!r}')
        clips.append((Path(fields[0]).stem, classes.index(fields[1])))
    return clips


def clips_without_sound(layout: MediaLayout, names: Iterable[str]) -> set[str]:
    """Clips whose sound is not there; none if there are too many or all, for then it was not extracted."""
    sounds = {name: layout.clip(name).audio for name in names}
    silent = {name for name, sound in sounds.items() if sound is not None and not has_content(sound)}
    return silent if len(silent) <= min(SILENT, len(sounds) - 1) else set()


def convert(args: argparse.Namespace) -> None:
    """Writes the lists."""
    layout = MediaLayout.from_args(args)
    lists = layout.root / 'Train & Test Set' / args.task / 'no_caption'
    splits = {
        (k, part): read_split(lists / f'set_{k}' / f'{part}.txt', CLASSES[args.task])
        for k in range(1, NUM_FOLDS + 1)
        for part in ('train', 'test')
    }
    silent: set[str] = set()
    if not args.no_check_media:
        silent = clips_without_sound(layout, {name for clips in splits.values() for name, _ in clips})
        print(f'left out by the protocol, clips without sound: {listing(silent) or "none"}')
    folds: Folds = {
        f'fold{k}': {
            part: [layout.clip(name, label) for name, label in splits[k, part] if name not in silent]
            for part in ('train', 'test')
        }
        for k in range(1, NUM_FOLDS + 1)
    }
    write_folds(args, folds, PROTOCOLS['MAFW' if args.task == 'single' else 'MAFW43'])


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Converts; returns the exit status."""
    parser = converter_parser('Lists of MAFW, its own 5 folds', video_dir='data/frames', audio_dir='data/audio_16k')
    parser.add_argument(
        '--task',
        choices=tuple(CLASSES),
        default='single',
        help='11 single or 43 compound emotions (default: %(default)s)',
    )
    return run_converter(parser, convert, argv)


if __name__ == '__main__':
    sys.exit(main())

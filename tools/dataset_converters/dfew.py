"""Lists of DFEW: the corpus's own 5 folds of the 11697 clips with one of seven emotions.

python tools/dataset_converters/dfew.py /corpora/DFEW --out-dir data/dfew

Reads ``EmoLabel_DataSplit/{train,test}(single-labeled)/set_{1..5}.csv``, the frames in ``Clip/clip_224x224/NNNNN`` and
the sound of ``Clip/original``, all as distributed. Names of folders are padded to five digits, those in the lists and
of the original clips are not; the original clips may lie in ``part_*`` folders or without. Sound that
``extract_audio.py`` made of them is quicker to read: ``--audio-dir audio_16k --audio-suffix .wav``.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import command

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hicmae_mm.datasets.conversion import (
    Clip,
    Folds,
    MediaLayout,
    converter_parser,
    find_by_stem,
    read_rows,
    run_converter,
    write_folds,
)
from hicmae_mm.datasets.corpora.protocols import PROTOCOLS

HEADER = ['video_name', 'label']
NUM_FOLDS, NUM_CLASSES = 5, 7


def read_split(path: Path) -> list[tuple[int, int]]:
    """Numbers and class indices of the clips of a CSV file with the columns ``video_name,label`` (label 1 to 7).

    Raises:
        FileNotFoundError: If there is no such list.
        ValueError: If a line is malformed or its label unknown.
    """
    rows = list(read_rows(path, ','))
    if not rows or rows[0][1] != HEADER:
        raise ValueError(
            f'{path}: expected the header {",".join(HEADER)!r}, got {",".join(rows[0][1] if rows else [])!r}'
        )
    clips = []
    for place, fields in rows[1:]:
        if len(fields) != 2 or not all(field.isascii() and field.isdigit() for field in fields):
            raise ValueError(f"{place}: expected a number and a label such as '5276,3', got {','.join(fields)!r}")
        if not 1 <= int(fields[1]) <= NUM_CLASSES:
            raise ValueError(f'{place}: label {fields[1]} is out of range, expected 1 to {NUM_CLASSES}')
        clips.append((int(fields[0]), int(fields[1]) - 1))
    return clips


class NumberedMedia:
    """Finds the clips' pictures or sound, whose names may be padded and whose folders may be nested.

    Args:
        folder: Folder of the files.
        suffix: Ending of the files; empty means folders of frames, which are padded and not nested.
    """

    def __init__(self, folder: Path, suffix: str) -> None:
        self.folder, self.suffix = folder, suffix
        found = find_by_stem(folder, suffix) if suffix else {}
        self.paths = {int(stem): path for stem, path in found.items() if stem.isascii() and stem.isdigit()}

    def path(self, number: int) -> str:
        """Returns the expected place of a clip."""
        name = f'{number}{self.suffix}' if self.suffix else f'{number:05d}'
        return self.paths.get(number, str(self.folder / name))


def convert(args: argparse.Namespace) -> None:
    """Writes the lists."""
    layout = MediaLayout.from_args(args)
    splits = {
        (k, part): read_split(layout.root / 'EmoLabel_DataSplit' / f'{part}(single-labeled)' / f'set_{k}.csv')
        for k in range(1, NUM_FOLDS + 1)
        for part in ('train', 'test')
    }
    videos = NumberedMedia(layout.root / layout.video_dir, layout.video_suffix)
    sounds = None
    if layout.reads_sounds:
        sounds = NumberedMedia(layout.root / layout.audio_dir, layout.audio_suffix)

    def clip(number: int, label: int) -> Clip:
        return Clip(videos.path(number), None if sounds is None else sounds.path(number), (label,))

    folds: Folds = {
        f'fold{k}': {part: [clip(*entry) for entry in splits[k, part]] for part in ('train', 'test')}
        for k in range(1, NUM_FOLDS + 1)
    }
    write_folds(args, folds, PROTOCOLS['DFEW'])


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Converts; returns the exit status."""
    parser = converter_parser(
        'Lists of DFEW, its own 5 folds',
        video_dir='Clip/clip_224x224',
        audio_dir='Clip/original',
        audio_suffix='.mp4',
    )
    return run_converter(parser, convert, argv)


if __name__ == '__main__':
    sys.exit(main())

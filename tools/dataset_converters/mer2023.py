"""Lists of MER2023's MER-MULTI track: its Train&Val set against its test set, six emotions and valence.

python tools/dataset_converters/mer2023.py /corpora/MER2023 --out-dir data/mer2023

Reads ``train-label.csv`` and ``test1-label.csv`` as distributed, ``face_aligned/{train,test1}/NAME/*.jpg`` and
``audio_16k/{train,test1}/NAME.wav``, which ``extract_faces.py`` and ``extract_audio.py`` make of the videos.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from hicmae_mm.datasets.conversion import Clip, MediaLayout, converter_parser, run_converter, write_folds
from hicmae_mm.datasets.label_tables import read_table

EMOTIONS = ('neutral', 'angry', 'happy', 'sad', 'worried', 'surprise')  # order of the challenge's baseline
# where the archives leave the tables when each is unpacked where it lies, or into one folder
TABLES = {
    'train': ('mer2023train/train-label.csv', 'train-label.csv'),
    'test1': ('test-labels/test1-label.csv', 'test1-label.csv', 'test1&2/test1-label.csv'),
}
COLUMNS = {'name': ('name',), 'emotion': ('discrete',), 'valence': ('valence',)}
VALENCE_LIMIT = 5.0
PUBLISHED = {'fold1': (3373, 411)}


def find_table(root: Path, part: str) -> Path:
    """The label table of ``'train'`` or ``'test1'``.

    Raises:
        FileNotFoundError: If it is nowhere.
    """
    for place in TABLES[part]:
        if (root / place).is_file():
            return root / place
    raise FileNotFoundError(f'{root} has none of {", ".join(TABLES[part])}; is DATA_ROOT the unpacked corpus?')


def clips_of(layout: MediaLayout, part: str) -> Iterator[Clip]:
    """The clips of a part, with class index and valence.

    Raises:
        ValueError: If a row of the table is malformed; file and line are named.
    """
    labels = {emotion: index for index, emotion in enumerate(EMOTIONS)}
    for row in read_table(find_table(layout.root, part), COLUMNS):
        valence = row.number('valence')
        if abs(valence) > VALENCE_LIMIT:
            raise ValueError(f'{row.position}: valence {valence:g} lies outside -5..5')
        yield layout.clip(f'{part}/{row.cells["name"]}', row.choice('emotion', labels), valence)


def convert(args: argparse.Namespace) -> None:
    """Writes the lists."""
    layout = MediaLayout.from_args(args)
    fold = {'train': list(clips_of(layout, 'train')), 'test': list(clips_of(layout, 'test1'))}
    write_folds(args, {'fold1': fold}, PUBLISHED)


def main(argv: Sequence[str] | None = None) -> int:
    """Converts; returns the exit status."""
    parser = converter_parser('Lists of MER2023 (MER-MULTI)', video_dir='face_aligned', audio_dir='audio_16k')
    return run_converter(parser, convert, argv)


if __name__ == '__main__':
    raise SystemExit(main())

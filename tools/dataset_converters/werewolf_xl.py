"""Lists of Werewolf-XL: 5 folds by group of players; valence, arousal and dominance of the speakers' clips.

python tools/dataset_converters/werewolf_xl.py /corpora/Werewolf-XL --out-dir data/werewolf_xl

Reads a table of dimensional labels (CSV), ``audio_16k/NAME.wav`` and ``face_aligned/NAME/*.jpg``, which
``extract_audio.py`` and ``extract_faces.py`` make of the speakers' videos.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import command

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from hicmae_mm.datasets.conversion import (
    Clip,
    MediaLayout,
    converter_parser,
    cross_validation,
    read_table,
    run_converter,
    write_folds,
)
from hicmae_mm.datasets.corpora.protocols import PROTOCOLS
from hicmae_mm.datasets.readers.folders import is_leftover

DIMENSIONS = ('valence', 'arousal', 'dominance')
# what the authors' own programs call the columns; they say pleasure for valence
COLUMNS = {
    'name': ('VideoName', 'speaker_audio'),
    'valence': ('Pleasure_average', 'Mean_P_1_2_3_4'),
    'arousal': ('Arousal_average', 'Mean_A_1_2'),
    'dominance': ('Dominance_average', 'Mean_D_1_2_4'),
}
NAME = re.compile(r'(\d\d)_\d\d_\d+')  # group, player, utterance
NUM_GROUPS, NUM_FOLDS = 30, 5


def fold_of(name: str) -> int:
    """Returns the fold, 1 to 5, that tests a clip ``GROUP_PLAYER_UTTERANCE``: groups 1 to 6, 7 to 12, ... of 30.

    Raises:
        ValueError: If the name has another form.
    """
    match = NAME.fullmatch(name)
    if match is None or not 1 <= int(match[1]) <= NUM_GROUPS:
        raise ValueError(f'{name!r} is not a clip of Werewolf-XL; expected a name such as 01_05_128, groups 01 to 30')
    return (int(match[1]) - 1) // (NUM_GROUPS // NUM_FOLDS) + 1


def find_table(root: Path) -> Path:
    """Finds the only table in a folder.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If there are several.
    """
    tables = sorted(path for path in root.glob('*.csv') if not is_leftover(path.name))
    if not tables:
        raise FileNotFoundError(f'{root} has no *.csv; name the table of dimensional labels with --labels')
    if len(tables) > 1:
        raise ValueError(f'{root} has {", ".join(path.name for path in tables)}; choose the labels with --labels')
    return tables[0]


def labelled_clips(layout: MediaLayout, table: Path) -> Iterator[tuple[int, Clip]]:
    """Yields the fold that tests a clip, and the clip.

    Raises:
        ValueError: If a row is malformed; file and line are named.
    """
    for row in read_table(table, COLUMNS):
        name = row.cells['name'].removesuffix('.wav').removesuffix('.mp4')
        try:
            tested_in = fold_of(name)
        except ValueError as error:
            raise ValueError(f'{row.position}: {error}') from error
        yield tested_in, layout.clip(name, *(row.number(dimension) for dimension in DIMENSIONS))


def convert(args: argparse.Namespace) -> None:
    """Writes the lists."""
    layout = MediaLayout.from_args(args)
    table = find_table(layout.root) if args.labels is None else layout.root / args.labels
    write_folds(args, cross_validation(labelled_clips(layout, table), NUM_FOLDS), PROTOCOLS['WerewolfXL'])


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Converts; returns the exit status."""
    parser = converter_parser('Lists of Werewolf-XL, 5 folds by group', 'face_aligned', 'audio_16k')
    parser.add_argument(
        '--labels', type=Path, metavar='CSV', help='table of labels, below DATA_ROOT (default: the only *.csv in it)'
    )
    return run_converter(parser, convert, argv)


if __name__ == '__main__':
    sys.exit(main())

"""Tables of CMU-MOSI, CMU-MOSEI or CH-SIMS: its own training, validation and test clips, with words and sentiment.

python tools/dataset_converters/mosi.py /corpora/MOSI --out-dir data/mosi

Reads ``label.csv`` and ``Raw/VIDEO_ID/CLIP_ID.mp4``, as MMSA distributes the three corpora. ``--corpus`` says which
one it is.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import command

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hicmae_mm.datasets.conversion import (
    OWN_SOUND_TRACK,
    Clip,
    MediaLayout,
    Row,
    converter_parser,
    read_table,
    run_converter,
    write_folds,
)
from hicmae_mm.datasets.corpora.protocols import PROTOCOLS

PARTS = ('train', 'valid', 'test')
LIMITS = {'MOSI': 3.0, 'MOSEI': 3.0, 'SIMS': 1.0}  # sentiment is in -limit..limit
COLUMNS = {
    'recording': ('video_id',),
    'clip': ('clip_id',),
    'text': ('text',),
    'sentiment': ('label',),
    'part': ('mode',),
}
# SIMS also has the sentiment that raters found in one stream alone
STREAM_COLUMNS = {'text_sentiment': ('label_T',), 'audio_sentiment': ('label_A',), 'video_sentiment': ('label_V',)}


def sentiment_of(row: Row, column: str, limit: float) -> float:
    """Returns a sentiment in -limit..limit.

    Raises:
        ValueError: If it is not a number in this range.
    """
    value = row.number(column)
    if abs(value) > limit:
        raise ValueError(
            f'{row.position}: {column} must be in {-limit:g}..{limit:g}, got {value:g}; is --corpus right?'
        )
    return value


def name_in(layout: MediaLayout, row: Row) -> str:
    """Returns the name of a clip below the folder of media, ``VIDEO_ID/CLIP_ID``.

    A spreadsheet makes 1 of the clip ``0001``. If there is no file of the name in the table, but exactly one of the
    same number, this one is meant.

    Raises:
        ValueError: If an id is not the name of a file.
    """
    recording, clip = row.cells['recording'], row.cells['clip']
    for column, value in (('video_id', recording), ('clip_id', clip)):
        if Path(value).name != value or value == '..':
            raise ValueError(f'{row.position}: {column} {value!r} is not the name of a file')
    media, suffix = layout.video_dir, layout.video_suffix
    if not layout.reads_videos:
        media, suffix = layout.audio_dir, layout.audio_suffix
    folder = layout.root / media / recording
    if clip.isdecimal() and not (folder / f'{clip}{suffix}').exists():
        names = [path.name.removesuffix(suffix) for path in folder.glob(f'*{suffix}')]
        same = [name for name in names if name.isdecimal() and int(name) == int(clip)]
        clip = same[0] if len(same) == 1 else clip
    return f'{recording}/{clip}'


def read_parts(layout: MediaLayout, corpus: str) -> dict[str, list[Clip]]:
    """Returns the clips of every part, in the order of the table.

    Raises:
        FileNotFoundError: If there is no ``label.csv``.
        ValueError: If a row is malformed, or names a clip again.
    """
    limit, positions = LIMITS[corpus], dict[str, str]()
    parts: dict[str, list[Clip]] = {part: [] for part in PARTS}
    for row in read_table(layout.root / 'label.csv', COLUMNS, STREAM_COLUMNS | dict(annotation=('annotation',))):
        name = name_in(layout, row)
        if name in positions:
            raise ValueError(f'{row.position}: clip {name} is also in {positions[name]}; expected every clip once')
        positions[name] = row.position
        clips = row.choice('part', parts)
        clip = layout.clip(name, sentiment_of(row, 'sentiment', limit))
        clips.append(replace(clip, facts=facts_of(row, name, limit)))
    return parts


def facts_of(row: Row, name: str, limit: float) -> dict[str, str | float]:
    """Returns what else is known about a clip: words, recording, and the sentiment of single streams."""
    facts: dict[str, str | float] = dict(sample_id=name, recording=row.cells['recording'])
    facts |= dict(text=' '.join(row.cells['text'].split()))
    facts |= dict(annotation=row.cells['annotation']) if 'annotation' in row.cells else {}
    return facts | {column: sentiment_of(row, column, limit) for column in STREAM_COLUMNS if column in row.cells}


def convert(args: argparse.Namespace) -> None:
    """Writes the tables."""
    layout = MediaLayout.from_args(args)
    args.table = True  # a list has no place for words
    write_folds(args, {'fold1': read_parts(layout, args.corpus)}, PROTOCOLS[args.corpus])


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Converts; returns the exit status."""
    parser = converter_parser(
        'Tables of CMU-MOSI, CMU-MOSEI or CH-SIMS, its own training, validation and test clips',
        video_dir='Raw',
        audio_dir=OWN_SOUND_TRACK,
        video_suffix='.mp4',
    )
    parser.add_argument(
        '--corpus', choices=list(LIMITS), default='MOSI', help='which of the three it is (default: %(default)s)'
    )
    return run_converter(parser, convert, argv)


if __name__ == '__main__':
    sys.exit(main())

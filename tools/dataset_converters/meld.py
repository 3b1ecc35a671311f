"""Tables of MELD: its own training, development and test utterances, with words, speaker and place in the dialogue.

python tools/dataset_converters/meld.py /corpora/MELD.Raw --out-dir data/meld

Reads ``{train,dev,test}_sent_emo.csv`` and the videos ``train_splits``, ``dev_splits_complete`` and
``output_repeated_splits_test`` as distributed, at the top of DATA_ROOT or in its folders ``train``, ``dev`` and
``test``. Only videos that the csv files name are read, so that copies such as ``final_videos_testdia0_utt0.mp4`` do
not count.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import command

import argparse
import contextlib
import re
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
from hicmae_mm.datasets.corpora.meld import LABELS
from hicmae_mm.datasets.corpora.protocols import PROTOCOLS

FOLDERS = {'train': 'train_splits', 'dev': 'dev_splits_complete', 'test': 'output_repeated_splits_test'}
UNUSABLE = {('train', 'dia125_utt3'): 'its video is broken', ('dev', 'dia110_utt7'): 'its video was never distributed'}
COLUMNS = {
    'text': ('Utterance',),
    'speaker': ('Speaker',),
    'emotion': ('Emotion',),
    'sentiment': ('Sentiment',),
    'dialogue': ('Dialogue_ID',),
    'turn': ('Utterance_ID',),
    'season': ('Season',),
    'episode': ('Episode',),
}
_C1 = re.compile(r'[\x80-\x9f]')
_TWICE_ENCODED = re.compile(r'â€|Ã.|Â.')


def repair_text(text: str) -> str:
    """Repairs quotes and dashes that got another encoding on their way into the csv files.

    Bytes of Windows-1252 that were taken for Latin-1 are control characters now (U+0092 for an apostrophe). UTF-8 that
    was taken for Windows-1252 has two or three characters for one. White space is made uniform.
    """
    if _TWICE_ENCODED.search(text):
        with contextlib.suppress(UnicodeError):  # it may only look so
            text = text.encode('cp1252').decode('utf-8')
    text = _C1.sub(lambda match: match[0].encode('latin-1').decode('cp1252', 'replace'), text)
    return ' '.join(text.split())


def find_below(root: Path, part: str, name: str) -> str:
    """Returns the path of a file or folder of a part, relative to the corpus.

    Raises:
        FileNotFoundError: If it is neither at the top nor in the folder of the part.
    """
    for place in (name, f'{part}/{name}'):
        if (root / place).exists():
            return place
    raise FileNotFoundError(
        f'{root} has no {name}, neither at its top nor in {part}; is DATA_ROOT the folder MELD.Raw?'
    )


def read_part(layout: MediaLayout, part: str, keeps_unusable: bool) -> list[Clip]:
    """Returns the utterances of a part, sorted by dialogue and utterance.

    Raises:
        FileNotFoundError: If there is no such csv file.
        ValueError: If a row is malformed.
    """
    try:
        folder = find_below(layout.root / layout.video_dir, part, FOLDERS[part])
    except FileNotFoundError:
        folder = FOLDERS[part]  # the missing videos are named later, with what to do
    rows = read_table(layout.root / find_below(layout.root, part, f'{part}_sent_emo.csv'), COLUMNS)
    clips = []
    for row in rows:
        name = name_of(row)
        if (part, name) in UNUSABLE and not keeps_unusable:
            print(f'left out: {name} of {part}, {UNUSABLE[part, name]}')
            continue
        label = row.choice('emotion', {label: index for index, label in enumerate(LABELS)})
        clips.append(replace(layout.clip(f'{folder}/{name}', label), facts=facts_of(row, part)))
    return sorted(clips, key=lambda clip: (clip.facts['dialogue'], clip.facts['turn']))


def name_of(row: Row) -> str:
    """Returns the name of an utterance's video without suffix, such as ``dia0_utt3``."""
    return f'dia{_number(row, "dialogue")}_utt{_number(row, "turn")}'


def facts_of(row: Row, part: str) -> dict[str, str | float]:
    """Returns what is known about an utterance: words, speaker, place in the dialogue, and the episode."""
    facts: dict[str, str | float] = dict(sample_id=f'{part}_{name_of(row)}')  # names are used again in every part
    facts |= dict(speaker=repair_text(row.cells['speaker']), text=repair_text(row.cells['text']))
    facts |= dict(dialogue=f'{part}_dia{_number(row, "dialogue"):04d}', turn=_number(row, 'turn'))
    return facts | {name: row.cells[name] for name in ('sentiment', 'season', 'episode')}


def _number(row: Row, column: str) -> int:
    value = row.number(column)
    if value < 0 or value != int(value):
        raise ValueError(f'{row.position}: {column} must be a whole number from 0 on, got {value}')
    return int(value)


def convert(args: argparse.Namespace) -> None:
    """Writes the tables."""
    layout = MediaLayout.from_args(args)
    args.table = True  # a list has no place for words and dialogues
    parts = {part: read_part(layout, part, args.keep_unusable) for part in FOLDERS}
    write_folds(args, {'fold1': parts}, PROTOCOLS['MELD'])


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Converts; returns the exit status."""
    parser = converter_parser(
        'Tables of MELD, its own training, development and test utterances',
        video_dir='.',
        audio_dir=OWN_SOUND_TRACK,
        video_suffix='.mp4',
    )
    names = ' and '.join(f'{name} of {part} ({reason})' for (part, name), reason in UNUSABLE.items())
    parser.add_argument('--keep-unusable', action='store_true', help=f'keep what you have replaced: {names}')
    return run_converter(parser, convert, argv)


if __name__ == '__main__':
    sys.exit(main())

"""Lists of MER2023's MER-MULTI track: its Train&Val set against its test set, six emotions and valence.

python tools/dataset_converters/mer2023.py /corpora/MER2023 --out-dir data/mer2023

Reads ``train-label.csv`` and ``test1-label.csv`` as distributed, ``face_aligned/train/NAME/*.jpg`` (``test1``) and
``audio_16k/train/NAME.wav``, which ``extract_faces.py`` and ``extract_audio.py`` make of the videos. Names are unique,
so other folders below ``--video-dir`` and ``--audio-dir`` will do.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import command

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from hicmae_mm.datasets.conversion import (
    Clip,
    MediaLayout,
    converter_parser,
    find_by_stem,
    read_table,
    run_converter,
    write_folds,
)
from hicmae_mm.datasets.corpora.protocols import PROTOCOLS

EMOTIONS = ('neutral', 'angry', 'happy', 'sad', 'worried', 'surprise')  # order of the challenge's baseline
TABLES = {'train': 'train-label.csv', 'test1': 'test1-label.csv'}
COLUMNS = {'name': ('name',), 'emotion': ('discrete',), 'valence': ('valence',)}
VALENCE_LIMIT = 5.0


def find_table(root: Path, part: str) -> Path:
    """Finds the label table of ``'train'`` or ``'test1'`` in the folder of the corpus, at most two levels down.

    Raises:
        FileNotFoundError: If it is nowhere.
        ValueError: If there are several.
    """
    name = TABLES[part]
    found = sorted(path for pattern in (name, f'*/{name}', f'*/*/{name}') for path in root.glob(pattern))
    if not found:
        raise FileNotFoundError(f'{root} has no {name}, nor a folder of it; is DATA_ROOT the unpacked corpus?')
    if len(found) > 1:
        raise ValueError(f'{found[0]} and {found[1]} are both there; keep the one that counts')
    return found[0]


def clips_of(layout: MediaLayout, part: str) -> Iterator[Clip]:
    """Yields the clips of a part, with class index and valence.

    Raises:
        ValueError: If a row of the table is malformed; file and line are named.
    """
    videos = find_by_stem(layout.root / layout.video_dir, layout.video_suffix) if layout.reads_videos else {}
    sounds = find_by_stem(layout.root / layout.audio_dir, layout.audio_suffix) if layout.reads_sounds else {}
    classes = {emotion: index for index, emotion in enumerate(EMOTIONS)}
    for row in read_table(find_table(layout.root, part), COLUMNS):
        name, valence = row.cells['name'], row.number('valence')
        if abs(valence) > VALENCE_LIMIT:
            raise ValueError(f'{row.position}: valence {valence:g} lies outside -5..5')
        clip = layout.clip(f'{part}/{name}', row.choice('emotion', classes), valence)
        yield replace(clip, video=videos.get(name, clip.video), audio=sounds.get(name, clip.audio))


def convert(args: argparse.Namespace) -> None:
    """Writes the lists."""
    layout = MediaLayout.from_args(args)
    fold = {'train': list(clips_of(layout, 'train')), 'test': list(clips_of(layout, 'test1'))}
    write_folds(args, {'fold1': fold}, PROTOCOLS['MER2023'])


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Converts; returns the exit status."""
    parser = converter_parser('Lists of MER2023 (MER-MULTI)', video_dir='face_aligned', audio_dir='audio_16k')
    return run_converter(parser, convert, argv)


if __name__ == '__main__':
    sys.exit(main())

"""Lists of FERV39k: the corpus's own training and test clips of all 22 scenes, or of some of them; seven emotions.

python tools/dataset_converters/ferv39k.py /corpora/FERV39k --out-dir data/ferv39k
python tools/dataset_converters/ferv39k.py /corpora/FERV39k --scenes Crime Terror --out-dir data/ferv39k_crime_terror

Reads ``4_setups/All_scenes/{train,test}_All.csv`` as distributed, and the faces in folders of frames
``2_ClipsforFaceCrop/SCENE/EMOTION/NNNN``. Archives that were unpacked into folders of their own, whole pictures
(``3_ClipsforScenImages``) and videos made of the frames are named by ``--video-dir`` and ``--video-suffix``. The corpus
has no sound.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import command

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hicmae_mm.datasets.conversion import (
    OWN_SOUND_TRACK,
    Clip,
    MediaLayout,
    converter_parser,
    read_rows,
    run_converter,
    write_folds,
)
from hicmae_mm.datasets.corpora.ferv39k import LABELS, SCENES
from hicmae_mm.datasets.corpora.protocols import PROTOCOLS

PARTS = ('train', 'test')


@dataclass(frozen=True)
class Entry:
    """Describes a line of the corpus's lists.

    Attributes:
        name: Folder of the clip below the folder of all clips, such as ``Action/Happy/0267``.
        label: Index of its emotion.
    """

    name: str
    label: int

    @property
    def scene(self) -> str:
        """Returns the scene, which is the first folder."""
        return self.name.split('/')[0]


def read_split(path: Path) -> list[Entry]:
    """Clips of a list of ``Action/Happy/0267 Happy`` lines.

    Raises:
        FileNotFoundError: If there is no such list.
        ValueError: If a line is malformed, or its scene or label is unknown.
    """
    entries = []
    for place, fields in read_rows(path):
        if len(fields) != 2:
            raise ValueError(f"{place}: expected a line such as 'Action/Happy/0267 Happy', got {' '.join(fields)!r}")
        folders = fields[0].replace('\\', '/').strip('/').split('/')
        if len(folders) != 3 or folders[0] not in SCENES:
            raise ValueError(
                f"{place}: {fields[0]!r} is no clip of one of the {len(SCENES)} scenes, such as 'Action/Happy/0267'"
            )
        if fields[1] not in LABELS:
            raise ValueError(f'{place}: {fields[1]!r} is none of the {len(LABELS)} labels {", ".join(LABELS)}')
        entries.append(Entry('/'.join(folders), LABELS.index(fields[1])))
    return entries


def check_scenes(chosen: Sequence[str], entries: Iterable[Entry]) -> None:
    """Looks whether the lists have clips of every chosen scene.

    Raises:
        ValueError: If a scene has none.
    """
    absent = set(chosen) - {entry.scene for entry in entries}
    if absent:
        raise ValueError(f'the lists have no clip of {", ".join(sorted(absent))}; nothing was written')


def convert(args: argparse.Namespace) -> None:
    """Writes the lists."""
    layout = MediaLayout.from_args(args)
    if 'audio' in layout.streams and layout.audio_dir == OWN_SOUND_TRACK and not layout.video_suffix:
        raise ValueError(
            'FERV39k is distributed as pictures without sound: use --streams video, '
            'or name the folder of your own sound files with --audio-dir'
        )
    lists = {part: read_split(layout.root / args.lists_dir / f'{part}_All.csv') for part in PARTS}
    scenes = args.scenes or SCENES
    if args.scenes:
        for entries in lists.values():
            check_scenes(scenes, entries)

    def clip(entry: Entry) -> Clip:
        return replace(layout.clip(entry.name, entry.label), facts=dict(scene=entry.scene))

    protocol = PROTOCOLS['FERV39k'] if set(scenes) == set(SCENES) else None
    clips = {part: [clip(entry) for entry in entries if entry.scene in scenes] for part, entries in lists.items()}
    write_folds(args, {'fold1': clips}, protocol)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Converts; returns the exit status."""
    parser = converter_parser(
        'Lists of FERV39k, its own training and test clips',
        video_dir='2_ClipsforFaceCrop',
        audio_dir=OWN_SOUND_TRACK,
        streams=('video',),
    )
    parser.add_argument(
        '--lists-dir',
        default='4_setups/All_scenes',
        help='folder of train_All.csv and test_All.csv, below DATA_ROOT (default: %(default)r)',
    )
    parser.add_argument('--scenes', nargs='+', choices=SCENES, metavar='SCENE', help='keep to these (default: all 22)')
    return run_converter(parser, convert, argv)


if __name__ == '__main__':
    sys.exit(main())

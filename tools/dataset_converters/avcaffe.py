"""Lists of AVCAffe: the corpus's own split by participant; labels arousal and valence.

python tools/dataset_converters/avcaffe.py /corpora/avcaffe --out-dir data/avcaffe

Reads ``ground_truths/{arousal,valence}.txt``, ``info/{train,val,no_audio_files}.txt`` and the sound of the clips of
about six seconds in ``videos/shorter_segments`` as distributed, and the faces that ``extract_faces.py`` makes of these
clips. The corpus's own face crops also serve: ``--video-dir face_crops/shorter_segments_face --allow-missing``, for
some clips have none.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import command

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from hicmae_mm.datasets.conversion import (
    Clip,
    MediaLayout,
    converter_parser,
    listing,
    read_rows,
    run_converter,
    write_folds,
)
from hicmae_mm.datasets.corpora.avcaffe import AROUSAL, VALENCE
from hicmae_mm.datasets.corpora.protocols import PROTOCOLS

RECORDING = re.compile(r'(aiim\d{3})_task_\d+')
PARTS = {'train': 'train', 'test': 'val'}  # of the lists, and what the corpus calls them


def read_labels(path: Path, classes: Sequence[str]) -> dict[str, int]:
    """Class index of every recording in a file of ``aiim001_task_1, Excited`` lines; lines without comma do not count.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a line is malformed or its label unknown.
    """
    labels = {}
    for place, fields in read_rows(path, ','):
        if len(fields) == 1:
            continue
        if len(fields) != 2 or not RECORDING.fullmatch(fields[0]):
            raise ValueError(
                f"{place}: expected a line such as 'aiim001_task_1, {classes[0]}', got {', '.join(fields)!r}"
            )
        if fields[1] not in classes:
            raise ValueError(f'{place}: {fields[1]!r} is not one of {list(classes)}')
        labels[fields[0]] = classes.index(fields[1])
    return labels


def read_participants(path: Path) -> set[str]:
    """Participants that a file names, anywhere in its lines.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it names none.
    """
    names = {name for _, fields in read_rows(path) for field in fields for name in re.findall(r'aiim\d{3}', field)}
    if not names:
        raise ValueError(f'{path} names no participants, expected names such as aiim001')
    return names


def part_by_participant(info: Path) -> dict[str, str]:
    """Returns ``'train'`` or ``'test'`` of every participant.

    Raises:
        FileNotFoundError: If the corpus's split is not there.
        ValueError: If a participant is in both parts.
    """
    participants = {part: read_participants(info / f'{name}.txt') for part, name in PARTS.items()}
    both = participants['train'] & participants['test']
    if both:
        raise ValueError(f'{info}/train.txt and val.txt both name {listing(both)}; expected different participants')
    return {name: part for part, names in participants.items() for name in names}


def convert(args: argparse.Namespace) -> None:
    """Writes the lists."""
    layout = MediaLayout.from_args(args)
    labels = [
        read_labels(layout.root / 'ground_truths' / f'{target}.txt', classes)
        for target, classes in (('arousal', AROUSAL), ('valence', VALENCE))
    ]
    parts = part_by_participant(layout.root / 'info')
    silent: set[str] = set()
    if not args.with_silent:
        silent = {Path(fields[0]).stem for _, fields in read_rows(layout.root / 'info' / 'no_audio_files.txt')}
    names = layout.names()
    left_out = {name for name in names if Path(name).name in silent}
    print(f'left out, clips without speech: {len(left_out)} of {len(names)}')
    clips: dict[str, list[Clip]] = {part: [] for part in PARTS}
    for name in names:
        if name in left_out:
            continue
        recording = RECORDING.match(Path(name).name)
        if recording is None:
            raise ValueError(f'{name} is not a clip of AVCAffe; expected a name such as aiim001_task_1_clip_001')
        if recording[1] not in parts:
            raise ValueError(f'{name}: neither info/train.txt nor info/val.txt names {recording[1]}')
        if any(recording[0] not in by_recording for by_recording in labels):
            raise ValueError(f'{name}: ground_truths/arousal.txt or valence.txt has no line of {recording[0]}')
        clips[parts[recording[1]]].append(layout.clip(name, *(by_recording[recording[0]] for by_recording in labels)))
    write_folds(args, {'fold1': clips}, PROTOCOLS['AVCAFFEArousal'])


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Converts; returns the exit status."""
    parser = converter_parser(
        "Lists of AVCAffe, the corpus's own split",
        video_dir='face_aligned',
        audio_dir='videos/shorter_segments',
        audio_suffix='.avi',
    )
    parser.add_argument(
        '--with-silent',
        action='store_true',
        help='keep the clips of info/no_audio_files.txt, in which the participant says nothing',
    )
    return run_converter(parser, convert, argv)


if __name__ == '__main__':
    sys.exit(main())

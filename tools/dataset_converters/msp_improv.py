"""Lists of MSP-IMPROV: 6 folds by session, four emotions.

python tools/dataset_converters/msp_improv.py /corpora/MSP-IMPROV --out-dir data/msp_improv

Reads ``Evalution.txt`` (spelled so in the release) and ``Audio/session1/S01A/P/*.wav`` as distributed, and
``face_aligned/session1/S01A/P/NAME/*.jpg``, which ``extract_faces.py`` makes of the videos. Other folders below
``--video-dir`` will do, and names that begin with UTD.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import command

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from hicmae_mm.datasets.conversion import (
    Clip,
    MediaLayout,
    converter_parser,
    cross_validation,
    find_by_stem,
    run_converter,
    write_folds,
)
from hicmae_mm.datasets.corpora.protocols import PROTOCOLS
from hicmae_mm.datasets.text_files import read_text, shown, text_lines

EMOTIONS = ('A', 'H', 'N', 'S')  # angry, happy, neutral, sad
LEFT_OUT = ('O', 'X')  # another emotion, no agreement
TABLES = ('Evalution.txt', 'Evaluation.txt')
# a clip's consensus; the lines of single raters, and empty ones, follow it
CONSENSUS = re.compile(r'(?:UTD|MSP)-IMPROV-')
NAME = re.compile(r'(?:UTD|MSP)-IMPROV-((S\d\d[AHNS])-[FM](\d\d)-([PRST])-\w+)(?:\.avi|\.wav)?')
NUM_FOLDS = 6


def find_table(root: Path) -> Path:
    """Finds the file of ratings.

    Raises:
        FileNotFoundError: If it is not there.
    """
    for name in TABLES:
        if (root / name).is_file():
            return root / name
    raise FileNotFoundError(f'{root} has no {" or ".join(TABLES)}; is DATA_ROOT the corpus as distributed?')


def read_consensus(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yields session, clip name (with its folders) and letter of the emotion.

    Raises:
        ValueError: If a line of consensus is malformed; file and line are named.
    """
    lines = text_lines(read_text(path, errors='replace'))  # raters' remarks may hold anything
    for number, line in enumerate(lines, start=1):
        if CONSENSUS.match(line) is None:
            continue
        name, emotion, *_ = [field.strip() for field in line.split(';')] + ['']
        match = NAME.fullmatch(name)
        if match is None or emotion not in EMOTIONS + LEFT_OUT or not 1 <= int(match[3]) <= NUM_FOLDS:
            raise ValueError(
                f'{path}, line {number}: expected a line such as '
                f"'UTD-IMPROV-S01A-F01-P-FM01.avi; A; A:1.857143; ...', got {shown(line.strip())}"
            )
        session = int(match[3])
        yield session, f'session{session}/{match[2]}/{match[4]}/MSP-IMPROV-{match[1]}', emotion


def labelled_clips(layout: MediaLayout) -> Iterator[tuple[int, Clip]]:
    """Yields the session that tests a clip, and the clip; prints how many clips have another label."""
    ignored: Counter[str] = Counter()
    videos = find_by_stem(layout.root / layout.video_dir, layout.video_suffix) if layout.reads_videos else {}
    for session, name, emotion in read_consensus(find_table(layout.root)):
        if emotion in LEFT_OUT:
            ignored[emotion] += 1
            continue
        clip = layout.clip(name, EMOTIONS.index(emotion))
        stem = name.rpartition('/')[2]
        found = videos.get(stem) or videos.get(stem.replace('MSP-', 'UTD-')) or clip.video
        sex = {'F': 'female', 'M': 'male'}[stem.split('-')[3][0]]
        yield session, replace(clip, video=found, facts=dict(sex=sex, session=session))
    print(f'left out by the protocol: {ignored["O"]} of another emotion (O), {ignored["X"]} without agreement (X)')


def convert(args: argparse.Namespace) -> None:
    """Writes the lists."""
    write_folds(args, cross_validation(labelled_clips(MediaLayout.from_args(args)), NUM_FOLDS), PROTOCOLS['MSPIMPROV'])


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Converts; returns the exit status."""
    parser = converter_parser('Lists of MSP-IMPROV, 6 folds by session', video_dir='face_aligned', audio_dir='Audio')
    return run_converter(parser, convert, argv)


if __name__ == '__main__':
    sys.exit(main())

"""Lists of IEMOCAP: 5 folds by session, four emotions.

python tools/dataset_converters/iemocap.py /corpora/IEMOCAP_full_release --out-dir data/iemocap

Reads ``Session1/dialog/EmoEvaluation/*.txt`` and ``Session1/sentences/wav/DIALOGUE/UTTERANCE.wav`` as distributed, and
``face_aligned/Session1/DIALOGUE/UTTERANCE/*.jpg``. The videos show whole dialogues, two people side by side;
``--cut-videos`` makes a video of each utterance and its speaker, from which ``extract_faces.py`` takes the faces.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import command

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from hicmae_mm.datasets.conversion import (
    Clip,
    MediaLayout,
    converter_parser,
    cross_validation,
    run_converter,
    write_folds,
)
from hicmae_mm.datasets.corpora.protocols import PROTOCOLS, Protocol
from hicmae_mm.datasets.preparation.cutting import Cut, CutVideo, summarize_cuts
from hicmae_mm.datasets.preparation.jobs import Job, run_jobs
from hicmae_mm.datasets.preparation.pool import default_num_workers
from hicmae_mm.datasets.preparation.report import report_jobs
from hicmae_mm.datasets.text_files import read_text, shown, text_lines

EMOTIONS = {'ang': 0, 'hap': 1, 'neu': 2, 'sad': 3}
EXCITEMENT = 'exc'  # counts as happiness in most work with four classes
LEFT_OUT = ('fru', 'fea', 'sur', 'dis', 'oth', 'xxx')
LINE = re.compile(r'\[(\d+\.\d+) - (\d+\.\d+)\]\t(Ses0(\d)([FM])_\w+)_([FM])(\d+)\t([a-z]{3})\t\[(.+)\]')
TRANSCRIPT = re.compile(r'(Ses\w+) \[[\d.]+-[\d.]+\]:(.*)')
NUM_SESSIONS = 5


class Utterance(NamedTuple):
    """Describes a line of an evaluation file.

    Attributes:
        session: 1 to 5.
        dialogue: ``Ses01F_impro01``; the letter says who wears the markers of the motion capture.
        speaker: ``'F'`` or ``'M'``.
        name: ``Ses01F_impro01_F000``.
        emotion: Majority vote, three letters.
        start_seconds: In the dialogue.
        end_seconds: In the dialogue.
        dimensions: Mean ratings of valence, activation and dominance, 1 to 5, as written.
        votes: Choices of the raters, and the number of each: ``Neutral:2|Frustration:1``.
        turn: Place in the dialogue from 0 on, by the start.
    """

    session: int
    dialogue: str
    speaker: str
    name: str
    emotion: str
    start_seconds: float
    end_seconds: float
    dimensions: str = ''
    votes: str = ''
    turn: int = 0

    @property
    def is_marked(self) -> bool:
        """Returns whether the speaker is the one with the markers."""
        return self.dialogue[5] == self.speaker


def read_utterances(root: Path) -> Iterator[Utterance]:
    """Yields the utterances of all sessions with one of the four emotions, or excitement.

    Raises:
        FileNotFoundError: If a session lacks its evaluation files.
        ValueError: If a line is malformed; file and line are named.
    """
    for session in range(1, NUM_SESSIONS + 1):
        folder = root / f'Session{session}' / 'dialog' / 'EmoEvaluation'
        paths = sorted(folder.glob('Ses*.txt'))  # not the ._Ses*.txt that a Mac left in the release
        if not paths:
            raise FileNotFoundError(f'{folder} has no Ses*.txt; is DATA_ROOT the folder IEMOCAP_full_release?')
        for path in paths:
            utterances = list(_read_file(path, session))
            starts = sorted(utterance.start_seconds for utterance in utterances)
            yield from (utterance._replace(turn=starts.index(utterance.start_seconds)) for utterance in utterances)


def _read_file(path: Path, session: int) -> Iterator[Utterance]:
    lines = list(text_lines(read_text(path, errors='replace')))  # raters' remarks may hold anything
    for number, line in enumerate(lines, start=1):
        if not line.startswith('['):
            continue
        match = LINE.fullmatch(line.strip())
        emotions = (*EMOTIONS, EXCITEMENT, *LEFT_OUT)
        if match is None or int(match[4]) != session or match[8] not in emotions:
            raise ValueError(
                f'{path}, line {number}: expected a line of session {session} such as '
                rf"'[6.2901 - 8.2357]\tSes0{session}F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]', "
                f'got {shown(line.strip())}'
            )
        if match[8] not in LEFT_OUT:
            name = f'{match[3]}_{match[6]}{match[7]}'
            seconds = float(match[1]), float(match[2])
            votes = _votes(lines[number:])
            yield Utterance(session, match[3], match[6], name, match[8], *seconds, match[9], votes)


def _votes(lines: Sequence[str]) -> str:
    """Counts what the raters chose, from the lines behind that of an utterance (``C-E1:\tNeutral;\t()``)."""
    counts: Counter[str] = Counter()
    for line in lines:
        if line.startswith('['):
            break
        cells = line.split('\t')
        if line.startswith('C-E') and len(cells) > 1:
            counts.update(name.strip() for name in cells[1].split(';') if name.strip())
    return '|'.join(f'{name}:{count}' for name, count in counts.most_common())


def facts_of(utterance: Utterance, texts: Mapping[str, str]) -> dict[str, str | float]:
    """Returns what is known about an utterance: speaker, words, ratings, and its place in the dialogue."""
    sex = {'F': 'female', 'M': 'male'}[utterance.speaker]
    facts: dict[str, str | float] = dict(sex=sex, session=utterance.session, dialogue=utterance.dialogue)
    facts |= dict(turn=utterance.turn, emotion=utterance.emotion, text=texts.get(utterance.name, ''))
    ratings = [rating.strip() for rating in utterance.dimensions.split(',')]
    facts |= dict(votes=utterance.votes) if utterance.votes else {}
    return facts | dict(zip(('valence', 'activation', 'dominance'), ratings))


def read_transcripts(root: Path) -> dict[str, str]:
    """Returns what is said, by name of the utterance; empty where the release has no transcriptions."""
    texts = {}
    for path in sorted(root.glob('Session*/dialog/transcriptions/Ses*.txt')):
        for line in text_lines(read_text(path, errors='replace')):
            if match := TRANSCRIPT.match(line):
                texts[match[1]] = match[2].strip()
    return texts


def labelled_clips(layout: MediaLayout, merge_excitement: bool) -> Iterator[tuple[int, Clip]]:
    """Yields the session that tests a clip, and the clip."""
    texts = read_transcripts(layout.root)
    labels = EMOTIONS | ({EXCITEMENT: EMOTIONS['hap']} if merge_excitement else {})
    for utterance in read_utterances(layout.root):
        if utterance.emotion in labels:
            of_session = replace(
                layout,
                video_dir=layout.video_dir.replace('{session}', str(utterance.session)),
                audio_dir=layout.audio_dir.replace('{session}', str(utterance.session)),
            )
            name = f'{utterance.dialogue}/{utterance.name}'
            clip = of_session.clip(name, labels[utterance.emotion])
            yield utterance.session, replace(clip, facts=facts_of(utterance, texts))


def cut_videos(args: argparse.Namespace) -> None:
    """Cuts the utterances of every dialogue out of its video, the speaker's half of the picture.

    Raises:
        ValueError: If videos could not be cut; all others are there.
    """
    jobs, cuts = [], {}
    for utterance in read_utterances(args.data_root):
        folder = f'Session{utterance.session}'
        source = args.data_root / folder / 'dialog' / 'avi' / 'DivX' / f'{utterance.dialogue}.avi'
        if utterance.dialogue not in cuts:
            jobs.append(Job(utterance.dialogue, source, args.cut_videos / folder / utterance.dialogue))
        is_left = utterance.is_marked == (args.marked_side == 'left')
        edges = (0.0, 0.5) if is_left else (0.5, 1.0)
        cut = Cut(utterance.name, utterance.start_seconds, utterance.end_seconds, *edges)
        cuts.setdefault(utterance.dialogue, []).append(cut)
    settings = dict(made_by='iemocap', marked_side=args.marked_side)
    outcomes = run_jobs(CutVideo(cuts), jobs, args.cut_videos, settings, args.num_workers)
    summary = report_jobs(outcomes, len(jobs), args.cut_videos, settings, summarize_cuts)
    if summary['failed']:
        raise ValueError(f'{summary["failed"]} of {len(jobs)} dialogues could not be cut; the reasons stand above')


def convert(args: argparse.Namespace) -> None:
    """Writes the lists, or cuts the videos."""
    layout = MediaLayout.from_args(args)
    if args.cut_videos is not None:
        cut_videos(args)
        return
    clips = labelled_clips(layout, not args.no_merge_excitement)
    protocol = PROTOCOLS['IEMOCAP']
    if args.no_merge_excitement:  # no sizes are usual
        protocol = Protocol(speaker=protocol.speaker)
    write_folds(args, cross_validation(clips, NUM_SESSIONS), protocol)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Converts; returns the exit status."""
    parser = converter_parser(
        'Lists of IEMOCAP, 5 folds by session; {session} in a folder stands for its number',
        video_dir='face_aligned/Session{session}',
        audio_dir='Session{session}/sentences/wav',
    )
    parser.add_argument(
        '--no-merge-excitement', action='store_true', help='leave excitement out; by default it counts as happiness'
    )
    cutting = parser.add_argument_group('videos of utterances')
    cutting.add_argument(
        '--cut-videos', type=Path, metavar='DIR', help='write no lists, but a video of every utterance into DIR'
    )
    cutting.add_argument(
        '--marked-side',
        choices=('left', 'right'),
        default='left',
        help='where the actor with the markers sits, whom the name of the dialogue tells (default: %(default)s)',
    )
    cutting.add_argument(
        '--num-workers', type=int, default=default_num_workers(), help='processes (default: one per core); 0: this one'
    )
    return run_converter(parser, convert, argv)


if __name__ == '__main__':
    sys.exit(main())

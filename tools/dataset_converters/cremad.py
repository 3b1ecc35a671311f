"""Lists of CREMA-D: 5 folds by actor, six or four emotions.

python tools/dataset_converters/cremad.py /corpora/CREMA-D --out-dir data/cremad

Reads ``AudioWAV/*.wav`` as distributed and ``face_aligned/NAME/*.jpg``, which ``extract_faces.py`` makes of
``VideoFlash/*.flv``.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import command

import argparse
import sys
from collections.abc import Mapping, Sequence

from hicmae_mm.datasets.conversion import (
    Clip,
    MediaLayout,
    Row,
    converter_parser,
    cross_validation,
    listing,
    read_table,
    run_converter,
    write_folds,
)
from hicmae_mm.datasets.corpora.protocols import PROTOCOLS

EMOTIONS = {6: ('ANG', 'DIS', 'FEA', 'HAP', 'NEU', 'SAD'), 4: ('ANG', 'HAP', 'NEU', 'SAD')}
BROKEN = ('1064_IEO_DIS_MD', '1064_TIE_SAD_XX', '1076_MTI_NEU_XX', '1076_MTI_SAD_XX')  # says the corpus's own page
UNPUBLISHED = '1040_ITH_SAD_XX'  # sound, but not in the published lists
SPELLINGS = {'1040_ITH_SAD_X': UNPUBLISHED}  # of its sound, in the owners' repository
SENTENCES = {
    'IEO': "It's eleven o'clock",
    'TIE': 'That is exactly what happened',
    'IOM': "I'm on my way to the meeting",
    'IWW': 'I wonder what this is about',
    'TAI': 'The airplane is almost full',
    'MTI': 'Maybe tomorrow it will be cold',
    'IWL': 'I would like a new alarm clock',
    'ITH': "I think I have a doctor's appointment",
    'DFA': "Don't forget a jacket",
    'ITS': "I think I've seen this before",
    'TSI': 'The surface is slick',
    'WSI': "We'll stop in a couple of minutes",
}
ACTORS = 'VideoDemographics.csv'
COLUMNS = {'actor': ('ActorID',), 'sex': ('Sex',), 'age': ('Age',)}
FIRST_ACTOR, NUM_FOLDS, ACTORS_PER_FOLD = 1001, 5, 18


def fold_of(name: str) -> int:
    """Returns the fold, 1 to 5, that tests the actor of a clip: 18 actors each, the last fold 19 (HiCMAE)."""
    return min((int(name[:4]) - FIRST_ACTOR) // ACTORS_PER_FOLD, NUM_FOLDS - 1) + 1


def emotion_of(name: str) -> str:
    """Returns the emotion in a clip's name ``ACTOR_SENTENCE_EMOTION_INTENSITY``.

    Raises:
        ValueError: If the name has another form.
    """
    parts = name.split('_')
    if len(parts) != 4 or not parts[0].isdigit() or parts[2] not in EMOTIONS[6]:
        raise ValueError(f'{name!r} is not a clip of CREMA-D; expected a name such as 1001_DFA_ANG_XX')
    return parts[2]


def facts_of(name: str, actors: Mapping[str, Row]) -> dict[str, str | float]:
    """Returns what is known about a clip: sentence and intensity, and sex and age of the actor if known."""
    actor, sentence, _, intensity = name.split('_')
    facts: dict[str, str | float] = dict(text=SENTENCES.get(sentence, ''), intensity=intensity)
    if actor in actors:
        facts |= dict(sex=actors[actor].cells['sex'].lower(), age=actors[actor].cells['age'])
    return facts


def convert(args: argparse.Namespace) -> None:
    """Writes the lists."""
    layout = MediaLayout.from_args(args)
    dropped = {*BROKEN} if args.with_1040_ith_sad else {*BROKEN, UNPUBLISHED}
    names = {SPELLINGS.get(name, name): name for name in layout.names()}
    print(f'left out by the protocol: {listing(dropped.intersection(names)) or "nothing"}')
    labels = {emotion: index for index, emotion in enumerate(EMOTIONS[args.classes])}
    table = layout.root / ACTORS
    actors = {row.cells['actor']: row for row in read_table(table, COLUMNS)} if args.table and table.is_file() else {}
    emotions = {name: emotion_of(name) for name in names if name not in dropped}
    clips = (
        (
            fold_of(name),
            Clip(layout.clip(name).video, layout.clip(names[name]).audio, (labels[key],), facts_of(name, actors)),
        )
        for name, key in emotions.items()
        if key in labels
    )
    write_folds(args, cross_validation(clips, NUM_FOLDS), PROTOCOLS['CREMAD' if args.classes == 6 else 'CREMAD4'])


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Converts; returns the exit status."""
    parser = converter_parser('Lists of CREMA-D, 5 folds by actor', video_dir='face_aligned', audio_dir='AudioWAV')
    parser.add_argument('--classes', type=int, choices=(6, 4), default=6, help='emotions (default: %(default)s)')
    parser.add_argument(
        '--with-1040-ith-sad',
        action='store_true',
        help='keep 1040_ITH_SAD_XX, a sound clip that the published lists lack (one clip more in a fold)',
    )
    return run_converter(parser, convert, argv)


if __name__ == '__main__':
    sys.exit(main())

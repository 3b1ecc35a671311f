"""Lists of RAVDESS: 6 folds by actor of the 1440 speech clips, eight emotions.

python tools/dataset_converters/ravdess.py /corpora/RAVDESS --out-dir data/ravdess

Reads the sound as distributed (``Audio_Speech_Actors_01-24/Actor_*/03-01-*.wav``, 48 kHz, resampled when it is read)
and the faces that ``extract_faces.py`` makes of ``Video_Speech_Actor_*/Actor_*/01-01-*.mp4``, in whichever folders
below ``--video-dir``. A clip's name is ``MODALITY-CHANNEL-EMOTION-INTENSITY-SENTENCE-REPETITION-ACTOR``; modality 01
has pictures and sound, 02 only the same pictures, 03 only the same sound, so that a clip is used once. Songs (channel
02) are left out.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import command

import argparse
import sys
from collections.abc import Iterator, Sequence
from itertools import product

from hicmae_mm.datasets.conversion import (
    Clip,
    MediaLayout,
    converter_parser,
    find_by_stem,
    run_converter,
    write_folds,
)
from hicmae_mm.datasets.corpora.protocols import PROTOCOLS

NUM_ACTORS, NUM_FOLDS, ACTORS_PER_FOLD = 24, 6, 4
NUM_EMOTIONS, NEUTRAL = 8, 1
SPEECH = '01'
SENTENCES = {'01': 'Kids are talking by the door', '02': 'Dogs are sitting by the door'}


def speech_clips(actor: int) -> Iterator[tuple[str, int]]:
    """Yields name without modality, and class index, of an actor's 60 clips. Neutral clips have one intensity."""
    for emotion, intensity, sentence, repetition in product(range(1, NUM_EMOTIONS + 1), (1, 2), (1, 2), (1, 2)):
        if emotion != NEUTRAL or intensity == 1:
            numbers = (emotion, intensity, sentence, repetition, actor)
            yield '-'.join([SPEECH, *(f'{number:02d}' for number in numbers)]), emotion - 1


def facts_of(name: str) -> dict[str, str | float]:
    """Returns what the name of a clip says. Actors with odd numbers are male."""
    _, _, intensity, sentence, repetition, actor = name.split('-')
    return dict(
        sex='male' if int(actor) % 2 else 'female',
        text=SENTENCES[sentence],
        intensity=int(intensity),
        repetition=int(repetition),
    )


def convert(args: argparse.Namespace) -> None:
    """Writes the lists."""
    layout = MediaLayout.from_args(args)
    videos = find_by_stem(layout.root / layout.video_dir, layout.video_suffix) if layout.reads_videos else {}
    sounds = find_by_stem(layout.root / layout.audio_dir, layout.audio_suffix) if layout.reads_sounds else {}
    folds: dict[str, dict[str, list]] = {f'fold{k}': {'train': [], 'test': []} for k in range(1, NUM_FOLDS + 1)}
    for actor in range(1, NUM_ACTORS + 1):
        tested_in = (actor - 1) // ACTORS_PER_FOLD + 1
        for name, label in speech_clips(actor):
            pictures, sound = f'{args.video_modality}-{name}', f'{args.audio_modality}-{name}'
            video = videos.get(pictures) or layout.clip(f'Actor_{actor:02d}/{pictures}').video
            audio = sounds.get(sound) or layout.clip(f'Actor_{actor:02d}/{sound}').audio
            clip = Clip(video, audio, (label,), facts_of(name))
            for k in range(1, NUM_FOLDS + 1):
                folds[f'fold{k}']['test' if k == tested_in else 'train'].append(clip)
    write_folds(args, folds, PROTOCOLS['RAVDESS'])


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Converts; returns the exit status."""
    parser = converter_parser(
        'Lists of RAVDESS, 6 folds by actor', video_dir='face_aligned', audio_dir='Audio_Speech_Actors_01-24'
    )
    parser.add_argument(
        '--video-modality',
        choices=('01', '02'),
        default='01',
        help='clips whose pictures are used: with sound, or without (as in the published lists) (default: %(default)s)',
    )
    parser.add_argument(
        '--audio-modality',
        choices=('01', '03'),
        default='03',
        help="clips whose sound is used: the videos', or the sound files (default: %(default)s)",
    )
    return run_converter(parser, convert, argv)


if __name__ == '__main__':
    sys.exit(main())

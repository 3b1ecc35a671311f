"""RAVDESS: one actor of every fold, faces as extracted; songs and the clips' second copies among them."""

from __future__ import annotations

from pathlib import Path

from tests.corpora.case import CorpusCase, write_frames, write_sound

ACTORS = (1, 8, 9, 16, 17, 24)


def write(root: Path) -> None:
    sounds = root / 'Audio_Speech_Actors_01-24'
    for number, actor in enumerate(ACTORS):
        faces = root / 'face_aligned' / f'Video_Speech_Actor_{actor:02d}' / f'Actor_{actor:02d}'
        for emotion in (number % 8 + 1, (number + 3) % 8 + 1):
            name = f'01-{emotion:02d}-01-02-01-{actor:02d}'
            for modality in ('01', '02'):
                write_frames(faces / f'{modality}-{name}', actor)
            write_sound(sounds / f'Actor_{actor:02d}' / f'03-{name}.wav', actor)
        write_sound(sounds / f'Actor_{actor:02d}' / f'03-02-03-01-01-01-{actor:02d}.wav', actor)


CASE = CorpusCase(
    converter='ravdess',
    config='hicmae_base_ravdess',
    root_variable='RAVDESS_ROOT',
    write=write,
    arguments=('--allow-missing',),  # 12 clips of 1440
    sizes={f'fold{k}': {'train': 10, 'test': 2} for k in range(1, 7)},
    metrics=('UAR', 'WAR'),
)

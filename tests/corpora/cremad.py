"""CREMA-D: sound as distributed, faces as extracted; actors of every fold, a broken clip, one that is not published."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.corpora.case import CorpusCase, write_frames, write_sound

# two actors of folds 1, 4 and 5 (first and last), one of folds 2 and 3
ACTORS = (1001, 1018, 1019, 1037, 1055, 1072, 1073, 1091)
EMOTIONS = ('ANG', 'DIS', 'FEA', 'HAP', 'NEU', 'SAD')
LEFT_OUT = ('1076_MTI_NEU_XX', '1040_ITH_SAD_XX')


def names() -> list[str]:
    clips = [
        f'{actor}_IEO_{EMOTIONS[(number + shift) % 6]}_XX' for number, actor in enumerate(ACTORS) for shift in (0, 3)
    ]
    return [*clips, *LEFT_OUT]


def write(root: Path) -> None:
    for seed, name in enumerate(names()):
        write_sound(root / 'AudioWAV' / f'{name}.wav', seed)
        write_frames(root / 'face_aligned' / name, seed)
    (root / 'VideoFlash').mkdir()
    (root / 'README.md').write_text('CREMA-D\n')


SIX = CorpusCase(
    converter='cremad',
    config='hicmae_base_cremad',
    root_variable='CREMAD_ROOT',
    write=write,
    sizes={
        'fold1': {'train': 12, 'test': 4},
        'fold2': {'train': 14, 'test': 2},
        'fold3': {'train': 14, 'test': 2},
        'fold4': {'train': 12, 'test': 4},
        'fold5': {'train': 12, 'test': 4},
    },
    metrics=('UAR', 'WAR'),
)
FOUR = replace(
    SIX,
    config='hicmae_base_cremad4',
    root_variable='CREMAD4_ROOT',
    arguments=('--classes', '4'),
    sizes={
        'fold1': {'train': 8, 'test': 3},
        'fold2': {'train': 10, 'test': 1},
        'fold3': {'train': 9, 'test': 2},
        'fold4': {'train': 9, 'test': 2},
        'fold5': {'train': 8, 'test': 3},
    },
)
CASES = [SIX, FOUR]

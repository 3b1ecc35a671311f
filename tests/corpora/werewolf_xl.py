"""Werewolf-XL: one table of labels with more columns than are needed, utterances of groups of every fold."""

from __future__ import annotations

from pathlib import Path

from tests.corpora.case import CorpusCase, write_frames, write_sound

# group_player_utterance: pleasure in quarters, arousal and dominance in halves
CLIPS = {
    '01_01_128': (0.0, 1.0, 0.5),
    '01_01_129': (0.75, 1.5, 1.0),
    '06_09_567': (-0.25, 0.5, 0.0),
    '07_02_3': (0.25, 0.0, -0.5),
    '12_05_41': (1.0, 1.0, 1.0),
    '13_01_7': (0.5, 0.5, 0.5),
    '19_03_100': (0.25, 1.0, 0.0),
    '24_07_2': (0.0, 0.5, 1.0),
    '30_09_250': (-0.5, 1.5, 1.5),
}


def table() -> str:
    rows = ['Session,VideoName,Pleasure_average,Arousal_average,Dominance_average,Remark']
    rows += [f'{int(name[:2])},{name},{p},{a},{d},"a, b"' for name, (p, a, d) in CLIPS.items()]
    return '\n'.join(rows) + '\n'


def write(root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    (root / 'PAD.csv').write_text(table())
    for seed, name in enumerate(CLIPS):
        write_sound(root / 'audio_16k' / f'{name}.wav', seed)
        write_frames(root / 'face_aligned' / name, seed)


CASE = CorpusCase(
    converter='werewolf_xl',
    config='hicmae_base_werewolf_xl',
    root_variable='WEREWOLF_XL_ROOT',
    write=write,
    sizes={
        'fold1': {'train': 6, 'test': 3},
        'fold2': {'train': 7, 'test': 2},
        'fold3': {'train': 8, 'test': 1},
        'fold4': {'train': 7, 'test': 2},
        'fold5': {'train': 8, 'test': 1},
    },
    metrics=('PCC', 'CCC', 'CCC/valence', 'PCC/dominance'),
)

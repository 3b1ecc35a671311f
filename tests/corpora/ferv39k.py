"""FERV39k: faces in folders by scene and emotion, lists of all scenes, and the same number in several folders."""

from __future__ import annotations

from pathlib import Path

from tests.corpora.case import CorpusCase, write_frames

LINES = {
    'train': (
        'Action/Happy/0001',
        'Action/Sad/0001',
        'Crime/Neutral/0001',
        'War/Angry/0094',
        'DailyLife/Surprise/0002',
    ),
    'test': ('Action/Happy/0002', 'Crime/Disgust/0028', 'Talkshow/Fear/0003'),
}


def write(root: Path) -> None:
    lists = root / '4_setups' / 'All_scenes'
    lists.mkdir(parents=True)
    for part, names in LINES.items():
        (lists / f'{part}_All.csv').write_text(''.join(f'{name} {name.split("/")[1]}\n' for name in names))
        for seed, name in enumerate(names):
            write_frames(root / '2_ClipsforFaceCrop' / name, seed)


CASE = CorpusCase(
    converter='ferv39k',
    config='mae_dfer/mae_dfer_base_ferv39k',
    root_variable='FERV39K_ROOT',
    write=write,
    sizes={'fold1': {'train': 5, 'test': 3}},
    metrics=('UAR', 'WAR'),
    streams=('video',),
)

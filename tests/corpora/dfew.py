"""DFEW: numbers that are padded in folders of frames and not elsewhere, original clips in parts."""

from __future__ import annotations

from pathlib import Path

from tests.corpora.case import CorpusCase, write_clip, write_frames

NUMBERS = (1, 12, 345, 2001, 5276, 9999, 10000, 12059, 16286, 16372)


def write(root: Path) -> None:
    for seed, number in enumerate(NUMBERS):
        folder = root / 'Clip' / 'clip_224x224' / f'{number:05d}'
        write_frames(folder, seed)
        for frame in folder.iterdir():
            frame.rename(folder / f'{folder.name}_{frame.name}')
        write_clip(root / 'Clip' / 'original' / f'part_{number // 4000 + 1}' / f'{number}.mp4', seed)
    for k in range(1, 6):
        lines: dict[str, list[str]] = {'train': [], 'test': []}
        for index, number in enumerate(NUMBERS):
            lines['test' if index % 5 == k - 1 else 'train'].append(f'{number},{index % 7 + 1}\n')
        for part, text in lines.items():
            path = root / 'EmoLabel_DataSplit' / f'{part}(single-labeled)' / f'set_{k}.csv'
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(''.join(['video_name,label\n', *text]))


CASE = CorpusCase(
    converter='dfew',
    config='hicmae_base_dfew',
    root_variable='DFEW_ROOT',
    write=write,
    sizes={f'fold{k}': {'train': 8, 'test': 2} for k in range(1, 6)},
    metrics=('UAR', 'WAR'),
)

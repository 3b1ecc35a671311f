"""MER2023: archives unpacked where they lie, labels of the test set apart; blanks after commas, a byte order mark."""

from __future__ import annotations

from pathlib import Path

from tests.corpora.case import CorpusCase, write_frames, write_sound

EMOTIONS = ('neutral', 'angry', 'happy', 'sad', 'worried', 'surprise')
TRAIN = [(f'sample_{number:08d}', emotion, number - 2.5) for number, emotion in enumerate(EMOTIONS)]
TEST = [('sample_00003373', 'happy', 3.2), ('sample_00003374', 'worried', -1.0), ('sample_00003375', 'sad', -2.4)]


def table(rows: list[tuple[str, str, float]]) -> str:
    return ''.join(f'{",".join(map(str, row))}\r\n' for row in [('name', 'discrete', 'valence'), *rows])


def write(root: Path) -> None:
    tables = {'mer2023train/train-label.csv': '\ufeff' + table(TRAIN), 'test-labels/test1-label.csv': table(TEST)}
    # the other tracks' labels come along
    tables |= {'test-labels/test2-label.csv': table(TEST), 'test-labels/test3-label.csv': 'name,discrete\r\n'}
    for place, text in tables.items():
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_bytes(text.encode())
    for part, rows in (('train', TRAIN), ('test1', TEST)):
        for seed, (name, *_) in enumerate(rows):
            write_sound(root / 'audio_16k' / part / f'{name}.wav', seed)
            write_frames(root / 'face_aligned' / part / name, seed)


CASE = CorpusCase(
    converter='mer2023',
    config='hicmae_base_mer2023',
    root_variable='MER2023_ROOT',
    write=write,
    sizes={'fold1': {'train': 6, 'test': 3}},
    metrics=('weighted_f1', 'MSE', 'MER'),
)

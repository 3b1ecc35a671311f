"""MAFW: frames, sound and the corpus's own lists, with captions and without; a clip that has no sound."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.corpora.case import CorpusCase, write_frames, write_sound

NAMES = ('00025', '00026', '00151', '01440', '03747', '07499', '08827', '09878', '15120', '20045')
SILENT = '07317'
SINGLE = (
    'anger',
    'disgust',
    'fear',
    'happiness',
    'neutral',
    'sadness',
    'surprise',
    'contempt',
    'anxiety',
    'helplessness',
    'disappointment',
)
COMPOUND = (
    'anger_disgust_anxiety',
    'neutral',
    'sadness_helplessness',
    'fear_surprise',
    'disgust_contempt',
    'happiness',
    'anger_disgust',
    'sadness_anxiety_helplessness',
    'happiness_surprise',
    'anxiety',
    'surprise',
)


def write_lists(folder: Path, labels: tuple[str, ...]) -> None:
    """Clip number i is tested in fold i modulo 5 + 1; the silent one in fold 1."""
    clips = [*zip((*NAMES, SILENT), labels)]
    for k in range(1, 6):
        lines: dict[str, list[str]] = {'train': [], 'test': []}
        for number, (name, label) in enumerate(clips):
            lines['test' if number % 5 == k - 1 else 'train'].append(f'{name}.mp4 {label}\n')
        for part, text in lines.items():
            for captions in ('no_caption', 'with_caption'):
                path = folder / captions / f'set_{k}' / f'{part}.txt'
                path.parent.mkdir(parents=True, exist_ok=True)
                captioned = [line.replace(' ', '\t').replace('\n', '\t皱眉\tA frown.\n') for line in text]
                path.write_text(''.join(text if captions == 'no_caption' else captioned), encoding='gb18030')


def write(root: Path) -> None:
    for seed, name in enumerate((*NAMES, SILENT)):
        write_frames(root / 'data' / 'frames' / name, seed)
        if name != SILENT:
            write_sound(root / 'data' / 'audio_16k' / f'{name}.wav', seed)
    write_lists(root / 'Train & Test Set' / 'single', SINGLE)
    write_lists(root / 'Train & Test Set' / 'compound', COMPOUND)


ELEVEN = CorpusCase(
    converter='mafw',
    config='hicmae_base_mafw',
    root_variable='MAFW_ROOT',
    write=write,
    sizes={f'fold{k}': {'train': 8, 'test': 2} for k in range(1, 6)},
    metrics=('UAR', 'WAR'),
)
FORTY_THREE = replace(
    ELEVEN,
    config='hicmae_base_mafw43',
    root_variable='MAFW43_ROOT',
    arguments=('--task', 'compound'),
    metrics=('UAR', 'WAR', 'macro_f1', 'AUC'),
)
CASES = [ELEVEN, FORTY_THREE]

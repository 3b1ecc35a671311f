"""AVCAffe: clips of recordings, labels and split as distributed, faces as extracted; a clip without speech."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.corpora.case import CorpusCase, write_clip, write_frames

PARTICIPANTS = {'train': ('aiim003',), 'val': ('aiim001',)}
AROUSAL = ('Excited', 'Wide-awake', 'Neutral', 'Dull', 'Calm')
VALENCE = ('Pleasant', 'Pleased', 'Neutral', 'Unsatisfied', 'Unpleasant')
SILENT = 'aiim003_task_1_clip_002'


def write(root: Path) -> None:
    participants = sorted(name for names in PARTICIPANTS.values() for name in names)
    recordings = [(participant, f'task_{task}') for participant in participants for task in (1, 2)]
    for number, (participant, task) in enumerate(recordings):
        for clip in (1, 2):
            name = f'{participant}_{task}_clip_{clip:03d}'
            write_clip(root / 'videos' / 'shorter_segments' / participant / task / f'{name}.avi', 2 * number + clip)
            write_frames(root / 'face_aligned' / participant / task / name, 2 * number + clip)
    for target, classes in (('arousal', AROUSAL), ('valence', VALENCE[::-1])):
        lines = [f'{"_".join(recording)}, {classes[number % 5]}\n' for number, recording in enumerate(recordings)]
        path = root / 'ground_truths' / f'{target}.txt'
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'{target}\n{"".join(lines)}')
    (root / 'info').mkdir()
    for part, names in PARTICIPANTS.items():
        (root / 'info' / f'{part}.txt').write_text('\n'.join(names) + '\n')
    (root / 'info' / 'no_audio_files.txt').write_text(f'{SILENT}.avi\n')


AROUSED = CorpusCase(
    converter='avcaffe',
    config='hicmae_base_avcaffe',
    root_variable='AVCAFFE_ROOT',
    write=write,
    sizes={'fold1': {'train': 3, 'test': 4}},
    metrics=('weighted_f1',),
)
PLEASED = replace(AROUSED, environment={'AVCAFFE_TARGET': 'valence'})
CASES = [AROUSED, PLEASED]

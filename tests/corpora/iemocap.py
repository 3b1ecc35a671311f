"""IEMOCAP: evaluation files with the raters' lines, a dialogue named ..._1b, and what a Mac left between them."""

from __future__ import annotations

from pathlib import Path

from tests.corpora.case import CorpusCase, write_frames, write_sound

# (utterance, emotion, start, end), by dialogue
DIALOGUES = {
    'Ses01F_impro01': [('F000', 'neu', 0.4, 1.2), ('M000', 'ang', 1.0, 1.6), ('F001', 'xxx', 1.6, 2.4)],
    'Ses01M_script01_1': [('M000', 'exc', 0.0, 1.0), ('F000', 'sad', 1.0, 2.0)],
    'Ses02F_impro01': [('F000', 'hap', 0.0, 1.0)],
    'Ses03M_impro08a': [('F003', 'neu', 0.0, 1.0), ('M003', 'fru', 1.0, 2.0)],
    'Ses04F_script02_2': [('M012', 'sad', 0.0, 1.0)],
    'Ses05M_script01_1b': [('F010', 'ang', 0.0, 1.0), ('M011', 'exc', 1.0, 2.0)],
}


def evaluation(dialogue: str) -> str:
    text = '% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n'
    for number, (turn, emotion, start, end) in enumerate(DIALOGUES[dialogue]):
        text += f'[{start:.4f} - {end:.4f}]\t{dialogue}_{turn}\t{emotion}\t[2.5000, {number + 1}.5000, 2.5000]\n'
        text += 'C-E2:\tNeutral;\t()\nC-F1:\tNeutral; Other;\t([curious)\nA-E3:\tval 3; act 2; dom  2;\t()\n\n'
    return text


def write(root: Path) -> None:
    for seed, (dialogue, turns) in enumerate(DIALOGUES.items()):
        session = root / f'Session{dialogue[4]}'
        folder = session / 'dialog' / 'EmoEvaluation'
        (folder / 'Categorical').mkdir(parents=True, exist_ok=True)
        (folder / f'{dialogue}.txt').write_text(evaluation(dialogue))
        (folder / f'._{dialogue}.txt').write_bytes(b'\x00\x05\x16\x07\x00\x02')
        (folder / 'Categorical' / f'{dialogue}_e1_cat.txt').write_text(f'{dialogue}_F000 :Neutral; ()\n')
        for turn, *_ in turns:
            name = f'{dialogue}_{turn}'
            write_sound(session / 'sentences' / 'wav' / dialogue / f'{name}.wav', seed)
            write_frames(root / 'face_aligned' / session.name / dialogue / name, seed)


CASE = CorpusCase(
    converter='iemocap',
    config='hicmae_base_iemocap',
    root_variable='IEMOCAP_ROOT',
    write=write,
    sizes={
        'fold1': {'train': 5, 'test': 4},
        'fold2': {'train': 8, 'test': 1},
        'fold3': {'train': 8, 'test': 1},
        'fold4': {'train': 8, 'test': 1},
        'fold5': {'train': 7, 'test': 2},
    },
    metrics=('UAR', 'WAR'),
)

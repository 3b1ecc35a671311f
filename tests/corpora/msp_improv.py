"""MSP-IMPROV: the misspelt file of ratings with raters' lines between, labels O and X, sentences of six sessions."""

from __future__ import annotations

from pathlib import Path

from tests.corpora.case import CorpusCase, write_frames, write_sound

# sentence and target emotion, speaker and session, condition and turn: consensus
CLIPS = {
    'S01A-F01-P-FM01': 'N',
    'S01A-F01-T-FM01': 'A',
    'S01H-M01-S-MF02': 'H',
    'S05S-M02-R-MM01': 'S',
    'S20H-F03-S-FM11': 'H',
    'S02N-M04-P-MF01': 'N',
    'S03A-F05-R-FF02': 'A',
    'S01S-M06-S-FM100': 'S',
    'S01A-F02-P-FM05': 'O',
    'S01A-M03-P-FM02': 'X',
}


def path_of(clip: str) -> str:
    sentence, speaker, condition, _ = clip.split('-')
    return f'session{int(speaker[1:])}/{sentence}/{condition}/MSP-IMPROV-{clip}'


def ratings() -> str:
    raters = (
        'WSXD3; Neutral; Neutral; A:3.000000; V:3.000000; D:3.000000; N:4.000000;\n'
        'Q7_a-1; Other, "Bored; Neutral,Other; A:2.000000; V:3.000000; D:NaN; N:3.000000;\n'
    )
    return ''.join(
        f'UTD-IMPROV-{clip}.avi; {letter}; A:2.857143; V:3.571429; D:2.142857 ; N:3.714286;\n{raters}\n'
        for clip, letter in CLIPS.items()
    )


def write(root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    (root / 'Evalution.txt').write_text(ratings())
    for seed, clip in enumerate(CLIPS):
        write_sound(root / 'Audio' / f'{path_of(clip)}.wav', seed)
        write_frames(root / 'face_aligned' / path_of(clip), seed)


CASE = CorpusCase(
    converter='msp_improv',
    config='hicmae_base_msp_improv',
    root_variable='MSP_IMPROV_ROOT',
    write=write,
    sizes={f'fold{k}': {'train': 5 if k == 1 else 7, 'test': 3 if k == 1 else 1} for k in range(1, 7)},
    metrics=('UAR', 'WAR'),
)

"""What is special about the converters of MER2023, MSP-IMPROV, IEMOCAP and Werewolf-XL."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from hicmae_mm.datasets.corpora.protocols import PROTOCOLS
from hicmae_mm.datasets.readers.video import open_video
from hicmae_mm.datasets.tables import read_table
from tests.corpora import iemocap, mer2023, msp_improv, werewolf_xl
from tests.corpora.case import NUM_FRAMES, write_clip
from tests.test_tools.converters import load_converter, read_lists

MODULES = {'mer2023': mer2023, 'msp_improv': msp_improv, 'iemocap': iemocap, 'werewolf_xl': werewolf_xl}
EMOTIONS = ('ang', 'hap', 'neu', 'sad')


def convert(name: str, root: Path, out_dir: Path, *options: str) -> dict[str, dict[str, list[list[str]]]]:
    assert load_converter(name).main([str(root), '--out-dir', str(out_dir), *options]) == 0
    return read_lists(out_dir)


def clips_of(rows: list[list[str]]) -> list[str]:
    return [Path(row[0]).name for row in rows]


@pytest.fixture(params=['msp_improv', 'iemocap', 'werewolf_xl'])
def folded(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, dict[str, list[list[str]]]]:
    """Lists of a corpus with folds."""
    MODULES[request.param].write(tmp_path / 'corpus')
    return convert(request.param, tmp_path / 'corpus', tmp_path / 'lists')


def test_every_clip_is_tested_once_and_trained_on_otherwise(folded: dict[str, dict[str, list[list[str]]]]) -> None:
    tested = Counter(clip for parts in folded.values() for clip in clips_of(parts['test']))
    assert set(tested.values()) == {1}
    for parts in folded.values():
        assert sorted(clips_of(parts['train']) + clips_of(parts['test'])) == sorted(tested)
        for video, audio, *_ in parts['train']:
            assert Path(audio).stem == Path(video).name


def test_a_table_of_iemocap_has_what_was_said_and_chosen(tmp_path: Path) -> None:
    root, out_dir = tmp_path / 'corpus', tmp_path / 'tables'
    iemocap.write(root)
    texts = root / 'Session1' / 'dialog' / 'transcriptions'
    texts.mkdir()
    dialogue = next(name for name in iemocap.DIALOGUES if name.startswith('Ses01'))
    (texts / f'{dialogue}.txt').write_text(f'{dialogue}_F000 [000.0000-001.0000]: Excuse me, "well".\nM: [LAUGHTER]\n')
    assert load_converter('iemocap').main([str(root), '--out-dir', str(out_dir), '--table']) == 0
    rows = {Path(row['video']).name: row for _, row in read_table(out_dir / 'fold1' / 'test.csv')}
    row = rows[f'{dialogue}_F000']
    assert (row['text'], row['speaker'], row['sex']) == ('Excuse me, "well".', 'Ses01F', 'female')
    assert (row['votes'], row['valence'], row['dialogue']) == ('Neutral:1', '2.5000', dialogue)


def test_mer2023_has_class_and_valence_of_both_sets(tmp_path: Path) -> None:
    mer2023.write(tmp_path / 'corpus')
    (fold,) = convert('mer2023', tmp_path / 'corpus', tmp_path / 'lists').values()
    root = tmp_path / 'corpus'
    assert fold['train'][4] == [
        f'{root}/face_aligned/train/sample_00000004',
        f'{root}/audio_16k/train/sample_00000004.wav',
        '4',
        '1.5',
    ]
    assert [row[2:] for row in fold['train']] == [[str(index), f'{index - 2.5:g}'] for index in range(6)]
    assert [row[2:] for row in fold['test']] == [['2', '3.2'], ['4', '-1'], ['3', '-2.4']]
    assert 'test1' in fold['test'][0][0]


def test_mer2023_unpacked_otherwise_is_found_too(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    root = tmp_path / 'corpus'
    mer2023.write(root)
    (root / 'mer2023train' / 'train-label.csv').rename(root / 'train-label.csv')
    # as from one run of extract_faces.py on everything
    (root / 'face_aligned' / 'mer2023train').mkdir()
    (root / 'face_aligned' / 'train').rename(root / 'face_aligned' / 'mer2023train' / 'train')
    lists = convert('mer2023', root, tmp_path / 'lists')
    assert {part: len(rows) for part, rows in lists['fold1'].items()} == mer2023.CASE.sizes['fold1']
    assert lists['fold1']['train'][0][0] == f'{root}/face_aligned/mer2023train/train/sample_00000000'
    (root / 'mer2023train' / 'train-label.csv').write_text((root / 'train-label.csv').read_text())
    assert load_converter('mer2023').main([str(root), '--out-dir', str(tmp_path / 'lists')]) == 1
    assert 'train-label.csv are both there' in capsys.readouterr().err


def test_msp_improv_goes_by_session_and_leaves_other_labels_out(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    msp_improv.write(tmp_path / 'corpus')
    lists = convert('msp_improv', tmp_path / 'corpus', tmp_path / 'lists')
    assert 'left out by the protocol: 1 of another emotion (O), 1 without agreement (X)' in capsys.readouterr().out
    for number, parts in enumerate(lists.values(), start=1):
        for part, rows in parts.items():
            for video, audio, label in rows:
                clip = Path(video).name.removeprefix('MSP-IMPROV-')
                assert 'AHNS'[int(label)] == msp_improv.CLIPS[clip]
                assert (int(clip[6:8]) == number) == (part == 'test')
                assert audio == f'{tmp_path}/corpus/Audio/{msp_improv.path_of(clip)}.wav'


def test_msp_improv_takes_faces_of_videos_that_are_named_as_the_labels_are(tmp_path: Path) -> None:
    root = tmp_path / 'corpus'
    msp_improv.write(root)
    lists = convert('msp_improv', root, tmp_path / 'lists')
    path = root / 'face_aligned' / msp_improv.path_of('S02N-M04-P-MF01')
    path.rename(root / 'face_aligned' / 'UTD-IMPROV-S02N-M04-P-MF01')
    ((video, audio, label),) = convert('msp_improv', root, tmp_path / 'lists')['fold4']['test']
    assert video == f'{root}/face_aligned/UTD-IMPROV-S02N-M04-P-MF01'
    assert [audio, label] == lists['fold4']['test'][0][1:]


def test_published_sizes_of_msp_improv_and_werewolf_are_those_of_one_set_of_clips() -> None:
    for name, total in (('MSPIMPROV', 7787), ('WerewolfXL', 14457)):
        sizes = PROTOCOLS[name].sizes.values()
        assert {train + test for train, test in sizes} == {total} == {sum(test for _, test in sizes)}
    usual = PROTOCOLS['IEMOCAP'].sizes
    assert usual['fold5'] == (4290, 1241)
    assert {train + test for train, test in usual.values()} == {5531} == {sum(test for _, test in usual.values())}


def test_iemocap_merges_excitement_or_leaves_it_out(tmp_path: Path) -> None:
    root = tmp_path / 'corpus'
    iemocap.write(root)
    emotions = {
        f'{dialogue}_{turn}': emotion for dialogue, turns in iemocap.DIALOGUES.items() for turn, emotion, *_ in turns
    }
    merged = convert('iemocap', root, tmp_path / 'merged')
    for number, parts in enumerate(merged.values(), start=1):
        for part, rows in parts.items():
            for video, audio, label in rows:
                name = Path(video).name
                assert EMOTIONS[int(label)] == emotions[name].replace('exc', 'hap')
                assert (name[4] == str(number)) == (part == 'test')
                dialogue = name.rpartition('_')[0]
                assert video == f'{root}/face_aligned/Session{name[4]}/{dialogue}/{name}'
                assert audio == f'{root}/Session{name[4]}/sentences/wav/{dialogue}/{name}.wav'
    apart = convert('iemocap', root, tmp_path / 'apart', '--no-merge-excitement')
    without = [row for row in merged['fold2']['train'] if emotions[Path(row[0]).name] != 'exc']
    assert apart['fold2']['train'] == without
    assert len(without) == len(merged['fold2']['train']) - 2


def test_iemocap_cuts_the_speaker_out_of_the_dialogue(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    root, cuts = tmp_path / 'corpus', tmp_path / 'cuts'
    iemocap.write(root)
    for seed, dialogue in enumerate(iemocap.DIALOGUES):
        write_clip(root / f'Session{dialogue[4]}' / 'dialog' / 'avi' / 'DivX' / f'{dialogue}.avi', seed)
    main = load_converter('iemocap').main
    arguments = [str(root), '--out-dir', str(tmp_path / 'lists'), '--cut-videos', str(cuts), '--num-workers', '0']
    assert main(arguments) == 0
    assert not (tmp_path / 'lists').exists()
    made = {path.relative_to(cuts).as_posix() for path in cuts.rglob('*.mp4')}
    wanted = {
        f'Session{dialogue[4]}/{dialogue}/{dialogue}_{turn}.mp4'
        for dialogue, turns in iemocap.DIALOGUES.items()
        for turn, emotion, *_ in turns
        if emotion in (*EMOTIONS, 'exc')
    }
    assert made == wanted

    # F wears the markers in Ses01F and sits on the left; from 0.4 s to 1.2 s at 5 frames a second are frames 2 to 5
    for turn, frames, columns in (('F000', [2, 3, 4, 5], slice(0, 24)), ('M000', [5, 6, 7], slice(24, 48))):
        whole = open_video(root / 'Session1/dialog/avi/DivX/Ses01F_impro01.avi')
        expected = whole.read(range(NUM_FRAMES))[frames][:, :, columns].astype(int)
        cut = open_video(cuts / f'Session1/Ses01F_impro01/Ses01F_impro01_{turn}.mp4', 'pyav')  # decord: no 24 pixels
        found = cut.read(range(cut.num_frames)).astype(int)
        assert found.shape == expected.shape
        assert abs(found - expected).mean() < 12  # one more compression

    before = {path: path.stat().st_mtime_ns for path in cuts.rglob('*.mp4')}
    gone = cuts / 'Session2' / 'Ses02F_impro01'
    (gone / 'Ses02F_impro01_F000.mp4').unlink()
    gone.rmdir()
    (root / 'Session2/dialog/avi/DivX/Ses02F_impro01.avi').unlink()
    capsys.readouterr()
    assert main(arguments) == 1  # the others are there, and are left alone
    message = capsys.readouterr()
    assert 'error: 1 of 6 dialogues could not be cut' in message.err
    assert 'Ses02F_impro01.avi: no such file' in message.out
    after = {path: path.stat().st_mtime_ns for path in cuts.rglob('*.mp4')}
    assert after == {path: time for path, time in before.items() if gone not in path.parents}


def test_werewolf_takes_the_table_that_is_named(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    root = tmp_path / 'corpus'
    werewolf_xl.write(root)
    lists = convert('werewolf_xl', root, tmp_path / 'lists')
    rows = {Path(row[0]).name: row[2:] for parts in lists.values() for row in parts['test']}
    assert rows['01_01_129'] == ['0.75', '1.5', '1']  # valence, arousal, dominance
    assert rows['06_09_567'] == ['-0.25', '0.5', '0']
    for number, parts in enumerate(lists.values()):
        groups = {int(Path(row[0]).name[:2]) for row in parts['test']}
        assert groups <= set(range(6 * number + 1, 6 * number + 7))

    renamed = werewolf_xl.table().replace('Pleasure_average', 'Mean_P_1_2_3_4')
    (root / 'features.csv').write_text(renamed)
    assert load_converter('werewolf_xl').main([str(root), '--out-dir', str(tmp_path / 'other')]) == 1
    assert 'has PAD.csv, features.csv; choose the labels with --labels' in capsys.readouterr().err
    assert convert('werewolf_xl', root, tmp_path / 'other', '--labels', 'features.csv') == lists


WRONG_LINES = {
    'mer2023': [
        ('mer2023train/train-label.csv', 'angry', 'furious', "line 3: emotion 'furious' is none of"),
        ('test-labels/test1-label.csv', '3.2', 'good', "line 2: valence 'good' is not a number"),
        ('test-labels/test1-label.csv', '3.2', '7.5', 'line 2: valence 7.5 lies outside -5..5'),
        ('mer2023train/train-label.csv', 'discrete', 'label', 'line 1: no column for emotion'),
    ],
    'msp_improv': [
        (
            'Evalution.txt',
            'UTD-IMPROV-S01A-F01-T-FM01.avi; A;',
            'UTD-IMPROV-S01A-F01-T-FM01.avi; Q;',
            'line 5: expected',
        ),
        ('Evalution.txt', 'S02N-M04-P-MF01.avi', 'S02N-M07-P-MF01.avi', 'line 21: expected'),
        ('Evalution.txt', 'S02N-M04-P-MF01.avi', 'S02N-P-MF01.avi', 'line 21: expected'),
    ],
    'iemocap': [
        (
            'Session1/dialog/EmoEvaluation/Ses01F_impro01.txt',
            '\tang\t',
            '\tjoy\t',
            'line 8: expected a line of session 1',
        ),
        (
            'Session2/dialog/EmoEvaluation/Ses02F_impro01.txt',
            '\tSes02',
            '\tSes03',
            'line 3: expected a line of session 2',
        ),
        (
            'Session2/dialog/EmoEvaluation/Ses02F_impro01.txt',
            '0.0000 - 1',
            '0.0000 1',
            'line 3: expected a line of session 2',
        ),
    ],
    'werewolf_xl': [
        ('PAD.csv', '01_01_129', '31_01_129', "line 3: '31_01_129' is not a clip"),
        ('PAD.csv', ',0.75,', ',,', "line 3: no Pleasure_average in '1,01_01_129,,1.5,1.0,a, b'"),
        ('PAD.csv', ',0.75,', ',nan,', "line 3: valence 'nan' is not a number"),
    ],
}


@pytest.mark.parametrize(
    ('name', 'file', 'right', 'wrong', 'message'),
    [(name, *case) for name, cases in WRONG_LINES.items() for case in cases],
)
def test_a_wrong_line_is_named(
    name: str, file: str, right: str, wrong: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    root = tmp_path / 'corpus'
    MODULES[name].write(root)
    text = (root / file).read_text()
    assert right in text
    (root / file).write_text(text.replace(right, wrong, 1))
    assert load_converter(name).main([str(root), '--out-dir', str(tmp_path / 'lists')]) == 1
    problem = capsys.readouterr().err
    assert problem.startswith(f'error: {root / file}, {message}')
    assert problem.count('\n') == 1
    assert not (tmp_path / 'lists').exists()


@pytest.mark.parametrize(
    ('name', 'file', 'message'),
    [
        ('mer2023', 'test-labels/test1-label.csv', 'has no test1-label.csv, nor a folder of it'),
        ('msp_improv', 'Evalution.txt', 'has no Evalution.txt or Evaluation.txt'),
        (
            'iemocap',
            'Session3/dialog/EmoEvaluation/Ses03M_impro08a.txt',
            'Session3/dialog/EmoEvaluation has no Ses*.txt',
        ),
        ('werewolf_xl', 'PAD.csv', 'has no *.csv; name the table'),
        ('iemocap', 'Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M000.wav', 'Ses01F_impro01_M000.wav'),
        ('msp_improv', 'Audio/session5/S03A/R/MSP-IMPROV-S03A-F05-R-FF02.wav', 'MSP-IMPROV-S03A-F05-R-FF02.wav'),
    ],
)
def test_a_missing_file_is_named(
    name: str, file: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    root = tmp_path / 'corpus'
    MODULES[name].write(root)
    (root / file).unlink()
    assert load_converter(name).main([str(root), '--out-dir', str(tmp_path / 'lists')]) == 1
    problem = capsys.readouterr().err
    assert problem.startswith('error: ')
    assert message in problem
    assert not (tmp_path / 'lists').exists()

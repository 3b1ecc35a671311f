"""Tables of MELD: words, speakers and places in dialogues, from a small copy of its tree with its oddities."""

from __future__ import annotations

from pathlib import Path

import pytest

from hicmae_mm.datasets import MELD, ConversationBatchSampler, SeededSampler
from hicmae_mm.datasets.tables import read_table
from tests.test_tools.converters import load_converter

HEADER = 'Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime'
ROWS = {
    'train': [
        ('I\u0092m "fine", you know.', 'Rachel', 'neutral', 0, 1),
        ('Me\u0085 too\u0097really?', 'Ross', 'surprise', 0, 0),
        ('So?', 'Joey', 'anger', 125, 3),
        ('Itâ€™s over.', 'All', 'sadness', 10, 0),
    ],
    'dev': [('Hi.', 'Monica', 'joy', 0, 0), ('Gone.', 'Monica', 'fear', 110, 7)],
    'test': [('Why?', 'Phoebe', 'disgust', 0, 0)],
}
FOLDERS = {'train': 'train/train_splits', 'dev': 'dev_splits_complete', 'test': 'test/output_repeated_splits_test'}


def write(root: Path) -> None:
    for part, rows in ROWS.items():
        folder = root / FOLDERS[part]
        folder.mkdir(parents=True)
        lines = [HEADER]
        for number, (text, speaker, emotion, dialogue, turn) in enumerate(rows):
            quoted = text.replace('"', '""')
            lines.append(f'{number + 1},"{quoted}",{speaker},{emotion},neutral,{dialogue},{turn},8,21,"00:16:16,059",x')
            if (part, dialogue) != ('dev', 110):
                (folder / f'dia{dialogue}_utt{turn}.mp4').write_bytes(b'video')
        (folder.parent / f'{part}_sent_emo.csv').write_text('\n'.join(lines) + '\n', encoding='utf-8')
    (root / FOLDERS['test'] / 'final_videos_testdia0_utt0.mp4').write_bytes(b'copy')
    (root / FOLDERS['test'] / '._dia0_utt0.mp4').write_bytes(b'left by a Mac')


def convert(root: Path, lists: Path, *options: str) -> int:
    return int(load_converter('meld').main([str(root), '--out-dir', str(lists), *options]))


def test_tables_have_words_speakers_and_dialogues(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, lists = tmp_path / 'MELD.Raw', tmp_path / 'lists'
    write(root)
    assert convert(root, lists) == 0
    printed = capsys.readouterr().out
    assert 'left out: dia125_utt3 of train' in printed
    assert 'train/dev/test 3/1/1, published: 9988/1108/2610' in printed
    rows = {part: [row for _, row in read_table(lists / 'fold1' / f'{part}.csv')] for part in ROWS}
    assert [(row['dialogue'], row['turn'], row['speaker'], row['text'], row['label']) for row in rows['train']] == [
        ('train_dia0000', '0', 'Ross', 'Me\u2026 too\u2014really?', '1'),
        ('train_dia0000', '1', 'Rachel', 'I\u2019m "fine", you know.', '0'),
        ('train_dia0010', '0', 'All', 'It\u2019s over.', '3'),
    ]
    assert [row['video'] for row in rows['test']] == [str(root / FOLDERS['test'] / 'dia0_utt0.mp4')]
    assert {key: rows['dev'][0][key] for key in ('audio', 'label', 'sentiment', 'season', 'episode')} == dict(
        audio='-', label='4', sentiment='neutral', season='8', episode='21'
    )
    dataset = MELD('fold1/train.csv', [], data_root=str(lists), streams=('video', 'text'))
    assert list(ConversationBatchSampler(SeededSampler(dataset, shuffle=False, seed=0), 1)) == [[0, 1], [2]]
    assert [dataset.get_data_info(index)['sample_id'] for index in (0, 2)] == ['train_dia0_utt0', 'train_dia10_utt0']
    assert dataset.get_data_info(0)['gt_label'] == MELD.METAINFO['classes'].index('surprise')


def test_replaced_videos_are_kept_on_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, lists = tmp_path / 'MELD.Raw', tmp_path / 'lists'
    write(root)
    assert convert(root, lists, '--keep-unusable') == 1
    assert 'dia110_utt7.mp4' in capsys.readouterr().err
    assert not lists.exists()
    (root / FOLDERS['dev'] / 'dia110_utt7.mp4').write_bytes(b'video')
    assert convert(root, lists, '--keep-unusable') == 0
    assert '4/2/1' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        (',neutral,neutral,0,1', ',calm,neutral,0,1', "line 2: emotion 'calm' is none of"),
        (',neutral,neutral,0,1', ',neutral,neutral,0,first', "line 2: turn 'first' is not a number"),
        (',neutral,neutral,0,1', ',neutral,neutral,0,1.5', 'turn must be a whole number'),
        ('Dialogue_ID', 'Scene', 'no column for dialogue, called Dialogue_ID'),
    ],
)
def test_what_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, message: str) -> None:
    root = tmp_path / 'MELD.Raw'
    write(root)
    path = root / 'train' / 'train_sent_emo.csv'
    path.write_text(path.read_text(encoding='utf-8').replace(old, new), encoding='utf-8')
    assert convert(root, tmp_path / 'lists') == 1
    assert message in capsys.readouterr().err
    path.unlink()
    assert convert(root, tmp_path / 'lists') == 1
    assert 'has no train_sent_emo.csv' in capsys.readouterr().err


@pytest.mark.parametrize('stream', ['video', 'audio'])
def test_one_stream_is_enough(stream: str, tmp_path: Path) -> None:
    root, lists = tmp_path / 'MELD.Raw', tmp_path / 'lists'
    write(root)
    assert convert(root, lists, '--streams', stream) == 0
    other = {'video': 'audio', 'audio': 'video'}[stream]
    for part, count in (('train', 3), ('dev', 1), ('test', 1)):
        assert {row[other] for _, row in read_table(lists / 'fold1' / f'{part}.csv')} == {'-'}
        dataset = MELD(f'fold1/{part}.csv', [], data_root=str(lists), streams=(stream,))
        assert len(dataset) == count
        for record in map(dataset.get_data_info, range(count)):
            assert record['streams'] == (stream,)
            assert Path(record[f'{stream}_path']).is_file()

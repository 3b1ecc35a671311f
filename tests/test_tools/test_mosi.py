"""Tables of MOSI and SIMS: words and sentiment, from a small copy of the tree that MMSA distributes."""

from __future__ import annotations

from pathlib import Path

import pytest

from hicmae_mm.datasets import MOSI, SIMS
from hicmae_mm.datasets.tables import read_table
from tests.test_tools.converters import load_converter

HEADER = 'video_id,clip_id,text,label,label_T,label_A,label_V,annotation,mode'
ENGLISH = [
    ('-3nNcZdcdvU', '1', 'ANYHOW IT WAS REALLY GOOD', '2.4', '', '', '', 'Positive', 'train'),
    ('03bSnISJMiM', '11', '"WELL, I  MEAN"', '-3.0', '', '', '', 'Negative', 'train'),
    ('03bSnISJMiM', '2', 'NO', '0.0', '', '', '', 'Neutral', 'valid'),
    ('Af8D0E4ZXaw', '10', 'YES', '3', '', '', '', 'Positive', 'test'),
]
CHINESE = [
    ('video_0001', '0001', '我不想嫁给李茶', '-1.0', '-0.8', '-0.6', '-1.0', 'Negative', 'train'),
    ('video_0001', '0010', '好', '0.6', '0.0', '0.4', '1.0', 'Positive', 'valid'),
    ('video_0001', '0002', '嗯', '0', '0', '0', '0', 'Neutral', 'test'),
]


def write(root: Path, rows: list[tuple[str, ...]]) -> None:
    for video, clip, *_ in rows:
        path = root / 'Raw' / video / f'{clip}.mp4'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b'video')
    (root / 'label.csv').write_text('\n'.join([HEADER, *map(','.join, rows)]) + '\n', encoding='utf-8')


def convert(root: Path, lists: Path, *options: str) -> int:
    return int(load_converter('mosi').main([str(root), '--out-dir', str(lists), *options]))


def test_tables_have_words_and_sentiment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, lists = tmp_path / 'MOSI', tmp_path / 'lists'
    write(root, ENGLISH)
    assert convert(root, lists) == 0
    assert 'train/valid/test 2/1/1, published: 1284/229/686; speakers are not known' in capsys.readouterr().out
    rows = [row for _, row in read_table(lists / 'fold1' / 'train.csv')]
    assert rows == [
        dict(
            video=str(root / 'Raw' / video / f'{clip}.mp4'),
            audio='-',
            values=values,
            sample_id=f'{video}/{clip}',
            recording=video,
            text=text,
            annotation=annotation,
        )
        for (video, clip, *_, annotation, _), values, text in zip(
            ENGLISH, ('2.4', '-3'), ('ANYHOW IT WAS REALLY GOOD', 'WELL, I MEAN')
        )
    ]
    dataset = MOSI('fold1/train.csv', [], data_root=str(lists), streams=('text', 'audio', 'video'))
    assert [dataset.get_data_info(index)['gt_values'] for index in range(2)] == [[2.4], [-3.0]]
    assert dataset.metainfo['dimensions'] == ('sentiment',)


def test_sims_keeps_zeros_of_names_and_the_sentiment_of_every_stream(tmp_path: Path) -> None:
    root, lists = tmp_path / 'SIMS', tmp_path / 'lists'
    write(root, CHINESE)
    assert convert(root, lists, '--corpus', 'SIMS') == 0
    ((_, row),) = read_table(lists / 'fold1' / 'train.csv')
    keys = ('sample_id', 'text', 'values', 'text_sentiment', 'audio_sentiment', 'video_sentiment')
    assert [row[key] for key in keys] == ['video_0001/0001', '我不想嫁给李茶', '-1', '-0.8', '-0.6', '-1']
    record = SIMS('fold1/test.csv', [], data_root=str(lists), streams=('text', 'video')).get_data_info(0)
    assert (record['sample_id'], record['gt_values']) == ('video_0001/0002', [0.0])
    # what a spreadsheet makes of 0001, 0010 and 0002
    table = root / 'label.csv'
    table.write_text(table.read_text().replace(',000', ',').replace(',0010', ',10'))
    assert convert(root, tmp_path / 'again', '--corpus', 'SIMS') == 0
    for part in ('train', 'valid', 'test'):
        texts = [(folder / 'fold1' / f'{part}.csv').read_text() for folder in (lists, tmp_path / 'again')]
        assert texts[0] == texts[1]
    (root / 'Raw' / 'video_0001' / '01.mp4').write_bytes(b'which one?')
    assert convert(root, tmp_path / 'third', '--corpus', 'SIMS') == 1


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('2.4', '3.4', 'line 2: sentiment must be in -3..3, got 3.4; is --corpus right?'),
        ('2.4', 'nan', "line 2: sentiment 'nan' is not a number"),
        ('Positive,train', 'Positive,dev', "line 2: part 'dev' is none of ['train', 'valid', 'test']"),
        ('03bSnISJMiM,2,', '03bSnISJMiM,11,', 'line 4: clip 03bSnISJMiM/11 is also in'),
        ('03bSnISJMiM,2,', '../03bSnISJMiM,2,', "line 4: video_id '../03bSnISJMiM' is not the name of a file"),
        ('03bSnISJMiM,2,', '03bSnISJMiM,7,', '1 of 4 media are missing or empty'),
        ('NO,', ',', 'line 4: no text in'),
        ('mode', 'split', 'no column for part, called mode'),
    ],
)
def test_what_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, message: str) -> None:
    root = tmp_path / 'MOSI'
    write(root, ENGLISH)
    table = root / 'label.csv'
    table.write_text(table.read_text().replace(old, new))
    assert convert(root, tmp_path / 'lists') == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / 'lists').exists()


def test_a_missing_clip_is_left_out_on_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / 'MOSI'
    write(root, ENGLISH)
    (root / 'Raw' / '03bSnISJMiM' / '11.mp4').unlink()
    assert convert(root, tmp_path / 'lists', '--allow-missing') == 0
    assert 'train/valid/test 1/1/1' in capsys.readouterr().out


@pytest.mark.parametrize('stream', ['video', 'audio'])
def test_one_stream_is_enough(stream: str, tmp_path: Path) -> None:
    root, lists = tmp_path / 'MOSI', tmp_path / 'lists'
    write(root, ENGLISH)
    assert convert(root, lists, '--streams', stream) == 0
    dataset = MOSI('fold1/train.csv', [], data_root=str(lists), streams=(stream, 'text'))
    for record in map(dataset.get_data_info, range(2)):
        assert Path(record[f'{stream}_path']).is_file()

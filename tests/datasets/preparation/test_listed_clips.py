from __future__ import annotations

import json
from pathlib import Path

import pytest

from hicmae_mm.datasets.preparation.listed_clips import (
    clean_list,
    count_labels,
    list_clips,
    speakers_of,
    streams_of,
)
from tests.conftest import MediaFolder


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16'])
@pytest.mark.parametrize('end', ['\n', '\r\n', '\r'])
def test_clean_lists_of_every_form(media: MediaFolder, encoding: str, end: str) -> None:
    path = media.root / 'list.txt'
    path.write_bytes(end.join(['a.mp4 ä.wav 0', 'b.mp4 b.wav 1', '', 'c.mp4 - 2']).encode(encoding))
    clips, metainfo = list_clips(path, '', {})
    assert metainfo == {}
    written = clean_list(path, clips, [True, False, True])
    assert written.replace('\r\n', '\n') == 'a.mp4 ä.wav 0\nc.mp4 - 2\n'
    assert ('\r\n' in written) == (end == '\r\n')
    (media.root / 'clean.txt').write_bytes(written.encode())
    assert [clip.name for clip in list_clips(media.root / 'clean.txt', '', {})[0]] == ['a.mp4', 'c.mp4']


def test_clean_json_list_with_a_byte_order_mark(media: MediaFolder) -> None:
    path = media.root / 'list.json'
    items = [dict(video='a', label=0), dict(video='b', label=1)]
    path.write_bytes(b'\xef\xbb\xbf' + json.dumps(dict(metainfo=dict(name='x'), data_list=items)).encode())
    clips, metainfo = list_clips(path, '', {})
    assert metainfo == dict(name='x')
    assert json.loads(clean_list(path, clips, [False, True]))['data_list'] == items[1:]


def test_streams_are_those_that_the_list_names(media: MediaFolder) -> None:
    media.frame_folder('face', num_frames=1)

    def streams(*lines: str) -> tuple[str, ...]:
        return streams_of(list_clips(media.annotation(*lines), str(media.root), {})[0])

    assert streams('- a.wav 0', '- b.wav 1') == ('audio',)
    assert streams('face - 0') == ('video',)
    assert streams('face a.wav 0', '- b.wav 1') == streams('a.mp4 - 0') == ('video', 'audio')


def test_speakers_and_labels(media: MediaFolder) -> None:
    clips, _ = list_clips(media.annotation('v/1001_DFA_ANG_XX - 0 ann', 'v/1091_IEO_FEA_HI - 2 bob'), '', {})
    assert speakers_of(clips, 'CREMAD', None) == ['1001', '1091']
    assert speakers_of(clips, None, None) == [None, None]
    assert speakers_of(clips, 'CREMAD', 1) == ['ann', 'bob']
    with pytest.raises(ValueError, match='line 1: no label column 2 with the speaker, there are 2'):
        speakers_of(clips, None, 2)
    assert count_labels(clips) == {}
    path = media.root / 'list.json'
    path.write_text(json.dumps(dict(data_list=[dict(video='a', label=1, speaker='x'), dict(video='b', label=1)])))
    clips, _ = list_clips(path, '', {})
    assert speakers_of(clips, None, None) == ['x', None]
    assert count_labels(clips) == {'1': 2}


def test_paths_start_from_root_and_prefix(tmp_path: Path) -> None:
    (tmp_path / 'list.txt').write_text('a.mp4 - 0\n')
    ((clip,), _) = list_clips(tmp_path / 'list.txt', 'root', dict(video='v'))
    assert clip.paths == dict(video=Path('root/v/a.mp4'), audio=Path('root/v/a.mp4'))


def test_tables_are_listed_and_cleaned_with_their_header(tmp_path: Path) -> None:
    table = tmp_path / 'table.csv'
    table.write_text('video,audio,label,speaker\na b.mp4,,0,s1\nc.mp4,c.wav,1,s2\n,d.wav,1,s3\n')
    clips, _ = list_clips(table, str(tmp_path), {})
    assert [clip.speaker for clip in clips] == ['s1', 's2', 's3']
    assert clips[0].paths['audio'] == tmp_path / 'a b.mp4'
    assert clips[2].streams == ('audio',)
    assert clean_list(table, clips, [True, False, True]) == 'video,audio,label,speaker\na b.mp4,,0,s1\n,d.wav,1,s3\n'

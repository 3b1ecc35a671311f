from __future__ import annotations

from pathlib import Path

import pytest

from hicmae_mm.datasets.clips.transcripts import parse_transcript, read_transcript
from hicmae_mm.datasets.errors import MediaError

SRT = '1\n00:00:00,000 --> 00:00:02,000\nwell hello\n\n2\n00:00:02,500 --> 00:00:04,000\n<i>not</i> at all\n'
VTT = 'WEBVTT\n\n00:00.000 --> 00:02.000\n<v Bob>well <00:00:00.500><c>hello</c> &amp; you\n'


def write(path: Path, text: str, encoding: str = 'utf-8') -> Path:
    path.write_text(text, encoding=encoding)
    return path


def test_words_share_the_time_of_their_cue_by_their_lengths(tmp_path: Path) -> None:
    for encoding in ('utf-8', 'utf-8-sig', 'utf-16'):
        transcript = read_transcript(write(tmp_path / 'a.srt', SRT, encoding))
        assert transcript.text == 'well hello not at all'
        assert transcript.words is not None
        assert [round(word.start_seconds, 3) for word in transcript.words] == [0, 0.889, 2.5, 3.062, 3.438]
        assert transcript.end_seconds == 4
        assert transcript.between(0, 1) == 'well'  # the middle of "hello" is at 1.44 s
        assert transcript.between(1, 3) == 'hello not'
        assert transcript.between(2, 2.5) == ''


def test_a_cue_may_time_its_words(tmp_path: Path) -> None:
    words = read_transcript(write(tmp_path / 'a.vtt', VTT)).words
    assert words is not None
    assert [(word.text, word.start_seconds) for word in words[:2]] == [('well', 0), ('hello', 0.5)]
    assert [word.text for word in words[2:]] == ['&', 'you']


def test_subtitles_keep_who_says_what(tmp_path: Path) -> None:
    body = '<v Ann>no\n\n00:01.000 --> 00:03.000\n<v.loud Bob &amp; Co>well good\n\n00:03.500 --> 00:04.000\n...<i></i>'
    text = f'WEBVTT\n\n00:00.000 --> 00:01.000\n{body}\n\n00:05.000 --> 00:06.000\n<v Ann>so <v Bob>no\n'
    transcript = read_transcript(write(tmp_path / 'a.vtt', text))
    found = [(cue.start_seconds, cue.end_seconds, cue.speaker, cue.text) for cue in transcript.cues]
    assert found == [(0, 1, 'Ann', 'no'), (1, 3, 'Bob & Co', 'well good'), (3.5, 4, None, '...'), (5, 6, None, 'so no')]
    assert transcript.text == 'no well good ... so no'
    part = transcript.part(2, 3.6)  # the middle of "well" is at 1.5 s, and of "..." at 3.75 s
    assert [(cue.start_seconds, cue.end_seconds, cue.speaker, cue.text) for cue in part.cues] == [
        (0, 1, 'Bob & Co', 'good')
    ]
    empty = write(tmp_path / 'b.srt', SRT.replace('well hello', '<i></i>'))
    assert [cue.text for cue in read_transcript(empty).cues] == ['not at all']
    assert parse_transcript('well').cues == ()


def test_text_without_times_belongs_to_every_window(tmp_path: Path) -> None:
    for text in ('well  hello\n', write(tmp_path / 'a.txt', 'well\nhello\n')):
        transcript = read_transcript(text)
        assert transcript.words is None
        assert transcript.text == transcript.between(5, 6) == 'well hello'


def test_what_is_no_transcript_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'talk\.srt: there is no such transcript'):
        read_transcript('talk.srt')
    with pytest.raises(MediaError, match=r'a\.doc: a transcript is a file of \.txt, \.srt, \.vtt'):
        read_transcript(write(tmp_path / 'a.doc', 'x'))
    with pytest.raises(MediaError, match='no subtitle can be read from it'):
        read_transcript(write(tmp_path / 'b.srt', 'hello'))
    (tmp_path / 'c.srt').write_bytes(SRT.replace('well', 'wéll').encode('latin-1'))
    with pytest.raises(MediaError, match=r'not UTF-8 text; convert'):
        read_transcript(tmp_path / 'c.srt')
    assert read_transcript(write(tmp_path / 'd.srt', '')).text == ''
    assert read_transcript(write(tmp_path / 'd.vtt', 'WEBVTT\n')).text == ''


def test_subtitles_that_somebody_pasted() -> None:
    for text in (SRT, '  ' + SRT.replace('\n', '\r\n'), VTT):
        transcript = parse_transcript(text)
        assert transcript.words is not None
        assert transcript.between(0, 0.5) == 'well'
    assert parse_transcript('well\n hello').words is None
    with pytest.raises(MediaError, match=r'the text: no subtitle can be read'):
        parse_transcript('well --> hello')

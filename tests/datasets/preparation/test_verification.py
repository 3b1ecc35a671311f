from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from hicmae_mm.datasets.preparation.listed_clips import ListedClip, clean_list, list_clips
from hicmae_mm.datasets.preparation.verification import (
    CheckClip,
    ClipFindings,
    check_clips,
    summarize_findings,
)
from tests.conftest import MediaFolder


def findings_of(ann_file: Path, check: CheckClip) -> list[ClipFindings]:
    clips, _ = list_clips(ann_file, str(ann_file.parent), {})
    return [found for _, found in check_clips(check, clips, num_workers=0)]


def problems_of(ann_file: Path, **options: object) -> list[list[tuple[str, str]]]:
    return [
        [(kind, stream) for kind, stream, _ in found.problems] for found in findings_of(ann_file, CheckClip(**options))
    ]


def test_every_kind_of_defect_is_found(media: MediaFolder) -> None:
    good = media.video('good.mp4')
    media.wav('good.wav')
    media.truncated(good)
    media.truncated(media.root / 'good.wav')
    media.wav('silent.wav', np.zeros(32000))
    media.wav('faint.wav', 0.0001 * media.tone(2.0))
    media.wav('long.wav', media.tone(3.0))
    media.wav('short.wav', media.tone(0.05))
    media.video('one.mp4', num_frames=1, has_sound=False)
    ann_file = media.annotation(
        'good.mp4 good.wav 0',
        'good.mp4 - 1',
        'nothing.mp4 good.wav 0',
        'good.mp4 nothing.wav 0',
        'truncated_good.mp4 good.wav 0',
        'good.mp4 truncated_good.wav 0',
        'good.mp4 silent.wav 0',
        'good.mp4 faint.wav 0',
        'good.mp4 long.wav 0',
        'good.mp4 short.wav 0',
        'one.mp4 - 0',
        'nothing.mp4 nothing.wav 0',
        '- good.wav 0',
    )
    assert problems_of(ann_file) == [
        [],
        [],
        [('missing', 'video')],
        [('missing', 'audio')],
        [('broken', 'video')],
        [('broken', 'audio')],
        [('silent', 'audio')],
        [('silent', 'audio')],
        [('mismatched', 'both')],
        [('short', 'audio'), ('mismatched', 'both')],
        [('short', 'video'), ('short', 'video'), ('broken', 'audio')],
        [('missing', 'video'), ('missing', 'audio')],
        [('missing', 'video')],
    ]
    summary = summarize_findings(findings_of(ann_file, CheckClip()))
    assert summary == dict(
        clips=13, clean=2, missing=4, broken=3, silent=2, short=2, mismatched=2, compared_lengths=6
    )  # fmt: skip
    assert problems_of(ann_file, streams=('audio',))[2] == []
    assert problems_of(ann_file, max_mismatch_seconds=1.1)[8] == []
    assert problems_of(ann_file, min_frames=51)[0] == [('short', 'video')]
    assert problems_of(ann_file, silent_peak_db=-5.0)[0] == [('silent', 'audio')]


def test_spans_are_read(media: MediaFolder) -> None:
    media.video('good.mp4', num_frames=25)
    ann_file = media.root / 'spans.csv'
    ann_file.write_text('video,audio,label,start,end\ngood.mp4,-,0,0.2,0.6\ngood.mp4,-,0,100,101\n')
    clean, beyond = findings_of(ann_file, CheckClip())
    assert clean.problems == []
    assert [problem[0] for problem in beyond.problems] == ['broken']
    assert 'no frame lies within 100 s to 101 s' in beyond.problems[0][2]


def test_what_is_measured(media: MediaFolder) -> None:
    media.video('good.mp4', num_frames=50, fps=25)
    media.wav('good.wav', media.tone(1.9))
    (found,) = findings_of(media.annotation('good.mp4 good.wav 0'), CheckClip())
    assert found == ClipFindings([], frames=50, size=(64, 64), video_seconds=2.0, audio_seconds=1.9, peak_db=-6.02)


def test_folders_are_compared_only_with_a_frame_rate(media: MediaFolder) -> None:
    media.frame_folder('face', num_frames=50)
    media.wav('sound.wav', media.tone(3.0))
    ann_file = media.annotation('face sound.wav 0')
    assert problems_of(ann_file) == [[]]
    assert summarize_findings(findings_of(ann_file, CheckClip()))['compared_lengths'] == 0
    assert problems_of(ann_file, frame_folder_fps=25) == [[('mismatched', 'both')]]


def test_damage_between_the_frames_looked_at_needs_full(media: MediaFolder) -> None:
    folder = media.frame_folder('face', num_frames=10)
    (folder / '4.jpg').write_bytes((folder / '4.jpg').read_bytes()[:200])
    media.wav('sound.wav')
    ann_file = media.annotation('face sound.wav 0')
    assert problems_of(ann_file) == [[]]
    assert problems_of(ann_file, is_full=True) == [[('broken', 'video')]]
    (folder / '10.jpg').write_bytes(b'')
    assert problems_of(ann_file) == [[('broken', 'video')]]


def test_clean_lists_keep_lines_and_items_as_they_are(media: MediaFolder) -> None:
    ann_file = media.root / 'list.csv'
    ann_file.write_bytes('a.mp4  a.wav\t3 0.50\r\n\nb.mp4 b.wav 1\nü.mp4 - calm  \nc.mp4 c.wav 2'.encode())
    clips, _ = list_clips(ann_file, 'root', dict(video='v'))
    assert [clip.position for clip in clips] == ['line 1', 'line 3', 'line 4', 'line 5']
    assert clips[0].paths == dict(video=Path('root/v/a.mp4'), audio=Path('root/a.wav'))
    assert clips[2].paths == dict(video=Path('root/v/ü.mp4'), audio=Path('root/v/ü.mp4'))
    assert clean_list(ann_file, clips, [True, False, True, True]) == (
        'a.mp4  a.wav\t3 0.50\r\nü.mp4 - calm  \nc.mp4 c.wav 2\n'
    )
    items = [dict(video=f'{name}.mp4', label=[1, 2], note=name) for name in 'xyz']
    json_file = media.root / 'list.json'
    json_file.write_text(json.dumps(dict(metainfo=dict(classes=['k']), data_list=items)))
    clips, _ = list_clips(json_file, '', {})
    assert json.loads(clean_list(json_file, clips, [False, True, True])) == dict(
        metainfo=dict(classes=['k']), data_list=items[1:]
    )
    with pytest.raises(ValueError, match='no clip of .* is clean'):
        clean_list(json_file, clips, [False] * 3)


def die(clip: ListedClip) -> ClipFindings:
    """What a decoder does on some broken files."""
    os.kill(os.getpid(), signal.SIGSEGV)
    return ClipFindings()


@pytest.mark.slow
@pytest.mark.dist
def test_a_clip_that_kills_its_process_is_broken(media: MediaFolder) -> None:
    clips, _ = list_clips(media.annotation('a.mp4 - 0'), '', {})
    (pair,) = check_clips(die, clips, num_workers=1)
    reason = 'the process that worked on it died (signal SIGSEGV)'
    assert pair == (clips[0], ClipFindings([('broken', 'both', reason)]))


def test_streams_are_checked() -> None:
    with pytest.raises(ValueError, match="streams must be some of .*'text'"):
        CheckClip(streams=('text',))


def test_sound_that_is_no_number_is_not_called_silent(media: MediaFolder) -> None:
    import soundfile

    tone = media.tone(2.0)
    for name, at in (('some.wav', slice(100, 110)), ('all.wav', slice(None))):
        samples = tone.copy()
        samples[at] = np.nan
        soundfile.write(media.root / name, samples, 16000, subtype='FLOAT')
    ann_file = media.annotation('- some.wav', '- all.wav')
    some, every = findings_of(ann_file, CheckClip(streams=('audio',)))
    for found in (some, every):
        ((kind, stream, message),) = found.problems
        assert (kind, stream) == ('broken', 'audio')
        assert 'not finite (NaN or infinite)' in message


def test_clips_are_read_as_a_training_reads_them(media: MediaFolder) -> None:
    folder = media.frame_folder('face', num_frames=20)
    media.wav('a.wav', media.tone(0.8))
    ann_file = media.annotation('face a.wav')
    assert problems_of(ann_file) == [[]]
    (folder / '5.jpg').write_bytes(b'no picture')  # neither first, middle nor last, but a frame of every test
    (found,) = findings_of(ann_file, CheckClip())
    assert [(kind, stream) for kind, stream, _ in found.problems] == [('broken', 'both')]
    assert '5.jpg: the picture is unreadable' in found.problems[0][2]


def test_whatever_goes_wrong_is_a_finding(media: MediaFolder) -> None:
    import os

    os.mkfifo(media.root / 'pipe.wav')
    (media.root / 'folder.wav').mkdir()
    (media.root / 'loop.mp4').symlink_to('loop.mp4')
    (media.root / 'pointer.mp4').write_text('version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n')
    (media.root / 'page.wav').write_text('<!DOCTYPE html><html><body>Sign in</body></html>')
    media.wav('good.wav')
    media.video('good.mp4')
    ann_file = media.annotation(
        'good.mp4 pipe.wav', 'good.mp4 folder.wav', 'loop.mp4 good.wav', 'pointer.mp4 good.wav', 'good.mp4 page.wav'
    )
    found = findings_of(ann_file, CheckClip())
    assert [[stream for _, stream, _ in clip.problems] for clip in found] == [
        ['audio'],
        ['audio'],
        ['video'],
        ['video'],
        ['audio'],
    ]
    assert "run 'git lfs pull'" in found[3].problems[0][2]
    assert 'a web page' in found[4].problems[0][2]
    for name, words in (('a\0b.wav', 'no such file'), ('x' * 5000, 'File name too long')):
        clip = ListedClip(0, 'line 1', dict(video=None, audio=media.root / name))
        ((_, stream, message),) = CheckClip(streams=('audio',))(clip).problems
        assert stream == 'audio'
        assert words in message
    with pytest.raises(ValueError, match='frame_folder_fps must be above 0'):
        CheckClip(frame_folder_fps=0.0)


def test_columns_that_were_meant_otherwise_are_named(media: MediaFolder) -> None:
    media.video('sp ace.mp4')
    media.video('a.mp4')
    spaced, two, plain = findings_of(
        media.annotation('sp ace.mp4 sp ace.wav 0', 'a.mp4 0', 'a.mp4 absent.wav 0'), CheckClip()
    )
    assert spaced.problems[0][2].endswith('the name has spaces, so the list needs the JSON form (docs/data_format.md)')
    assert two.problems[0][2].endswith("expected 'video audio label': '-' is the video's own sound")
    assert plain.problems[0][2].endswith('the annotation file')
    media.wav('sound/a.wav')
    (windows,) = findings_of(media.annotation('a.mp4 sound\\a.wav 0'), CheckClip())
    assert windows.problems[0][2].endswith("the paths of Windows, write '/' in place of '\\'")


def test_only_the_streams_that_a_clip_has_are_checked(media: MediaFolder) -> None:
    media.video('silent.mp4', has_sound=False)
    ann_file = media.root / 'ann.json'
    ann_file.write_text(json.dumps(dict(data_list=[dict(video='silent.mp4', streams=['video'])])))
    assert problems_of(ann_file) == [[]]
    assert problems_of(ann_file, streams=('audio',)) == [[('missing', 'audio')]]

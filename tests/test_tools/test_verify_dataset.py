"""``verify_dataset.py`` finds the bad clips of a list, and shared speakers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hicmae_mm.config.paths import configs_root
from tests.conftest import MediaFolder
from tests.test_tools.media_preparation import IN_PROCESS, call
from tests.test_tools.modules import load_tool

VERIFY = load_tool('misc/verify_dataset.py').main


def test_verify_dataset_writes_the_clean_list(media: MediaFolder, capsys: pytest.CaptureFixture) -> None:
    media.video('good.mp4', num_frames=25)
    media.wav('good.wav', media.tone(1.0))
    media.wav('silent.wav', np.zeros(16000))
    media.wav('long.wav', media.tone(2.0))
    media.wav('short.wav', media.tone(0.05))
    media.truncated(media.root / 'good.mp4')
    good = ['good.mp4  good.wav happy 0.5', 'good.mp4 - sad  1', 'good.mp4 good.wav 0 0']
    bad = [
        'absent.mp4 good.wav 0', 'truncated_good.mp4 good.wav 0', 'good.mp4 silent.wav 0', 'good.mp4 long.wav 0',
        'good.mp4 short.wav 0',
    ]  # fmt: skip
    ann_file = media.annotation(bad[0], good[0], bad[1], bad[2], good[1], bad[3], bad[4], good[2])
    out = media.root / 'clean' / 'ann.csv'
    assert call(VERIFY, ann_file, '--data-root', media.root, '--out', out, *IN_PROCESS) == 1
    assert out.read_text() == '\n'.join(good) + '\n'
    report = json.loads(out.with_suffix('.report.json').read_text())
    assert report['summary'] == dict(
        clips=8, clean=3, missing=1, broken=1, silent=1, short=1, mismatched=2, compared_lengths=6
    )  # fmt: skip
    found = {defect['position']: [kind for kind, _, _ in defect['problems']] for defect in report['defects']}
    assert found == {
        'line 1': ['missing'], 'line 3': ['broken'], 'line 4': ['silent'], 'line 6': ['mismatched'],
        'line 7': ['short', 'mismatched'],
    }  # fmt: skip
    assert 'clips 8, clean 3, missing 1, broken 1, silent 1, short 1, mismatched 2' in capsys.readouterr().out

    assert call(VERIFY, out, '--data-root', media.root, '--full', *IN_PROCESS) == 0
    assert json.loads(out.with_suffix('.report.json').read_text())['summary']['clean'] == 3
    capsys.readouterr()
    only_bad = media.annotation(bad[0], name='bad.csv')
    nothing = media.root / 'nothing.csv'
    for arguments, message in (
        ((only_bad, '--data-root', media.root, '--out', nothing), 'no clip of'),
        ((media.root / 'no.csv',), 'no.csv does not exist'),
        ((media.annotation('one', name='malformed.csv'),), "malformed.csv, line 1: expected 'video audio label'"),
    ):
        assert call(VERIFY, *arguments, *IN_PROCESS) == 1
        error = capsys.readouterr().err
        assert error.startswith('error: ')
        assert message in error
    assert not nothing.exists()


def test_verify_dataset_tells_corpus_and_shared_speakers(media: MediaFolder, capsys: pytest.CaptureFixture) -> None:
    for number in range(6):
        media.frame_folder(f'100{number}_DFA_ANG_XX', num_frames=16)
    media.wav('a.wav', media.tone(2.0))
    ann_file = media.annotation(*(f'100{number}_DFA_ANG_XX a.wav 0' for number in range(6)))
    other = media.annotation('x/1005_IEO_FEA_LO y.wav 2', 'x/1010_IEO_FEA_LO y.wav 2', name='test.csv')
    arguments = (ann_file, '--data-root', media.root, '--against', other, *IN_PROCESS)
    assert call(VERIFY, *arguments) == 0
    printed = capsys.readouterr().out
    assert 'test.csv: 6/2 speakers, 1 IN BOTH (1005): scores are not speaker-independent' in printed
    assert 'corpus CREMAD, published split: speaker-independent' in printed
    assert 'DIFFERS: 6 clips: no published list has so many' in printed
    assert 'DIFFERS: 16 frames in 6 of 6 clips: an export that was resampled in time' in printed
    assert 'DIFFERS: 6 clips have pictures below 160 pixels' in printed
    report = json.loads(ann_file.with_suffix('.report.json').read_text())
    assert report['provenance']['corpus'] == 'CREMAD'
    assert report['labels'] == {'0': 6}
    assert report['speakers'][str(other)]['shared'] == ['1005']
    assert call(VERIFY, *arguments, '--corpus', 'dfew') == 0
    assert 'published split: speaker-independent or not: not known' in capsys.readouterr().out
    assert call(VERIFY, *arguments, '--corpus', configs_root() / 'hicmae_base_mafw.py') == 0
    assert 'corpus MAFW, published split' in capsys.readouterr().out
    assert call(VERIFY, *arguments, '--corpus', 'emodb') == 1
    assert "error: --corpus 'emodb' is not known, expected one of cremad, " in capsys.readouterr().err
    assert call(VERIFY, *arguments, '--speaker-column', '1') == 1
    assert 'no label column 1 with the speaker' in capsys.readouterr().err


def test_verify_dataset_checks_what_the_list_names(media: MediaFolder, capsys: pytest.CaptureFixture) -> None:
    media.wav('a.wav')
    ann_file = media.annotation('- a.wav 0', '- a.wav 1')
    assert call(VERIFY, ann_file, '--data-root', media.root, *IN_PROCESS) == 0
    assert 'only audio is checked, the list names nothing else' in capsys.readouterr().out

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hicmae_mm.config.paths import configs_root, tools_root
from hicmae_mm.evaluation.predictions import read_predictions
from tests.apis.zero_shot.chat_server import chat_server, completion, items_of, ranking
from tests.conftest import MediaFolder
from tests.test_tools.in_process import call, failure

CLASSES = ('angry', 'happy', 'neutral', 'sad')
SAID = ('leave me', 'how nice', 'it is late', 'oh no')


@pytest.fixture
def config(media: MediaFolder) -> Path:
    """Eight clips of four classes whose transcripts tell the class, except for the last, which is silent about it."""
    media.frame_folder('face', num_frames=6)
    rows = [f'face,{CLASSES[k % 4]},{SAID[k % 4] if k < 7 else "well"}' for k in range(8)]
    media.annotation('video,label,text', *rows, name='test.csv')
    dataset = f"dict(type='AudioVisualDataset', data_root={str(media.root)!r}, ann_file='test.csv', " + (
        f'metainfo=dict(classes={CLASSES}, _delete_=True), _delete_=True, pipeline=[])'
    )
    file = media.root / 'small.py'
    file.write_text(
        f'_base_ = {str(configs_root() / "hicmae_nano_synthetic.py")!r}\ntest_dataloader = dict(dataset={dataset})\n'
    )
    return file


def answer(request: dict) -> tuple:
    words = [item.split('spoken words: ')[1].strip('"') for item in items_of(request)]
    if 'well' in words:
        return completion('I cannot assist with this.')
    return completion(ranking(*([CLASSES[SAID.index(said)]] for said in words)))


def test_a_corpus_is_asked_about_and_measured(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with chat_server(answer) as server:
        options = (config, '--base-url', server.address, '--model', 'a/b', '--text', '--frames', 2, '--batch-size', 4)
        folder = tmp_path / 'out'
        call('vlm_eval.py', *options, '--dry-run', '--price-in', 10, '--price-out', 20)
        estimate = capsys.readouterr().out
        assert failure('vlm_eval.py', *options) == 'nothing was sent: confirm the estimate with --yes'
        assert not server.requests
        call('vlm_eval.py', *options, '--yes', '--work-dir', folder)
        asked = len(server.requests)
        call('vlm_eval.py', *options, '--yes', '--work-dir', folder)
        assert len(server.requests) == asked
    assert '8 clips in 2 questions to a/b' in estimate
    assert 'at the given prices' in estimate
    assert 'angry, happy, neutral, sad' in estimate
    predictions = read_predictions(folder / 'predictions.pkl')
    assert len(predictions) == 7
    assert all(int(item['pred_label'][0]) == item['gt_label'] for item in predictions)
    measures = json.loads((folder / 'measures.json').read_text())
    assert measures['refused'] == 1
    assert measures['answered_only'] == {'UAR': 1.0, 'WAR': 1.0}
    assert measures['missing_is_wrong'] == {'UAR': 0.875, 'WAR': 0.875}
    states = [json.loads(line)['state'] for line in (folder / 'outcomes.jsonl').read_text().splitlines()]
    assert states == ['answered'] * 7 + ['refused']
    assert 'UAR 0.8750' in capsys.readouterr().out
    call('analysis_tools/eval_metric.py', config, folder / 'predictions.pkl', '--out', tmp_path / 'measured.json')
    assert json.loads((tmp_path / 'measured.json').read_text())['UAR'] == 1.0
    call('analysis_tools/confusion_matrix.py', config, folder / 'predictions.pkl', '--out', tmp_path / 'matrix.png')
    assert (tmp_path / 'matrix.png').read_bytes().startswith(b'\x89PNG')


def test_words_stand_for_the_names_of_classes(config: Path, tmp_path: Path) -> None:
    names = ('wütend', 'froh', 'neutral', 'traurig')
    with chat_server(lambda request: completion(ranking(*[['Traurig']] * len(items_of(request))))) as server:
        line = (config, '--base-url', server.address, '--model', 'm', '--yes', '--work-dir', tmp_path / 'out')
        call('vlm_eval.py', *line, '--names', *names)
        assert failure('vlm_eval.py', *line, '--names', 'a', 'b').startswith('--names must give 4 different words')
    assert {int(item['pred_label'][0]) for item in read_predictions(tmp_path / 'out' / 'predictions.pkl')} == {3}


def test_the_next_key_takes_over_and_no_key_is_stored(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def behaviour(request: dict) -> tuple:
        if server.keys[-1] == 'Bearer spent-key':
            return 429, {}, b'{"error": {"code": "insufficient_quota", "message": "spent-key has nothing left"}}'
        return answer(request)

    (tmp_path / 'keys').write_text('spent-key\nfull-key\n')
    with chat_server(behaviour) as server:
        line = (config, '--base-url', server.address, '--model', 'm', '--text', '--yes', '--parallel', 1)
        call('vlm_eval.py', *line, '--key-file', tmp_path / 'keys', '--work-dir', tmp_path / 'out')
        assert server.keys[:3] == ['Bearer spent-key', 'Bearer full-key', 'Bearer full-key']
        monkeypatch.setenv('OWN', 'spent-key')
        message = failure('vlm_eval.py', *line, '--key-from', 'OWN', '--work-dir', tmp_path / 'other')
    assert message.endswith('answers 429: (key) has nothing left')
    written = b''.join(path.read_bytes() for path in (tmp_path / 'out').rglob('*') if path.is_file())
    assert b'-key' not in written
    assert '-key' not in ''.join(capsys.readouterr())


def test_words_of_an_open_vocabulary(config: Path, tmp_path: Path) -> None:
    with chat_server(lambda request: completion(ranking(*[['proud', 'calm']] * len(items_of(request))))) as server:
        line = ('--base-url', server.address, '--model', 'm', '--open-vocabulary', '--limit', 3, '--yes')
        call('vlm_eval.py', config, *line, '--work-dir', tmp_path / 'out')
    words = json.loads((tmp_path / 'out' / 'words.json').read_text())
    assert list(words.values()) == [['proud', 'calm']] * len(words)
    truth, groups, out = (tmp_path / name for name in ('truth.csv', 'groups.json', 'measured.json'))
    truth.write_text('name,openset\n' + ''.join(f'{name},"[\'calm\']"\n' for name in words))
    groups.write_text(json.dumps(dict.fromkeys(words, "[['proud'], ['calm']]")))
    call('analysis_tools/open_vocabulary.py', tmp_path / 'out' / 'words.json', truth, '--groups', groups, '--out', out)
    assert json.loads(out.read_text())['OV'] == pytest.approx(0.75)  # precision 1/2, recall 1


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (('--frames', '0'), 'nothing would be shown: give --frames above 0, or --text'),
        (('--batch-size', '0'), '--batch-size must be at least 1, got 0'),
        (('--quality', '101'), '--quality must be at most 100, got 101'),
    ],
)
def test_options_that_cannot_be(options: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        call('vlm_eval.py', 'x.py', '--base-url', 'http://a', '--model', 'm', *options)
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_ctrl_c_keeps_the_answers_and_does_not_wait_for_the_server(config: Path, tmp_path: Path) -> None:
    is_asked, may_end = threading.Event(), threading.Event()

    def behaviour(request: dict) -> tuple:
        if is_asked.is_set():
            may_end.wait(60)
        is_asked.set()
        return answer(request)

    with chat_server(behaviour) as server:
        line = [sys.executable, str(tools_root() / 'vlm_eval.py'), str(config), '--base-url', server.address]
        line += ['--model', 'm', '--text', '--batch-size', '2', '--parallel', '1', '--yes']
        line += ['--work-dir', str(tmp_path / 'o')]
        process = subprocess.Popen(line, stderr=subprocess.PIPE, text=True, env=os.environ)
        while not (tmp_path / 'o' / 'answers.jsonl').exists() or len(server.requests) < 2:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
        may_end.set()
    assert process.returncode == 130
    assert errors.splitlines()[-1].endswith('interrupted; 1 answers are kept; run the same command again')

"""``open_vocabulary.py`` as a command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from mmengine.registry import DefaultScope

from hicmae_mm.evaluation.metrics import open_vocabulary
from hicmae_mm.evaluation.predictions import write_predictions
from tests.evaluation.wheels import write_wheels
from tests.test_tools.command import run_tool
from tests.test_tools.modules import load_tool

TOOL = 'analysis_tools/open_vocabulary.py'


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    write_wheels(tmp_path / 'wheels')
    (tmp_path / 'truth.csv').write_text("name,openset\na,\"['happy', 'down']\"\nb,\"['happy']\"\n")
    return tmp_path / 'truth.csv'


def test_words_by_wheels_and_groups(truth: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / 'answers.jsonl').write_text(
        '{"name": "a", "answer": "He is [\\"happy\\"]"}\n{"name": "x", "answer": "-"}\n'
    )
    main, out = load_tool(TOOL).main, tmp_path / 'out.json'
    command = [str(tmp_path / 'answers.jsonl'), str(truth)]
    assert main([*command, '--wheels', str(tmp_path / 'wheels'), '--levels', '1', '2', '--out', str(out)]) == 0
    measures = json.loads(out.read_text())
    assert measures['wheel3_level1'] == pytest.approx({'precision': 1, 'recall': 0.5, 'f': 2 / 3, 'samples': 1})
    assert measures['OV_level1'] == pytest.approx(2 / 3)
    printed = capsys.readouterr().out
    assert '1 of the 2 clips of' in printed
    assert 'OV_level2       0.6667' in printed
    (tmp_path / 'groups.json').write_text(json.dumps({'a': "[['happy', 'down']]"}))
    assert main([*command, '--groups', str(tmp_path / 'groups.json')]) == 0
    assert 'OV              1.0000' in capsys.readouterr().out


def test_scores_of_classes(
    truth: Path,
    tmp_path: Path,
    config_file: Path,
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    notes: list[str] = []
    monkeypatch.setattr(open_vocabulary, 'print_log', lambda line, *_: notes.append(line))
    classes = ['x', 'happy', 'down']
    scores = {'v/a.mp4': [0.1, 0.5, 0.4], 'b': [0.8, 0.1, 0.1]}
    samples = [
        dict(sample_idx=index, sample_id=name, pred_score=np.array(score))
        for index, (name, score) in enumerate(scores.items())
    ]
    write_predictions(tmp_path / 'scores.pkl', samples)
    config = tmp_path / 'named.py'
    config.write_text(
        f"_base_ = ['{config_file.as_posix()}']\n"
        f'test_dataloader = dict(dataset=dict(metainfo=dict(classes={classes})))\n'
    )
    command = [str(tmp_path / 'scores.pkl'), str(truth), '--wheels', str(tmp_path / 'wheels'), '--threshold', '0.3']
    with DefaultScope.overwrite_default_scope('hicmae_mm'):
        assert load_tool(TOOL).main([*command, '--config', str(config)]) == 0
        shown = capsys.readouterr()
        assert 'OV_level1       0.5000' in shown.out
        assert [note.partition(':')[0] for note in notes] == ['no emotion wheel has the classes x']
        assert shown.out.count('wheel1_level1') == 1
        # words for the classes, without a config
        assert load_tool(TOOL).main([*command, '--class-words', 'neutral', 'down', 'happy']) == 0
        shown = capsys.readouterr()
    assert 'OV_level1       0.5000' in shown.out
    assert len(notes) == 1


@pytest.mark.slow
def test_errors_are_one_line(truth: Path, tmp_path: Path) -> None:
    (tmp_path / 'other.json').write_text('{"z": "happy"}')
    for wheels, message in (
        (tmp_path / 'nowhere', 'format.csv does not exist; it is one of the public files'),
        (tmp_path / 'wheels', 'have no clip in common; clips are known by their names'),
    ):
        found = run_tool(TOOL, tmp_path / 'other.json', truth, '--wheels', wheels, check=False)
        assert found.returncode == 1
        assert message in found.stderr
        assert len(found.stderr.strip().splitlines()) == 1

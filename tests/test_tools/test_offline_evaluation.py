"""``eval_metric.py`` and ``compare_runs.py`` on predictions from ``tools/test.py --out``."""

from __future__ import annotations

import json
from pathlib import Path

import mmengine
import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope

from tests.test_tools.modules import load_tool

EVALUATE, COMPARE = 'analysis_tools/eval_metric.py', 'analysis_tools/compare_runs.py'


def dump(path: Path, right: float, seed: int, count: int = 80, **fields: torch.Tensor) -> Path:
    """Predictions of two classes, of which a share is right."""
    generator = np.random.default_rng(seed)
    labels = np.random.default_rng(0).integers(0, 2, count)
    samples = []
    for index, label in enumerate(labels):
        chosen = label if generator.random() < right else 1 - label
        score = torch.tensor([0.9, 0.1] if chosen == 0 else [0.1, 0.9])
        samples.append(
            dict(sample_idx=index, sample_id=f'{index}.mp4', pred_score=score, gt_label=torch.tensor([label]))
        )
    mmengine.dump([{**sample, **fields} for sample in samples], path)
    return path


def test_measures_are_those_of_the_config(config_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    predictions, out = dump(tmp_path / 'a.pkl', 0.75, 1), tmp_path / 'out' / 'metrics.json'
    with DefaultScope.overwrite_default_scope('hicmae_mm'):
        main = load_tool(EVALUATE).main
        assert main([str(config_file), str(predictions), '--out', str(out)]) == 0
        assert main([str(config_file), str(predictions), '--cfg-options', 'test_evaluator.auc=True']) == 0
    measures, samples = mmengine.load(out), mmengine.load(predictions)
    hits = [int(sample['pred_score'].argmax()) == int(sample['gt_label']) for sample in samples]
    assert measures['WAR'] == pytest.approx(np.mean(hits))
    printed = capsys.readouterr().out
    assert f'WAR          {np.mean(hits):.4f}' in printed
    assert 'AUC ' in printed


def test_models_of_several_folds_are_averaged(config_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    parts = [dump(tmp_path / f'{i}.pkl', 0.75, i) for i in range(3)]
    with DefaultScope.overwrite_default_scope('hicmae_mm'):
        assert load_tool(EVALUATE).main([str(config_file), *map(str, parts)]) == 0
    logits = np.mean([[sample['pred_score'].log().numpy() for sample in mmengine.load(path)] for path in parts], axis=0)
    labels = [int(sample['gt_label']) for sample in mmengine.load(parts[0])]
    assert f'WAR          {np.mean(logits.argmax(axis=1) == labels):.4f}' in capsys.readouterr().out


def test_area_over_missing_rates(config_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    parts = [str(dump(tmp_path / f'{i}.pkl', right, i)) for i, right in enumerate((0.95, 0.5))]
    main, out = load_tool(EVALUATE).main, tmp_path / 'rates.json'
    with DefaultScope.overwrite_default_scope('hicmae_mm'):
        assert main([str(config_file), *parts, '--missing-rates', '0', '1', '--out', str(out)]) == 0
        with pytest.raises(SystemExit):
            main([str(config_file), *parts, '--missing-rates', '0'])
    measures = mmengine.load(out)
    assert measures['WAR at 0'] > 0.8 > measures['WAR at 1']
    assert measures['WAR area'] == pytest.approx((measures['WAR at 0'] + measures['WAR at 1']) / 2)
    assert 'needs a rate of its own for each of 2 files' in capsys.readouterr().err


def test_a_difference_and_none(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    first, better, same = (dump(tmp_path / f'{i}.pkl', right, i) for i, right in enumerate((0.5, 0.95, 0.5)))
    main, out = load_tool(COMPARE).main, tmp_path / 'comparison.json'
    assert main([str(first), str(better), '--resamples', '500', '--out', str(out)]) == 0
    report = json.loads(out.read_text())
    assert report['UAR']['second'] > report['UAR']['first'] + 0.2
    assert report['UAR']['low'] > 0
    assert report['mcnemar']['only_second'] > report['mcnemar']['only_first']
    assert 'p = 0.0000: differs' in capsys.readouterr().out
    assert main([str(first), str(same), '--resamples', '500']) == 0
    assert 'no difference shown' in capsys.readouterr().out


def test_values_are_compared_by_dimension(tmp_path: Path) -> None:
    generator, paths = np.random.default_rng(3), []
    targets = generator.normal(size=(40, 2))
    for noise in (2.0, 0.1):
        values = targets + noise * generator.normal(size=(40, 2))
        pairs = zip(torch.tensor(values), torch.tensor(targets))
        samples = [
            dict(sample_id=str(i), pred_values=value, gt_values=target) for i, (value, target) in enumerate(pairs)
        ]
        paths.append(tmp_path / f'{noise}.pkl')
        mmengine.dump(samples, paths[-1])
    out = tmp_path / 'comparison.json'
    assert load_tool(COMPARE).main([*map(str, paths), '--resamples', '200', '--out', str(out)]) == 0
    report = json.loads(out.read_text())
    assert report['CCC/0']['low'] > 0
    assert report['CCC/1']['second'] > 0.9
    assert 'mcnemar' not in report


@pytest.mark.parametrize(
    ('other', 'message'),
    [
        (dict(right=0.5, seed=1, count=79), "1 are in one file only ('79.mp4')"),
        (dict(right=0.5, seed=1, gt_label=torch.tensor([1])), 'disagree about the labels'),
    ],
)
def test_other_clips_are_refused(other: dict, message: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    paths = dump(tmp_path / 'a.pkl', 0.5, 1), dump(tmp_path / 'b.pkl', **other)
    assert load_tool(COMPARE).main([*map(str, paths)]) == 1
    assert message in capsys.readouterr().err


def test_missing_files_end_in_one_line(config_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    predictions, absent = dump(tmp_path / 'a.pkl', 0.5, 1), tmp_path / 'b.pkl'
    for tool, first in ((EVALUATE, config_file), (COMPARE, predictions)):
        assert load_tool(tool).main([str(first), str(absent)]) == 1
        assert capsys.readouterr().err == f'error: {absent} does not exist\n'

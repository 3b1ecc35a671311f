from __future__ import annotations

import os
import pickle
import tracemalloc
from pathlib import Path

import mmengine
import numpy as np
import pytest
import torch

from hicmae_mm.evaluation import ClassificationMetric, RegressionMetric
from hicmae_mm.evaluation.predictions import (
    read_predictions,
    scores_and_labels,
    values_and_targets,
    write_predictions,
)


def sample(index: int, **fields: torch.Tensor) -> dict:
    return dict(sample_idx=index, sample_id=f'clip{index}', **fields)


def test_clips_count_once_and_in_order(tmp_path: Path) -> None:
    samples = [
        sample(1, pred_score=torch.tensor([0.2, 0.8]), gt_label=torch.tensor([0]), pred_values=torch.tensor([1.0])),
        sample(0, pred_score=torch.tensor([0.6, 0.4]), gt_label=torch.tensor([1]), pred_values=torch.tensor([2.0])),
    ]
    mmengine.dump([*samples, samples[0]], tmp_path / 'predictions.pkl')
    read = read_predictions(tmp_path / 'predictions.pkl')
    assert [entry['sample_id'] for entry in read] == ['clip0', 'clip1']
    scores, labels = scores_and_labels(read)
    np.testing.assert_allclose(scores, [[0.6, 0.4], [0.2, 0.8]])
    assert labels.tolist() == [1, 0]
    with pytest.raises(ValueError, match="sample 'clip0' has no gt_values: the test set needs values"):
        values_and_targets(read)
    read[0]['gt_values'] = read[1]['gt_values'] = torch.tensor([0.5])
    assert [array.tolist() for array in values_and_targets(read)] == [[[2.0], [1.0]], [[0.5], [0.5]]]


def test_new_files_hold_plain_values_and_read_like_old_ones(tmp_path: Path) -> None:
    samples = [
        sample(
            index,
            pred_score=torch.tensor([0.25, 0.75], dtype=dtype),
            gt_label=torch.tensor([1]),
            pred_view_scores=torch.arange(6.0).reshape(3, 2).T,
            video_path=Path('a.mp4'),
            num_views=np.int64(2),
        )
        for index, dtype in enumerate((torch.float32, torch.float16, torch.bfloat16, torch.float64))
    ]
    mmengine.dump(samples, tmp_path / 'old.pkl')
    for name in ('new.pkl', 'new.json'):
        write_predictions(tmp_path / name, samples)
    with pytest.raises(ValueError, match=r'asks for pathlib\.PosixPath'):
        read_predictions(tmp_path / 'old.pkl')
    for entry in samples:
        entry['video_path'] = 'a.mp4'
    mmengine.dump(samples, tmp_path / 'old.pkl')
    for name in ('old.pkl', 'new.pkl', 'new.json'):
        for found, wanted in zip(read_predictions(tmp_path / name), samples):
            assert found.keys() == wanted.keys()
            assert (found['sample_id'], found['video_path'], found['num_views']) == (wanted['sample_id'], 'a.mp4', 2)
            for field in ('pred_score', 'gt_label', 'pred_view_scores'):
                assert torch.equal(found[field].double(), wanted[field].double())
            assert found['gt_label'].dtype == torch.int64
    plain = pickle.loads((tmp_path / 'new.pkl').read_bytes())
    assert isinstance(plain[0]['pred_score'], np.ndarray)


class Evil:
    def __reduce__(self) -> tuple:
        return os.system, ('touch ran',)


EVIL = pickle.dumps([dict(sample_id='a', pred_score=Evil())])
DEEP = b'(' * 100000 + b'.'
LAUGHS = b']' + b'q\x00' + b''.join(b']q' + bytes([n + 1]) + (b'h' + bytes([n]) + b'a') * 8 for n in range(60)) + b'.'


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (EVIL, r'asks for posix\.system, which could run code'),
        (pickle.dumps([dict(score=np.array([Evil()], dtype=object))]), "array of type 'O8'; expected numbers"),
        (pickle.dumps([dict(score=np.array([None], dtype=object))]), "array of type 'O8'; expected numbers"),
        (pickle.dumps([dict(score=np.zeros(1, dtype=[('x', 'f4')]))]), "array of type 'V4'"),
        (pickle.dumps([range(2**31)]), r'asks for builtins\.range'),
        (pickle.dumps([{1, 2}]), 'it is damaged'),
        (b'c__builtin__\neval\n(S"1"\ntR.', r'asks for __builtin__\.eval'),
        (b'\x80\x04\x8c\x08builtins\x8c\x04eval\x93.', r'asks for builtins\.eval'),
        (b'(i__builtin__\neval\n.', 'it is damaged'),
        (b'\x80\x02]r\xff\xff\xff\x7f.', 'must hold a list of samples|holds no predictions'),
        (b'\x80\x04\x8e' + (2**62).to_bytes(8, 'little') + b'.', 'it is damaged'),
        (b'\x80\x04\x95' + (2**62).to_bytes(8, 'little') + b'.', 'not a file of predictions'),
        (b'\x8b\xff\xff\xff\x7f.', 'not a file of predictions'),
        (DEEP, 'far more memory than its size'),
        (b'}' * 100000 + b'.', 'far more memory than its size'),
        (b'N' + b'2' * 100000 + b'.', 'far more memory than its size'),
        (b']' + b'\x94' * 100000 + b'.', 'far more memory than its size'),
        (LAUGHS, 'repeat each other without end'),
        (b']' + b'q\x00h\x00a.', 'too deep, or repeat'),
        (b'I' + b'9' * 100000 + b'\n.', 'not a file of predictions'),
        (b'', 'not a file of predictions'),
        (EVIL[:-30], 'not a file of predictions'),
    ],
    ids=range(22),
)
def test_hostile_pickles_are_refused_in_bounded_time(
    tmp_path: Path, content: bytes, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'bad.pkl').write_bytes(content)
    tracemalloc.start()
    with pytest.raises(ValueError, match=message) as caught:
        read_predictions(tmp_path / 'bad.pkl')
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 'bad.pkl' in str(caught.value)
    assert peak < 10_000_000 + 20 * len(content)
    assert not (tmp_path / 'ran').exists()


def test_forged_tensors_are_refused(tmp_path: Path) -> None:
    old = pickle.dumps([sample(0, pred_score=torch.tensor([0.25, 0.75]))], protocol=2)
    assert b'K\x02\x85' in old  # its size
    (tmp_path / 'bad.pkl').write_bytes(old.replace(b'K\x02\x85', b'K\x63\x85', 1))
    with pytest.raises(ValueError, match=r'bad\.pkl is not a file of predictions: it holds a tensor that is larger'):
        read_predictions(tmp_path / 'bad.pkl')


SCORE = torch.tensor([0.25, 0.75])


@pytest.mark.parametrize(
    ('samples', 'message'),
    [
        ([sample(0, pred_score=SCORE), dict(sample_id='clip1')], "'clip1' .position 1. differs from others"),
        (
            [sample(0, pred_score=SCORE), sample(0, pred_score=SCORE + 1)],
            "'clip0' occurs twice, with other",
        ),
        ([sample(0), dict(sample_idx=0, sample_id='clip9')], "'clip0' and 'clip9' have the same sample_idx 0"),
        ([dict(sample_idx=True, sample_id='a')], "'a' has sample_idx True"),
        ([dict(sample_idx='x' * 1000, sample_id='a')], "'a' has sample_idx x+; expected a place"),
        ([dict(sample_id='a', pred_score=[['x']])], 'pred_score must hold numbers'),
    ],
)
def test_clips_that_contradict_each_other_are_refused(tmp_path: Path, samples: list[dict], message: str) -> None:
    write_predictions(tmp_path / 'bad.pkl', samples)
    with pytest.raises(ValueError, match=rf'bad\.pkl: .*{message}'):
        read_predictions(tmp_path / 'bad.pkl')


@pytest.mark.parametrize(
    ('fields', 'message'),
    [
        (dict(pred_score=torch.tensor([float('nan'), 0.5])), "pred_score of sample 'clip1' is not finite"),
        (dict(pred_score=torch.tensor([float('inf'), 0.5])), "pred_score of sample 'clip1' is not finite"),
        (dict(pred_score=torch.ones(3)), "differ in their number of classes: 'clip1' has 3, 'clip0' has 2"),
        (dict(pred_score=torch.ones(20000)), "'clip1' has scores of 20000 classes, expected 1 to 10000"),
        (dict(pred_score=torch.ones(0)), "'clip1' has scores of 0 classes"),
        (dict(pred_score='x'), "pred_score of sample 'clip1' must hold numbers"),
        (dict(gt_label=torch.tensor([2])), "label 2 of sample 'clip1' is out of range"),
        (dict(gt_label=torch.tensor([-1])), "label -1 of sample 'clip1' is out of range"),
        (dict(gt_label=torch.tensor([0.5])), "gt_label of sample 'clip1' must be one class index"),
        (dict(gt_label=torch.tensor([0, 1])), "gt_label of sample 'clip1' must be one class index"),
        (dict(gt_label=True), "gt_label of sample 'clip1' must be one class index"),
        (dict(gt_label=None), "sample 'clip1' has no gt_label"),
    ],
)
def test_scores_and_labels_that_cannot_be_measured(fields: dict, message: str) -> None:
    good = dict(pred_score=SCORE, gt_label=torch.tensor([1]))
    samples = [sample(0, **good), sample(1, **(good | fields))]
    with pytest.raises(ValueError, match=message):
        scores_and_labels(samples)
    metric = ClassificationMetric()
    with pytest.raises(ValueError, match=message):  # noqa: PT012
        metric.process({}, samples)
        metric.evaluate(2)


@pytest.mark.parametrize('name', ['pred_values', 'gt_values'])
@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_values_that_are_not_finite_are_refused(name: str, value: float) -> None:
    good = dict(pred_values=torch.tensor([0.5]), gt_values=torch.tensor([0.5]))
    samples = [sample(0, **good), sample(1, **(good | {name: torch.tensor([value])}))]
    message = f"{name} of sample 'clip1' is not finite"
    with pytest.raises(ValueError, match=message):
        values_and_targets(samples)
    with pytest.raises(ValueError, match=message):
        RegressionMetric().process({}, samples)


def test_what_is_no_predictions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'none\.pkl does not exist'):
        read_predictions(tmp_path / 'none.pkl')
    (tmp_path / 'text.pkl').write_bytes(b'hello')
    with pytest.raises(ValueError, match=r'text\.pkl is not a file of predictions'):
        read_predictions(tmp_path / 'text.pkl')
    for content, message in (({'UAR': 1.0}, 'must hold a list of samples'), ([], 'holds no predictions')):
        mmengine.dump(content, tmp_path / 'other.pkl')
        with pytest.raises(ValueError, match=message):
            read_predictions(tmp_path / 'other.pkl')

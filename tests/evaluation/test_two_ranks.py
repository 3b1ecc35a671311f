from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torch.distributed
import torch.multiprocessing

from hicmae_mm.evaluation import ClassificationMetric, MERMultiMetric
from hicmae_mm.evaluation.metrics.base import PerSampleMetric

LABELS = [0, 1, 2, 0, 1]
SHARES = ([0, 2, 4], [1, 3, 0, 4])  # of unequal length, with two samples that pad the last round


def clips(indices: list[int]) -> list[dict]:
    scores = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)).softmax(dim=1)
    values = torch.randn(2, 5, 1, generator=torch.Generator().manual_seed(1))
    return [
        {
            'sample_idx': i,
            'sample_id': f'{"abcab"[i]}_{i}',
            'pred_score': scores[i],
            'gt_label': torch.tensor([LABELS[i]]),
            'pred_values': values[0, i],
            'gt_values': values[1, i],
        }
        for i in indices
    ]


def metrics() -> list[PerSampleMetric]:
    grouped = ClassificationMetric(auc=True, group_pattern=r'^(.)_', prefix='recordings')
    return [ClassificationMetric(auc=True), grouped, MERMultiMetric(prefix='mer')]


def measure(samples: list[dict]) -> dict[str, float]:
    measures = {}
    for metric in metrics():
        metric.process({}, samples)
        measures.update(metric.evaluate(5))
    return measures


def evaluate(rank: int, folder: str) -> None:
    store = torch.distributed.FileStore(f'{folder}/store', 2)
    torch.distributed.init_process_group('gloo', store=store, rank=rank, world_size=2)
    Path(folder, f'rank_{rank}.json').write_text(json.dumps(measure(clips(SHARES[rank]))))
    torch.distributed.destroy_process_group()


@pytest.mark.dist
def test_two_ranks_give_the_result_of_one(tmp_path: Path):
    torch.multiprocessing.spawn(evaluate, (str(tmp_path),), nprocs=2)
    expected = measure(clips([0, 1, 2, 3, 4]))
    assert {'AUC', 'recordings/AUC', 'mer/MER'} <= set(expected)
    for rank in range(2):
        assert json.loads((tmp_path / f'rank_{rank}.json').read_text()) == expected

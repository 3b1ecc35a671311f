from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torch.distributed
import torch.multiprocessing

from hicmae_mm.evaluation import ClassificationMetric

LABELS = [0, 1, 2, 0, 1]
SHARES = ([0, 2, 4], [1, 3, 0, 4])  # of unequal length, with two samples that pad the last round


def clips(indices: list[int]) -> list[dict]:
    scores = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)).softmax(dim=1)
    return [
        {'sample_idx': i, 'sample_id': str(i), 'pred_score': scores[i], 'gt_label': torch.tensor([LABELS[i]])}
        for i in indices
    ]


def evaluate(rank: int, folder: str) -> None:
    store = torch.distributed.FileStore(f'{folder}/store', 2)
    torch.distributed.init_process_group('gloo', store=store, rank=rank, world_size=2)
    metric = ClassificationMetric()
    metric.process({}, clips(SHARES[rank]))
    Path(folder, f'rank_{rank}.json').write_text(json.dumps(metric.evaluate(5)))
    torch.distributed.destroy_process_group()


@pytest.mark.dist
def test_two_ranks_give_the_result_of_one(tmp_path: Path):
    torch.multiprocessing.spawn(evaluate, (str(tmp_path),), nprocs=2)
    alone = ClassificationMetric()
    alone.process({}, clips([0, 1, 2, 3, 4]))
    expected = alone.evaluate(5)
    for rank in range(2):
        assert json.loads((tmp_path / f'rank_{rank}.json').read_text()) == expected

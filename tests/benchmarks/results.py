"""Made-up results of the shape that `benchmarks/run.py` writes."""

from __future__ import annotations

from typing import Any

MACHINE = {
    'processor': 'Some CPU',
    'cores': 2,
    'memory_gb': 25.2,
    'gpu': None,
    'system': 'Linux x86_64, Python 3.11.7',
    'packages': {'torch': '2.11.0'},
}


def part(**results: Any) -> dict[str, Any]:
    jobs = {
        name: {'command': f'python {name}.py', 'seconds': 1.0, 'result': result} for name, result in results.items()
    }
    return {'date': '2026-01-02', 'commit': 'abc1234', 'machine': MACHINE, 'jobs': jobs}


def step(variant: str, seconds: float, memory_mb: float, **others: float) -> dict[str, Any]:
    return {
        'variant': variant,
        'batch_size': 4,
        'seconds_per_iter': seconds,
        'clips_per_s': 4 / seconds,
        'gflops_per_s': 200 / seconds,
        'matmul_gflops_per_s': 125.0,
        'matmul_fraction': 1.6 / seconds,
        'peak_memory_mb': memory_mb,
        **others,
    }


def loading(milliseconds: float, **others: Any) -> dict[str, Any]:
    return {
        'clips_per_s': 1000 / milliseconds,
        'megabytes_per_clip': 0.25,
        'milliseconds_per_clip': {'read': 1.0, 'decode': 2.0, 'transform': milliseconds - 3.5, 'collate': 0.5},
        'milliseconds_per_transform': {'OpenVideo': 1.0, 'DecodeFrames': 2.0, 'Filterbank': milliseconds - 3.5},
        **others,
    }


RESULTS = {
    'model': part(
        pretrain=[step('plain', 2.0, 2000), step('baseline', 3.0, 4000), step('attention', 2.5, 3000)],
        infer=[
            step('plain', 1.0, 1000),
            step('compile', 0.9, 1500, compile_seconds=30.0, graph_breaks=0, recompiled_graphs=1),
        ],
    ),
    'data': part(
        pretrain=loading(15.0),
        shards=loading(5.0),
        published_pretrain={'seconds_per_clip': 0.03},
        shards_workers=loading(5.0, workers=2, clips_per_s_per_worker=100.0, clips_per_s_in_process=200.0),
    ),
    'lists': part(
        lists={
            'clips': 1_100_000,
            'open_seconds': {'wall': 0.7, 'cpu': 0.6},
            'main_extra': 101.0,
            'main_peak_extra': 109.0,
            'workers': [{'private_at_start': 9.4, 'growth': 0.7}],
        }
    ),
    'ranks': part(
        ranks={
            'ranks': 2,
            'batch_size_per_rank': 4,
            'clips_per_s': {'alone': 1.5, 'independent': 3.0, 'data_parallel': 2.7},
            'ratio_to_one_rank': {'independent': 2.0, 'data_parallel': 1.8},
            'communication_share': {'data_parallel': 0.1},
        }
    ),
    'gpu': {**part(), 'not_measured': 'no GPU: not measured'},
    'quickstart': part(quickstart={'total_seconds': 310.0, 'UAR': {'A+V': 0.9, 'chance': 1 / 6}}),
}

"""Packing in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hicmae_mm.datasets.shards.packing import ClipPacker, read_list
from hicmae_mm.datasets.shards.writing import PackingPlan, write_shards


def pack(
    ann_file: Path,
    out_dir: Path,
    samples_per_shard: int = 6,
    streams: tuple[str, ...] = ('video', 'audio'),
    seed: int | None = 0,
    **options: Any,
) -> Path:
    """Packs a list whose paths start from its own folder; returns the folder of the shards."""
    clips, metainfo = read_list(ann_file, ann_file.parent, streams)
    plan = PackingPlan(clips, ClipPacker(**options), streams, metainfo, samples_per_shard, seed=seed)
    assert list(write_shards(plan, out_dir))[-1] == len(clips)
    return out_dir

"""The collate function of a config, and that no room names one of its own."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from hicmae_mm.config.collation import collate_of
from hicmae_mm.datasets import collate_streams
from hicmae_mm.registry import FUNCTIONS

ROOT = Path(__file__).resolve().parents[2]


@FUNCTIONS.register_module()
def collate_of_a_plug_in(samples: list[Any], extra: int = 0) -> dict[str, Any]:
    return {**collate_streams(samples), 'extra': extra}


def test_the_function_of_the_first_loader_that_there_is() -> None:
    cfg = Config(
        dict(
            val_dataloader=dict(collate_fn=dict(type='collate_of_a_plug_in', extra=3)),
            train_dataloader=dict(collate_fn=dict(type='collate_streams')),
        )
    )
    function = pickle.loads(pickle.dumps(collate_of(cfg)))
    assert function.keywords == dict(extra=3)
    assert collate_of(cfg, 'train') is collate_streams
    assert collate_of(cfg, order=('train', 'val')) is collate_streams
    assert collate_of(Config(dict(test_dataloader=dict(dataset=dict())))) is collate_streams
    cfg.val_dataloader.collate_fn.type = 'colate'
    with pytest.raises(ValueError, match="collate_fn 'colate' is not a registered function"):
        collate_of(cfg)


def test_no_tool_chooses_a_collate_function_itself() -> None:
    """Only defaults of arguments may name one; a batch of a config is joined as the config says."""
    allowed = {'hicmae_mm/datasets/collate.py', 'hicmae_mm/datasets/__init__.py', 'hicmae_mm/config/collation.py'}
    for folder in ('hicmae_mm', 'tools', 'demo', 'benchmarks'):
        for path in (ROOT / folder).rglob('*.py'):
            name = path.relative_to(ROOT).as_posix()
            if name not in allowed:
                text = path.read_text(encoding='utf-8')
                assert not re.search(r'collate_(audio_visual|streams)\(|collate_fn=collate_\w', text), name

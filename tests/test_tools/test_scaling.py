"""The arithmetic of scaling.py by hand, and the tables of docs/scaling.md against its output."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mmengine.config import Config

from hicmae_mm.config.paths import configs_root
from tests.models.tiny import pretrainer_config
from tests.test_tools.modules import load_tool

scaling = load_tool('analysis_tools/scaling.py')
PAGE = Path(__file__).resolve().parents[2] / 'docs' / 'scaling.md'
WORK = scaling.Workload(parameters=1000, macs=5e9, batch_size=10, contrasted=(8, 8, 8, 8))


def test_bytes_of_a_step_by_hand() -> None:
    # four ranks: every rank passes on 3/4 of the 4000 bytes, in each of the collectives
    assert WORK.data_parallel_bytes(4) == 2 * 3000
    assert WORK.sharded_bytes(4) == 3 * 3000
    assert WORK.sharded_bytes(4, micro_steps=5) == 11 * 3000
    # two nodes of two: half of the shard's 2000 bytes, twice
    assert WORK.hybrid_bytes(4, per_node=2) == 2 * 1000
    # ten vectors of 4 x 8 numbers go to three others, and the gradients come back
    assert WORK.contrast_bytes(4) == 2 * 3 * 10 * 32 * 4
    for count in (WORK.data_parallel_bytes, WORK.sharded_bytes, WORK.contrast_bytes):
        assert count(1) == 0
    assert WORK.hybrid_bytes(8, per_node=8) == 0


def test_step_rate_by_hand() -> None:
    # 5 G multiply-accumulates are 10 GFLOP forward and 20 backward; ten clips make 300 GFLOP a step
    assert WORK.steps_per_second(tera_flops=3) == pytest.approx(10)


def test_bytes_of_a_clip_by_hand() -> None:
    clip = scaling.Clip(seconds=2, fps=25, frame_bytes=100, sound_bytes=300)
    assert clip.size == 2 * 2500 + 600
    assert clip.read == 16 * 100 + 600


@pytest.mark.parametrize(
    ('num_bytes', 'text'), [(398e6, '398 MB'), (1.054e9, '1.05 GB'), (154e12, '154 TB'), (6880, '6.88 kB')]
)
def test_sizes_have_units(num_bytes: float, text: str) -> None:
    assert scaling.size(num_bytes) == text


def test_a_model_is_counted_as_it_is(tmp_path: Path) -> None:
    config = pretrainer_config()
    cfg = Config(dict(model=config, train_dataloader=dict(batch_size=3)))
    work = scaling.workload_of(cfg, None)
    assert work.batch_size == 3
    assert work.contrasted == (16, 16, 16, 16)  # two layers, two streams, 16 wide
    assert work.macs > 0
    cfg.model.contrastive = None
    cfg.model.frozen = ('encoders.video',)
    fewer = scaling.workload_of(cfg, 5)
    assert fewer.batch_size == 5
    assert fewer.contrasted == ()
    assert fewer.parameters < work.parameters


def test_errors_end_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert scaling.main([str(tmp_path / 'absent.py')]) == 1
    assert re.fullmatch(r'error: .*absent.py.*\n', capsys.readouterr().err)


@pytest.mark.slow  # builds the base size
def test_the_page_shows_what_the_tool_prints(tmp_path: Path) -> None:
    page = tmp_path / 'scaling.md'
    page.write_text(PAGE.read_text(encoding='utf-8'), encoding='utf-8')
    assert scaling.main([str(configs_root() / 'hicmae_base_pretrain_voxceleb2.py'), '--update', str(page)]) == 0
    assert page.read_text(encoding='utf-8') == PAGE.read_text(encoding='utf-8')

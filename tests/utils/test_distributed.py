from __future__ import annotations

import pytest

from hicmae_mm.utils.distributed import init_cpu_process_group


@pytest.fixture(autouse=True)
def _no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ('RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT', 'SLURM_PROCID'):
        monkeypatch.delenv(name, raising=False)


def test_missing_environment_names_the_script() -> None:
    with pytest.raises(ValueError, match=r'RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT.*tools/dist_train.sh'):
        init_cpu_process_group('pytorch')
    with pytest.raises(ValueError, match=r'SLURM_PROCID.*tools/slurm_train.sh'):
        init_cpu_process_group('slurm')
    with pytest.raises(ValueError, match="launcher 'mpi' is not available without a GPU"):
        init_cpu_process_group('mpi')

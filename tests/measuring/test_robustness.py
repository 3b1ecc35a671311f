from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from hicmae_mm.config.overrides import load_config
from hicmae_mm.config.paths import configs_root
from hicmae_mm.measuring.robustness import DEGRADATIONS, degradations_of, degraded, mixed, pink_noise, write_noise
from tests.engine.tiny_run import finetune_config, write_corpus


@pytest.fixture(scope='module')
def cfg(tmp_path_factory: pytest.TempPathFactory) -> Config:
    return finetune_config(write_corpus(tmp_path_factory.mktemp('corpus')), Path())


def test_every_degradation_stands_behind_the_step_that_it_follows(cfg: Config) -> None:
    found = degradations_of(cfg)
    assert set(found) == {*DEGRADATIONS, 'missing_video', 'missing_audio'}
    before = [step.type for step in cfg.test_dataloader.dataset.pipeline]
    for name, degradation in found.items():
        changed = degraded(cfg, degradation, degradation.levels[0], dict(noise=Path('a'), babble=Path('b')))
        types = [step.type for step in changed.test_dataloader.dataset.pipeline]
        place = 0 if degradation.follows is None else types.index(degradation.follows) + 1
        assert types[:place] + types[place + 1 :] == before
        assert changed.model.get('missing_streams') == ('zero' if name.startswith('missing') else None)
    assert [step.type for step in cfg.test_dataloader.dataset.pipeline] == before


def test_only_what_the_config_can_get_is_offered() -> None:
    audio = load_config(configs_root() / 'hicmae_base_audio_ravdess.py')
    assert {degradation.stream for degradation in degradations_of(audio).values()} == {'audio'}
    assert 'missing_audio' not in degradations_of(audio)
    features = load_config(configs_root() / 'mer' / 'mer2023_attention.py')
    assert set(degradations_of(features)) == {f'missing_{name}' for name in features.model.encoders}


def test_noise_is_pink_and_babble_has_equal_voices(cfg: Config, tmp_path: Path) -> None:
    noise = pink_noise(1 << 16, np.random.default_rng(0))
    power = np.abs(np.fft.rfft(noise)) ** 2
    octaves = [power[1 << level : 2 << level].mean() for level in range(6, 14)]
    assert np.diff(10 * np.log10(octaves)) == pytest.approx(-3, abs=1)
    quiet, loud = np.sin(np.arange(100)), 100 * np.cos(np.arange(50))
    total = mixed([quiet, loud])
    assert total.shape == (100,)
    parts = np.linalg.lstsq(np.stack([quiet, np.resize(loud, 100)], axis=1), total, rcond=None)[0]
    assert parts[0] == pytest.approx(100 * parts[1], rel=0.05)
    write_noise(cfg, tmp_path, ['noise', 'babble'])
    assert len(list(tmp_path.rglob('*.wav'))) == 9


def test_whole_levels_of_the_command_line_stay_whole() -> None:
    """JPEG encoders refuse a quality of 50.0."""
    made = [DEGRADATIONS[name].transform(level, {}) for name, level in (('compression', 50.0), ('blur', 0.5))]
    assert [step['quality'] for step in made[:1]] == [50]
    assert isinstance(made[0]['quality'], int)
    assert made[1]['sigma_share'] == 0.5

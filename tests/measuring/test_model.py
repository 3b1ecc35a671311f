"""Times of models whose targets, columns or memories a batch of noise has to have, too."""

from __future__ import annotations

import pytest
import torch

from hicmae_mm.config.paths import configs_root
from hicmae_mm.config.reading import read_config
from hicmae_mm.measuring.model import ModelPlan, measure_model
from hicmae_mm.measuring.random_batch import random_batch, random_inputs
from hicmae_mm.models import AudioVisualRecognizer
from hicmae_mm.registry import MODELS

KINDS = {
    'abaw/abaw4_nano_synthetic': 'tasks of frames',
    'abaw/abaw6_va_affwild2': 'values of frames behind a recurrent network',
    'm2fnet/m2fnet_nano_synthetic': 'utterances of a conversation',
    'partial_labels/arnet_nano_synthetic': 'a memory of samples, and schedules by epoch',
}


@pytest.mark.slow
@pytest.mark.usefixtures('hicmae_scope')
@pytest.mark.parametrize('name', KINDS, ids=KINDS.values())
def test_a_training_step_on_noise_is_timed(name: str) -> None:
    cfg = read_config(configs_root() / f'{name}.py')
    report = measure_model(cfg, ModelPlan('train', 2, 1, 0, amp=False, device=torch.device('cpu')))
    assert report['seconds_per_iter'] > 0
    assert report['nominal_gflop_per_clip'] > 0


@pytest.mark.usefixtures('hicmae_scope')
def test_targets_of_frames_are_as_many_as_predictions() -> None:
    model = MODELS.build(read_config(configs_root() / 'abaw' / 'abaw4_nano_synthetic.py').model)
    assert isinstance(model, AudioVisualRecognizer)
    batch = random_batch(model.train(), 2)
    assert model.training
    steps = model.extract_features(random_inputs(model, 2)).shape[1]
    sample = batch['data_samples'][1]
    assert sample.gt_expression.shape == (steps,)
    assert sample.gt_valence_arousal.shape == (steps, 2)
    assert set(sample.gt_action_units.unique().tolist()) == {0, 1}
    assert 0 <= int(sample.gt_expression.min()) <= int(sample.gt_expression.max()) < 6

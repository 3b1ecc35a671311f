from __future__ import annotations

import json
import math
import pickle
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from hicmae_mm.engine import build_runner
from tests.engine.tiny_run import CLASSES

WHOLE = math.inf


@pytest.mark.slow
def test_one_window_has_the_scores_of_testing(cfg: Config, corpus: Path, weights: Path, make_inferencer, tmp_path):
    out = tmp_path / 'predictions.pkl'
    test_cfg = cfg.to_dict() | dict(
        work_dir=str(tmp_path), load_from=str(weights), experiment_name='parity', custom_hooks=[]
    )
    test_cfg['test_evaluator'] = [dict(type='DumpResults', out_file_path=str(out))]
    build_runner(Config(test_cfg)).test()
    expected = {item['sample_id']: item['pred_score'].numpy() for item in pickle.loads(out.read_bytes())}
    clips = [dict(video=corpus / f'{n}.mp4', audio=corpus / f'{n}.wav') for n in range(13)]
    results = make_inferencer()(clips, window_seconds=WHOLE, batch_size=5)['predictions']
    assert len(expected) == len(results) == 13
    for result in results:
        assert list(result['scores']) == list(CLASSES)
        np.testing.assert_allclose(list(result['scores'].values()), expected[result['name']], atol=1e-5)
        assert result['streams'] == ['video', 'audio']
    spread = np.ptp([result['scores']['high'] for result in results])
    assert spread > 0.01  # else equality would say little
    assert json.loads(json.dumps(results)) == results

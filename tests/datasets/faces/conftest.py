from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from hicmae_mm.datasets.synthetic.clips import make_clip, sample_actor
from hicmae_mm.datasets.writers import write_video


@pytest.fixture(scope='session')
def talking_head(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve frames of a drawn face, 160x160, whose middle is the picture's."""
    rng = np.random.default_rng(8)
    frames, _ = make_clip(sample_actor(rng), 'NEU', rng, image_size=160)
    path = tmp_path_factory.mktemp('talking') / 'head.mp4'
    write_video(path, islice(frames, 12), 25)
    return path

"""VoxCeleb2: mp4 without sound, m4a beside them; a clip whose sound is empty."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from hicmae_mm.datasets.writers import write_video
from tests.corpora.case import CorpusCase

CLIPS = (
    'id00012/21Uxsk56VDQ/00001',
    'id00012/21Uxsk56VDQ/00002',
    'id00012/_raOc3-IRsw/00110',
    'id09272/-jx3Pbgqd8Y/00441',
)
BROKEN = 'id05376/oJuukVM802Q/00416'
SECONDS, FPS, SAMPLE_RATE_HZ = 3, 25, 16000


def write_sound_of_mp4(path: Path, seed: int) -> None:
    """An m4a: AAC in an mp4 container without pictures."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).normal(0, 0.1, (1, SECONDS * SAMPLE_RATE_HZ)).astype(np.float32)
    with av.open(str(path), 'w', format='ipod') as container:
        stream = container.add_stream('aac', rate=SAMPLE_RATE_HZ, layout='mono')
        frame = av.AudioFrame.from_ndarray(noise, format='fltp', layout='mono')
        frame.sample_rate = SAMPLE_RATE_HZ
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)


def write(root: Path) -> None:
    for seed, name in enumerate((*CLIPS, BROKEN)):
        coarse = np.random.default_rng(seed).integers(0, 256, (SECONDS * FPS, 7, 7, 3), dtype=np.uint8)
        write_video(root / 'dev' / 'mp4' / f'{name}.mp4', coarse.repeat(32, axis=1).repeat(32, axis=2), FPS)
        write_sound_of_mp4(root / 'dev' / 'aac' / f'{name}.m4a', seed)
    (root / 'dev' / 'aac' / f'{BROKEN}.m4a').write_bytes(b'')


CASE = CorpusCase(
    converter='voxceleb2',
    config='hicmae_base_pretrain_voxceleb2',
    root_variable='VOXCELEB2_ROOT',
    write=write,
    arguments=('--allow-missing',),
    sizes={'fold1': {'train': 4}},
    metrics=(),
)

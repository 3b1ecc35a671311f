from __future__ import annotations

import av
import cv2
import soundfile

from hicmae_mm.datasets.synthetic.noise import write_noise_clips


def test_videos_like_voxceleb2(tmp_path):
    annotation = write_noise_clips(tmp_path, as_video=True, num_clips=2, seconds=0.4)
    assert annotation.read_text() == 'clip_0.mp4 clip_0.wav 0\nclip_1.mp4 clip_1.wav 0\n'
    with av.open(str(tmp_path / 'clip_1.mp4')) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.frames, stream.codec.name) == (224, 224, 10, 'h264')
    assert soundfile.info(tmp_path / 'clip_1.wav').frames == 6400


def test_folders_of_frames(tmp_path):
    annotation = write_noise_clips(tmp_path, as_video=False, num_clips=1, seconds=0.2, label='0.5 0.1')
    assert annotation.read_text() == 'clip_0 clip_0.wav 0.5 0.1\n'
    frames = sorted((tmp_path / 'clip_0').iterdir())
    assert [path.name for path in frames] == [f'{number:05d}.jpg' for number in range(1, 6)]
    assert cv2.imread(str(frames[0])).shape == (256, 256, 3)

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from hicmae_mm.models.heads import RegressionHead
from hicmae_mm.models.losses import CCCLoss, SequenceCCCLoss
from hicmae_mm.models.losses.frames import sequence_ccc_loss
from hicmae_mm.structures import EmotionDataSample, Padded


def ccc(x: Tensor, y: Tensor) -> Tensor:
    """With a mean of products over variances of samples, as the published entry computes it."""
    spread = x.var() + y.var() + (x.mean() - y.mean()) ** 2
    return 2 * ((x - x.mean()) * (y - y.mean())).mean() / spread


def test_the_loss_of_a_head_is_the_mean_over_clips_without_padding_and_unknown_frames() -> None:
    torch.manual_seed(0)
    head = RegressionHead(
        4, 1, loss=dict(type='SequenceCCCLoss'), level='frame', target='mood', ignore=-5, norm=False, init_scale=50.0
    )
    clips = [torch.randn(7, 4), torch.randn(5, 4), torch.randn(3, 4)]
    moods = [torch.randn(len(clip), 1) for clip in clips]
    moods[0][2] = -5
    moods[2][1:] = -5  # one frame is left, which has no spread
    samples = []
    for mood in moods:
        sample = EmotionDataSample()
        sample.set_target('mood', mood)
        samples.append(sample)
    loss = head.loss(Padded.stack(clips), samples)['loss']
    known = [0, 1, 3, 4, 5, 6]
    first = 1 - ccc(head(clips[0])[known, 0], moods[0][known, 0])
    second = 1 - ccc(head(clips[1])[:, 0], moods[1][:, 0])
    torch.testing.assert_close(loss, (first + second) / 2, atol=1e-4, rtol=1e-4)
    loss.backward()
    assert head.fc.weight.grad.abs().sum() > 0


def test_one_clip_is_the_published_function_and_not_the_loss_over_a_batch() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(2, 6, 2)
    torch.testing.assert_close(SequenceCCCLoss()(x, y), sequence_ccc_loss(x[None], y[None]))
    numbers = torch.tensor([0, 0, 0, 1, 1, 1])
    assert abs(float(SequenceCCCLoss()(x, y, numbers) - 2 * CCCLoss()(x, y))) > 0.05
    assert float(SequenceCCCLoss()(x[:1], y[:1], numbers[:1])) == 0
    with pytest.raises(ValueError, match='differ in shape'):
        SequenceCCCLoss()(x, y[:3])

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from hicmae_mm.models.batch_augment import MixupCutmix, mirror_partners
from hicmae_mm.structures import EmotionDataSample, Padded


def _inputs(size: int = 4) -> dict[str, Tensor]:
    """Clip i is i everywhere, so that mixed values tell where they come from."""
    index = torch.arange(float(size)).view(-1, 1, 1, 1)
    return dict(
        video=index.unsqueeze(-1).expand(size, 3, 2, 16, 16).clone(), audio=index.expand(size, 1, 32, 8).clone()
    )


def _labelled(size: int = 4) -> list[EmotionDataSample]:
    return [EmotionDataSample().set_gt_label(i) for i in range(size)]


def _own_shares(samples: list[EmotionDataSample]) -> list[float]:
    return [float(sample.gt_score[i]) for i, sample in enumerate(samples)]


def test_mixup_blends_both_streams_and_the_labels_alike() -> None:
    np.random.seed(0)
    samples, inputs = _labelled(), _inputs()
    mixed = MixupCutmix(num_classes=4, cutmix_alpha=0.0)(inputs, samples)
    lam = _own_shares(samples)[0]
    assert 0 < lam < 1
    for i, sample in enumerate(samples):
        expected = torch.zeros(4)
        expected[i] += lam
        expected[3 - i] += 1 - lam
        torch.testing.assert_close(sample.gt_score, expected)
        value = lam * i + (1 - lam) * (3 - i)
        for stream in mixed.values():
            torch.testing.assert_close(stream[i], torch.full_like(stream[i], value))
    assert torch.equal(inputs['video'], _inputs()['video'])  # not changed


def test_cutmix_takes_a_box_of_the_video_and_the_same_share_of_time() -> None:
    for seed in range(20):
        np.random.seed(seed)
        samples = _labelled()
        mixed = MixupCutmix(num_classes=4, mixup_alpha=0.0)(_inputs(), samples)
        taken = mixed['video'][0] == 3
        assert torch.equal(taken | (mixed['video'][0] == 0), torch.ones_like(taken))
        assert torch.equal(taken, taken[:1, :1].expand_as(taken))  # every channel, every frame
        plane = taken[0, 0]
        rows, columns = plane.any(dim=1), plane.any(dim=0)
        assert torch.equal(plane, rows[:, None] & columns[None])  # a rectangle
        lam = 1 - plane.float().mean().item()
        np.testing.assert_allclose(_own_shares(samples), lam, rtol=1e-6)
        times = mixed['audio'][0, 0] == 3
        assert torch.equal(times, times[:, :1].expand_as(times))  # every mel bin
        positions = times[:, 0].nonzero().flatten()
        assert len(positions) == round((1 - lam) * 32)
        assert len(positions) == 0 or int(positions[-1] - positions[0]) == len(positions) - 1  # contiguous


def test_video_only_leaves_the_sound_alone_but_mixes_the_label() -> None:
    np.random.seed(0)
    for options in (dict(cutmix_alpha=0.0), dict(mixup_alpha=0.0)):
        samples = _labelled()
        mixed = MixupCutmix(num_classes=4, streams=('video',), **options)(_inputs(), samples)
        assert torch.equal(mixed['audio'], _inputs()['audio'])
        assert _own_shares(samples)[0] < 1


def test_sound_alone_can_be_mixed() -> None:
    np.random.seed(1)
    samples = _labelled()
    mixed = MixupCutmix(num_classes=4, mixup_alpha=0.0)(dict(audio=_inputs()['audio']), samples)
    assert _own_shares(samples)[0] == pytest.approx((mixed['audio'][0] == 0).float().mean().item())


def test_values_are_blended() -> None:
    np.random.seed(0)
    samples = [EmotionDataSample().set_gt_values([float(i), 1.0]) for i in range(3)]  # odd: the middle meets itself
    mixed = MixupCutmix(num_classes=None, cutmix_alpha=0.0)(_inputs(3), samples)
    for i, sample in enumerate(samples):
        torch.testing.assert_close(sample.gt_values, torch.stack([mixed['audio'][i, 0, 0, 0], torch.tensor(1.0)]))


def test_probabilities() -> None:
    np.random.seed(0)
    kinds = dict(none=0, mixup=0, cutmix=0)
    augment = MixupCutmix(num_classes=4, prob=0.8, switch_prob=0.25)
    for _ in range(400):
        video = augment(_inputs(), _labelled())['video']
        values = video[0].unique()
        kinds['none' if values.tolist() == [0] else 'cutmix' if set(values.tolist()) <= {0.0, 3.0} else 'mixup'] += 1
    assert kinds['none'] / 400 == pytest.approx(0.2, abs=0.06)  # a cutmix box may be empty
    assert kinds['cutmix'] / (kinds['cutmix'] + kinds['mixup']) == pytest.approx(0.25, abs=0.08)


def test_inputs_and_options_are_checked() -> None:
    with pytest.raises(ValueError, match='at least 0 and not both 0'):
        MixupCutmix(num_classes=4, mixup_alpha=0.0, cutmix_alpha=0.0)
    with pytest.raises(ValueError, match=r'prob must lie in 0\.\.1'):
        MixupCutmix(num_classes=4, prob=1.5)
    with pytest.raises(ValueError, match="mode must be one of .* got 'half'"):
        MixupCutmix(num_classes=4, mode='half')
    with pytest.raises(ValueError, match='cutmix_minmax must be two growing shares'):
        MixupCutmix(num_classes=4, cutmix_minmax=(0.5, 0.2))
    with pytest.raises(ValueError, match=r'one view per sample, got 4 views of video for 2 samples'):
        MixupCutmix(num_classes=4)(_inputs(4), _labelled(2))
    with pytest.raises(ValueError, match=r"none of the streams \('video',\) is in the batch"):
        MixupCutmix(num_classes=4, streams=('video',))(dict(audio=_inputs()['audio']), _labelled())


def test_classes_and_values_are_mixed_by_the_same_share() -> None:
    np.random.seed(0)
    samples = [sample.set_gt_values([float(i)]) for i, sample in enumerate(_labelled())]
    mixed = MixupCutmix(num_classes=4)(_inputs(), samples)
    for i, (sample, own) in enumerate(zip(samples, _own_shares(samples))):
        torch.testing.assert_close(sample.gt_values, torch.tensor([own * i + (1 - own) * (3 - i)]))
    assert mixed['video'].shape == (4, 3, 2, 16, 16)


@pytest.mark.parametrize('mode', ['pair', 'elem'])
@pytest.mark.parametrize('options', [dict(cutmix_alpha=0.0), dict(mixup_alpha=0.0)], ids=['mixup', 'cutmix'])
def test_pairs_or_clips_draw_their_own_share(mode: str, options: dict[str, float]) -> None:
    np.random.seed(3)
    samples = _labelled()
    mixed = MixupCutmix(num_classes=4, mode=mode, **options)(_inputs(), samples)
    shares = _own_shares(samples)
    for i, sample in enumerate(samples):
        content = (shares[i] * i + (1 - shares[i]) * (3 - i)) if 'mixup_alpha' not in options else None
        if content is not None:
            torch.testing.assert_close(mixed['audio'][i], torch.full_like(mixed['audio'][i], content))
        torch.testing.assert_close(mixed['video'][i].mean(), torch.tensor(shares[i] * i + (1 - shares[i]) * (3 - i)))
        assert float(sample.gt_score[3 - i]) == pytest.approx(1 - shares[i])
    assert shares[0] != shares[1]
    assert (shares[0] == pytest.approx(shares[3])) == (mode == 'pair')


def test_the_box_keeps_within_its_smallest_and_largest_side() -> None:
    sides = []
    for seed in range(10):
        np.random.seed(seed)
        mixed = MixupCutmix(num_classes=4, mixup_alpha=0.0, cutmix_minmax=(0.25, 0.75))(_inputs(), _labelled())
        taken = mixed['video'][0, 0, 0] == 3
        sides += [int(taken.any(dim=1).sum()), int(taken.any(dim=0).sum())]
    assert min(sides) >= 4
    assert max(sides) < 12


def test_nothing_is_mixed_where_all_clips_happen_to_lack_the_stream() -> None:
    samples, inputs = _labelled(), dict(audio=_inputs()['audio'])
    augment = MixupCutmix(num_classes=4, streams=('video',))
    assert torch.equal(augment(inputs, samples, dict(video=torch.zeros(4, dtype=torch.bool)))['audio'], inputs['audio'])
    assert torch.equal(torch.stack([sample.gt_score for sample in samples]), torch.eye(4))


def test_clips_are_mixed_among_those_with_the_same_streams() -> None:
    """0, 1 and 4 have both streams, 2 and 3 no sound, 5 no picture."""
    present = dict(
        video=torch.tensor([True, True, True, True, True, False]),
        audio=torch.tensor([True, True, False, False, True, True]),
    )
    inputs = {name: value * present[name].view(-1, *[1] * (value.ndim - 1)) for name, value in _inputs(6).items()}
    assert mirror_partners(6, ('video', 'audio'), present) == [4, 1, 3, 2, 0, 5]
    assert mirror_partners(6, ('video',), present) == [4, 1, 3, 2, 0, 5]
    assert mirror_partners(6, ('audio',), present) == [4, 1, 2, 3, 0, 5]  # 2 and 3 have nothing to mix
    for options in (dict(cutmix_alpha=0.0), dict(mixup_alpha=0.0)):
        np.random.seed(0)
        samples = _labelled(6)
        mixed = MixupCutmix(num_classes=6, **options)(inputs, samples, present)
        for i, partner in enumerate([4, 1, 3, 2, 0, 5]):
            assert float(samples[i].gt_score[i] + (samples[i].gt_score[partner] if partner != i else 0)) == 1
            for name, rows in present.items():
                if not rows[i]:
                    assert not mixed[name][i].any()
        assert torch.equal(mixed['audio'][5], inputs['audio'][5])


def test_a_third_stream_is_mixed_named_or_refused() -> None:
    features = torch.arange(4.0).view(4, 1, 1).expand(4, 5, 2).clone()
    inputs = {**_inputs(), 'text': features}
    with pytest.raises(ValueError, match=r"the batch has the streams \['text'\], which MixupCutmix does not know"):
        MixupCutmix(num_classes=4)(inputs, _labelled())
    with pytest.raises(ValueError, match=r'cutmix needs frames .* text has the shape \(4, 5, 2\); set cutmix_alpha=0'):
        MixupCutmix(num_classes=4, streams=('video', 'text'))(inputs, _labelled())
    np.random.seed(0)
    samples = _labelled()
    mixed = MixupCutmix(num_classes=4, cutmix_alpha=0.0, streams=('video', 'audio', 'text'))(inputs, samples)
    lam = _own_shares(samples)[0]
    torch.testing.assert_close(mixed['text'][0], torch.full((5, 2), 3 * (1 - lam)))
    kept = MixupCutmix(num_classes=4, untouched=('text',))(inputs, _labelled())
    assert kept['text'] is features


@pytest.mark.parametrize(
    ('value', 'what'),
    [(torch.zeros(4, 5, dtype=torch.int64), 'torch.int64'), (Padded.stack([torch.ones(2, 3)] * 4), 'a sequence')],
)
def test_what_cannot_be_mixed_is_refused(value: Tensor | Padded, what: str) -> None:
    mix = MixupCutmix(num_classes=4, cutmix_alpha=0.0, streams=('text',))
    with pytest.raises(ValueError, match=f'text cannot be mixed: it is {what}'):
        mix({'text': value}, _labelled())


def test_two_cameras_are_cut_alike() -> None:
    np.random.seed(3)
    inputs = {'face': _inputs()['video'], 'scene': _inputs()['video']}
    mixed = MixupCutmix(num_classes=4, mixup_alpha=0.0, streams=('face', 'scene'))(inputs, _labelled())
    assert torch.equal(mixed['face'], mixed['scene'])
    assert 0 < (mixed['face'][0] == 3).float().mean() < 1


def test_distributions_are_mixed_as_they_are() -> None:
    samples = [EmotionDataSample().set_gt_label(0).set_gt_score([0.75, 0.25]), *_labelled(2)[1:]]
    inputs = dict(audio=torch.stack([torch.zeros(1, 4, 4), torch.ones(1, 4, 4)]))
    mixed = MixupCutmix(num_classes=2, cutmix_alpha=0.0, streams=('audio',))(inputs, samples)
    own = 1 - float(mixed['audio'][0].mean())
    assert samples[0].gt_score.tolist() == pytest.approx([0.75 * own, 0.25 * own + 1 - own], abs=1e-6)

"""Stores what a model remembers of every training sample from one epoch to the next."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hicmae_mm.models.losses.gather import gather_in_order
from hicmae_mm.structures import EmotionDataSample


class SampleMemory(nn.Module):
    """Keeps one row of numbers for each sample of the training set, such as a target that is refined while training.

    Make it a part of a head or of an objective. The runner then sets its size by the training set, stores it in
    checkpoints, and restores it when the training resumes (``SampleMemoryHook``). Weights of a model do not contain it:
    testing and fine-tuning do not need it. All ranks exchange what they write in every step, so every rank knows every
    sample, and a training may resume on another number of ranks.

    The rows are no buffers, because averages of the weights and wrappers of the model must not touch them.

    Args:
        width: Numbers per sample.

    Attributes:
        rows: ``(N, width)``, one row per sample of the training set. It is empty until a training starts.
        is_written: ``(N,)`` bool, which rows have been written.

    Example:
        >>> from hicmae_mm.structures import EmotionDataSample
        >>> memory = SampleMemory(width=2)
        >>> memory.allocate(num_samples=4, device='cpu')
        >>> samples = [EmotionDataSample(metainfo=dict(sample_idx=3))]
        >>> memory.read(samples, default=torch.tensor([[0.5, 0.5]]))
        tensor([[0.5000, 0.5000]])
        >>> memory.write(samples, torch.tensor([[0.9, 0.1]]))
        >>> memory.read(samples, default=torch.tensor([[0.5, 0.5]]))
        tensor([[0.9000, 0.1000]])
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        if width < 1:
            raise ValueError(f'width must be at least 1, got {width}')
        self.width = width
        self.rows = torch.zeros(0, width)
        self.is_written = torch.zeros(0, dtype=torch.bool)

    def allocate(self, num_samples: int, device: torch.device | str) -> None:
        """Forgets everything, and makes room for a training set."""
        self.rows = torch.zeros(num_samples, self.width, device=device)
        self.is_written = torch.zeros(num_samples, dtype=torch.bool, device=device)

    def read(self, data_samples: Sequence[EmotionDataSample], default: Tensor) -> Tensor:
        """Rows of the samples of a batch.

        Args:
            data_samples: B samples of the training set.
            default: ``(B, width)``, the rows of samples that have not been written yet.

        Returns:
            ``(B, width)``.
        """
        places = self._places(data_samples)
        written = self.is_written[places].unsqueeze(1).to(default.device)
        return torch.where(written, self.rows[places].to(default), default)

    @torch.no_grad()
    def write(self, data_samples: Sequence[EmotionDataSample], rows: Tensor) -> None:
        """Stores rows of the samples of a batch, on all ranks. Every rank must call it in the same steps.

        If a sample is in the batch several times, its last row counts.

        Args:
            data_samples: B samples of the training set.
            rows: New rows ``(B, width)``.

        Raises:
            ValueError: If rows have another shape.
        """
        if rows.shape != (len(data_samples), self.width):
            raise ValueError(f'expected rows of shape {(len(data_samples), self.width)}, got {tuple(rows.shape)}')
        places = gather_in_order(self._places(data_samples))
        rows = gather_in_order(rows.detach().to(self.rows))
        order = torch.arange(places.shape[0], device=places.device)
        last = torch.where(places.unsqueeze(1) == places, order, -1).amax(dim=1)  # (B,)
        self.rows[places] = rows[last]
        self.is_written[places] = True

    def _places(self, data_samples: Sequence[EmotionDataSample]) -> Tensor:
        """Numbers of the samples in the training set, ``(B,)``."""
        places = [sample.get('sample_idx') for sample in data_samples]
        if None in places:
            raise ValueError(
                "a sample has no sample_idx, so nothing can be remembered of it; PackStreams must keep 'sample_idx' in "
                'meta_keys'
            )
        size = self.rows.shape[0]
        numbers = [int(place) for place in places]
        if size == 0:
            raise ValueError('a SampleMemory works in a training by AudioVisualRunner only, which sets its size')
        if min(numbers) < 0 or max(numbers) >= size:
            raise ValueError(f'sample_idx {max(numbers)} is not in the training set of {size} samples')
        return torch.tensor(numbers, device=self.rows.device)

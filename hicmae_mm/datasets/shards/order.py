"""In which order the clips of shards are read: pure functions of seed and epoch.

Shards are shuffled; the ranks take equal, contiguous parts of the row of clips that results, wherever in a shard they
begin; within a part, clips are shuffled in windows. Reading so moves through a shard from front to back, a window wide:
a shuffle buffer that holds no bytes.
"""

from __future__ import annotations

import numpy as np

_SHARDS, _WINDOWS = 1, 2  # different streams of random numbers


def rank_part(num_samples: int, num_ranks: int, rank: int) -> range:
    """Returns the share of a rank in a sequence of samples. The first ``num_samples % num_ranks`` ranks take one more.

    Args:
        num_samples: Number of samples N.
        num_ranks: R, at least 1.
        rank: Rank of the process, ``0..R-1``.
    """
    share, rest = divmod(num_samples, num_ranks)
    start = rank * share + min(rank, rest)
    return range(start, start + share + (rank < rest))


def shuffled_part(run_lengths: np.ndarray, part: range, seed: int, epoch: int, window: int) -> np.ndarray:
    """Samples of a part of an epoch, in the order in which they are read.

    Args:
        run_lengths: ``(shards,)`` number of samples of every shard; sample numbers run through all of them.
        part: Part of the sequence of shuffled shards; see :func:`rank_part`.
        seed: Seed of the training.
        epoch: Number of the epoch, from 0.
        window: Samples that are shuffled together, at least 1.

    Returns:
        ``(len(part),)`` int64 sample numbers.
    """
    shards = np.random.default_rng((_SHARDS, seed, epoch)).permutation(len(run_lengths))
    lengths = run_lengths[shards]
    ends = np.cumsum(lengths)
    firsts = (np.cumsum(run_lengths) - run_lengths)[shards]
    positions = np.arange(part.start, part.stop)
    slots = np.searchsorted(ends, positions, side='right')
    samples: np.ndarray = firsts[slots] + positions - (ends - lengths)[slots]
    random = np.random.default_rng((_WINDOWS, seed, epoch, part.start))
    # a phase, lest the same samples share a window in every epoch
    for start in range(int(random.integers(window)) - window, len(samples), window):
        random.shuffle(samples[max(start, 0) : start + window])
    return samples


def rank_order(
    run_lengths: np.ndarray,
    num_ranks: int,
    rank: int,
    seed: int,
    epoch: int,
    window: int = 1,
    shuffle: bool = True,
    round_up: bool = True,
) -> np.ndarray:
    """Samples of a rank in an epoch.

    Every sample is read by exactly one rank, once. With ``round_up``, ranks that would have one less than others read
    their first sample again at the end: fewer repetitions than ranks, none where ``num_ranks`` divides the number of
    samples, and equally many batches on every rank.

    Args:
        run_lengths: See :func:`shuffled_part`.
        num_ranks: Number of ranks R.
        rank: Rank of the process, ``0..R-1``.
        seed: Seed of the training.
        epoch: Number of the epoch, from 0.
        window: See :func:`shuffled_part`.
        shuffle: False: the order in which samples are stored, in every epoch.
        round_up: Whether all ranks get equally many.

    Returns:
        int64 sample numbers.
    """
    num_samples = int(run_lengths.sum())
    part = rank_part(num_samples, num_ranks, rank)
    samples = shuffled_part(run_lengths, part, seed, epoch, window) if shuffle else np.arange(part.start, part.stop)
    if not round_up or len(samples) == -(-num_samples // num_ranks):
        return samples
    again = samples[:1] if len(samples) else np.array([rank % num_samples])
    return np.concatenate([samples, again])

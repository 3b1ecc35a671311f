"""Speech encoders of torchaudio: wav2vec 2.0, HuBERT and WavLM on waveforms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hicmae_mm.models.encoders.base import EncoderOutput, ForeignEncoder
from hicmae_mm.models.encoders.expected_input import ExpectedInput
from hicmae_mm.models.encoders.waveforms import (
    mend_time_norms,
    normalize_waveforms,
    real_steps,
    waveforms_of,
)
from hicmae_mm.models.encoders.weight_file import load_weight_file
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import Padded, Stream, TokenMask

SAMPLE_RATE_HZ = 16000
_NORM_EPS = 1e-5  # of torchaudio's bundles
_KINDS = ('wav2vec2_', 'hubert_', 'wavlm_')


@MODELS.register_module()
class TorchaudioEncoder(ForeignEncoder):
    """Runs a speech encoder of torchaudio's bundles. Weights come from a local file, and nothing is downloaded.

    Args:
        name: Function of ``torchaudio.models`` that builds it, such as ``'wav2vec2_base'``, ``'hubert_large'``,
            ``'wavlm_base'``, or with all its arguments in ``options`` ``'wav2vec2_model'`` or ``'wavlm_model'``.
        weights: File with the weights of the bundle; None starts with random ones.
        options: Arguments of the function.
        normalize: Whether each waveform is normalised to mean 0 and variance 1. None does it where the convolutions
            have LayerNorm, as torchaudio's bundles do.
        init_cfg: MMEngine initialisation config.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the name is unknown, or the weights are those of another model.
    """

    gives_summary = False

    def __init__(
        self,
        name: str,
        weights: str | None = None,
        options: Mapping[str, Any] | None = None,
        normalize: bool | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        import torchaudio.models

        known = [key for key in dir(torchaudio.models) if key.startswith(_KINDS)]
        if name not in known:
            raise ValueError(f'name={name!r} is no speech encoder of torchaudio; known are {known}')
        net: Any = getattr(torchaudio.models, name)(**dict(options or {}))
        if weights is not None:
            load_weight_file(net, weights, ('aux',))
        net.aux = None
        super().__init__(net, layer_pattern=r'transformer\.layers\.(\d+)\.', init_cfg=init_cfg)
        self.reads_weights = weights is not None
        layers = net.encoder.transformer.layers
        self.embed_dims, self.depth = int(layers[0].final_layer_norm.normalized_shape[0]), len(layers)
        self._has_masks = not any(type(part).__name__ == 'WavLMSelfAttention' for part in net.modules())
        is_group = any(isinstance(part, nn.GroupNorm) for part in net.feature_extractor.modules())
        self.normalize = not is_group if normalize is None else normalize
        mend_time_norms(net)
        if weights is not None:
            self.expected_input = ExpectedInput(f'torchaudio for {name}', sample_rate_hz=SAMPLE_RATE_HZ)

    def forward(self, x: Stream, mask: Tensor | TokenMask | None = None) -> EncoderOutput:
        """Encodes waveforms at 16 kHz, ``(B, S)`` or ``Padded`` of them.

        Returns:
            The layers as ``extract_features`` of torchaudio gives them.

        Raises:
            ValueError: If there is a mask, or the waveform is too short.
        """
        if mask is not None:
            raise ValueError('TorchaudioEncoder takes no mask; it serves training and inference, not pre-training')
        waveform, lengths = waveforms_of(x)
        self._check_length(waveform.shape[1] if lengths is None else int(lengths.min()))
        if self.normalize:
            waveform = normalize_waveforms(waveform, lengths, _NORM_EPS)
        net: Any = self.net
        if lengths is None:
            layers = net.extract_features(waveform)[0]
            return EncoderOutput(layers[-1], tuple(layers))
        if not self._has_masks:  # WavLM of torchaudio knows no padding
            rows = [net.extract_features(row[None, :length])[0] for row, length in zip(waveform, lengths.tolist())]
            stacked = [Padded.stack([layer[0] for layer in group]) for group in zip(*rows)]
            return EncoderOutput(stacked[-1].values, tuple(part.values for part in stacked), stacked[-1].padding)
        first = net.feature_extractor.conv_layers[0]
        with real_steps(net, (lengths - first.kernel_size) // first.stride + 1):
            layers, num_tokens = net.extract_features(waveform, lengths)
        return EncoderOutput(layers[-1], tuple(layers), Padded(layers[-1], num_tokens).padding)

    def _check_length(self, num_samples: int) -> None:
        needed, net = 1, self.net
        convolutions: Any = net.feature_extractor
        for layer in reversed(convolutions.conv_layers):
            needed = (needed - 1) * layer.stride + layer.kernel_size
        if num_samples < needed:
            raise ValueError(f'a waveform of {num_samples} samples is too short, the encoder needs {needed}')

    def example_input(self, batch_size: int, generator: torch.Generator | None = None) -> Tensor:
        """See :meth:`BaseEncoder.example_input`; a second of sound."""
        return torch.randn(batch_size, SAMPLE_RATE_HZ, generator=generator)

"""Encoders of the package transformers, from a local folder."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn

from hicmae_mm.models.encoders.base import EncoderOutput, ForeignEncoder
from hicmae_mm.models.encoders.expected_input import expected_input, expected_text
from hicmae_mm.models.encoders.frames import EXAMPLE_FRAMES, check_frame_tokens, frames_of, join_frames, split_frames
from hicmae_mm.models.encoders.model_folder import build_model, read_model_config, read_preprocessing
from hicmae_mm.models.encoders.spectrograms import SPECTROGRAM_AXES, rows_of_patches, spectrogram_size
from hicmae_mm.models.encoders.waveforms import (
    RealGroupNorm,
    mend_time_norms,
    normalize_waveforms,
    real_steps,
    waveforms_of,
)
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import Padded, Stream, TokenMask

_EXAMPLE_SAMPLES, _EXAMPLE_WORDS = 16000, 20
_SAMPLE_RATE_HZ = 16000  # of folders that do not say it
_NORM_EPS = 1e-7  # of the library's feature extractor of waveforms
# kinds of which no real token depends on padding, given an attention mask; clips of others are encoded one by one
_MASKED_WAVEFORMS = ('wav2vec2', 'hubert', 'wavlm', 'unispeech', 'unispeech-sat')
# random masks and skipped layers would hide parameters from the gradients of some ranks
_NO_RANDOM_PARTS = {'apply_spec_augment': False, 'layerdrop': 0.0, 'encoder_layerdrop': 0.0}


@MODELS.register_module()
class TransformersEncoder(ForeignEncoder):
    """Runs an encoder of the package transformers with the weights of a local folder. Nothing is ever downloaded.

    The kind of the model decides what it takes:

    * Pictures (CLIP, SigLIP, DINOv2, DINOv3, ViT): frames, one by one. ``summary`` has one vector per frame: the
      model's own pooled output, or its class token.
    * Waveforms (wav2vec 2.0, HuBERT, WavLM): ``WholeTrack``'s, also of different lengths. Padding changes nothing.
    * Spectrograms (Whisper, CLAP, AST): those of ``ExtractorSpectrogram``, which reads the same folder.
    * Text (BERT, RoBERTa and their relatives): token ids of ``Tokenize``; ``summary`` is the first token.

    ``tokens`` are the model's last hidden states, and ``hidden`` those of every layer, exactly as the library returns
    them. A model whose layers differ in width (CLAP's audio branch) has only the last one.

    Args:
        path: Folder with ``config.json`` and ``model.safetensors``.
        config: Entries that replace those of ``config.json``. Without ``path`` it is the whole config, with a
            ``model_type``. With ``path`` and a ``model_type`` it says which model the folder must have.
        pretrained: Whether the folder's weights are loaded. False, or no ``path``, starts with random ones.
        part: Part of a model of several streams: ``'vision_model'``, ``'audio_model'``, ``'text_model'`` or
            ``'encoder'``. None takes the first one that the model has, in this order: vision, audio, encoder, text.
        tokens: Tokens of pictures: ``'patches'`` makes all patches of all frames tokens, ``'frames'`` one token of each
            frame.
        normalize: Whether each waveform is normalised to mean 0 and variance 1. None does what the folder's
            ``preprocessor_config.json`` says, or, without that file, normalises.
        checkpoint_activations: Whether the backward pass computes the layers again instead of storing them.
        init_cfg: MMEngine initialisation config.

    Raises:
        FileNotFoundError: If the folder, its config or its weights do not exist.
        ImportError: If transformers is not installed.
        ValueError: If the weights do not fit the config, or the kind of model is not supported.

    Example:
        >>> tiny = dict(hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=8, vocab_size=20)
        >>> encoder = TransformersEncoder(config=dict(tiny, model_type='bert'))
        >>> encoder(torch.tensor([[2, 7, 3]])).tokens.shape
        torch.Size([1, 3, 8])
    """

    def __init__(
        self,
        path: str | None = None,
        config: Mapping[str, Any] | None = None,
        pretrained: bool = True,
        part: str | None = None,
        tokens: str = 'patches',
        normalize: bool | None = None,
        checkpoint_activations: bool = False,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        check_frame_tokens(tokens)
        settings = read_model_config(path, config)
        for name, value in _NO_RANDOM_PARTS.items():
            if hasattr(settings, name):
                setattr(settings, name, value)
        reads_weights = pretrained and path is not None
        net: Any = build_model(path, settings, reads_weights, part)
        _remove_unused(net)
        super().__init__(net, layer_pattern=r'\blayers?\.(\d+)\.', init_cfg=init_cfg)
        self.tokens, self.reads_weights = tokens, reads_weights
        # not named config: peft would take this encoder for a model of the library
        self.model_config: Any = net.config
        self.kind = _kind_of(net)
        self.gives_summary = False if self.kind == 'input_values' else None  # waveforms
        preprocessing = read_preprocessing(path)
        self.expected_input = expected_input(str(path), self.kind, preprocessing)
        if self.kind == 'input_ids':
            self.expected_input = expected_text(path, self.model_config.vocab_size)
        if self.kind == 'input_values' and hasattr(self.model_config, 'conv_stride'):
            rate_hz = preprocessing.get('sampling_rate', _SAMPLE_RATE_HZ)
            self.token_seconds = math.prod(self.model_config.conv_stride) / rate_hz
        self.embed_dims = int(getattr(self.model_config, 'hidden_size', 0) or self.model_config.hidden_sizes[-1])
        # stages of different widths cannot be mixed, only the last one counts
        self.depth = 1 if hasattr(self.model_config, 'depths') else int(self.model_config.num_hidden_layers)
        self.normalize = bool(preprocessing.get('do_normalize', True)) if normalize is None else normalize
        self.checkpoint_activations = checkpoint_activations

    @property
    def checkpoint_activations(self) -> bool:
        """Returns whether the backward pass computes the layers again."""
        return any(getattr(part, 'gradient_checkpointing', False) for part in self.net.modules())

    @checkpoint_activations.setter
    def checkpoint_activations(self, value: bool) -> None:
        net: Any = self.net
        if value and net.supports_gradient_checkpointing:
            enable = getattr(net, 'activation_checkpointing_enable', None) or net.gradient_checkpointing_enable
            enable({'use_reentrant': False})
            for part in net.modules():  # a norm that gets its lengths from outside cannot be computed again
                if any(isinstance(child, RealGroupNorm) for child in part.children()):
                    part.gradient_checkpointing = False

    def forward(self, x: Stream, mask: Tensor | TokenMask | None = None) -> EncoderOutput:
        """Encodes a batch of the kind that the model takes.

        Raises:
            ValueError: If there is a mask, or the input is of another kind.
        """
        if mask is not None:
            raise ValueError('TransformersEncoder takes no mask; it serves training and inference, not pre-training')
        encode = {
            'pixel_values': self._encode_frames,
            'input_values': self._encode_waveforms,
            'input_features': self._encode_spectrograms,
            'input_ids': self._encode_text,
        }[self.kind]
        return encode(x)

    def _run(self, **inputs: Any) -> tuple[list[Tensor], Any]:
        """Runs the model: ``(B, K, D)`` per layer, and the library's own output."""
        output = self.net(**inputs, output_hidden_states=self.depth > 1, return_dict=True)
        last = output.last_hidden_state
        if last.ndim == 4:
            last = rearrange(last, 'b d h w -> b (h w) d')
        # hidden states begin with the embeddings; a last norm is only in the last hidden state
        between = list(output.hidden_states[1 : self.depth]) if self.depth > 1 else []
        return [*between, last], output

    def _encode_frames(self, x: Stream) -> EncoderOutput:
        images, padding = frames_of(x)
        layers, output = self._run(pixel_values=images)
        num_special = self._num_special_tokens(layers[-1], images)
        pooled = getattr(output, 'pooler_output', None)
        classes = [layer[:, 0] if num_special else layer.mean(dim=1) for layer in layers]
        summary = classes[-1] if pooled is None else pooled.flatten(1)
        patches = [layer[:, num_special:] for layer in layers]
        return join_frames(patches, classes, summary, padding, self.tokens, x.shape[0])

    def _num_special_tokens(self, tokens: Tensor, images: Tensor) -> int:
        """Returns the number of class and register tokens in front of the patches."""
        patch = getattr(self.model_config, 'patch_size', None)
        if (
            not isinstance(patch, int)
            or hasattr(self.model_config, 'depths')
            or hasattr(self.model_config, 'hidden_sizes')
        ):
            return 0  # convolutions, and windows of tokens
        return int(tokens.shape[1] - (images.shape[-2] // patch) * (images.shape[-1] // patch))

    def _encode_waveforms(self, x: Stream) -> EncoderOutput:
        waveform, lengths = waveforms_of(x)
        self._check_length(waveform.shape[1] if lengths is None else int(lengths.min()))
        if self.normalize:
            waveform = normalize_waveforms(waveform, lengths, _NORM_EPS)
        if lengths is None:
            layers, _ = self._run(input_values=waveform)
            return EncoderOutput(layers[-1], tuple(layers))
        net: Any = self.net
        if self.model_config.model_type in _MASKED_WAVEFORMS:
            layers = self._run_masked(waveform, lengths)
        else:
            rows = [self._run(input_values=row[None, :length])[0] for row, length in zip(waveform, lengths.tolist())]
            layers = [Padded.stack([layer[0] for layer in group]).values for group in zip(*rows)]
        num_tokens = net._get_feat_extract_output_lengths(lengths)
        return EncoderOutput(layers[-1], tuple(layers), Padded(layers[-1], num_tokens).padding)

    def _run_masked(self, waveform: Tensor, lengths: Tensor) -> list[Tensor]:
        steps = (lengths - self.model_config.conv_kernel[0]) // self.model_config.conv_stride[0] + 1
        with real_steps(self.net, steps):
            return self._run(input_values=waveform, attention_mask=~Padded(waveform, lengths).padding)[0]

    def _check_length(self, num_samples: int) -> None:
        needed = 1
        for kernel, stride in zip(reversed(self.model_config.conv_kernel), reversed(self.model_config.conv_stride)):
            needed = (needed - 1) * stride + kernel
        if num_samples < needed:
            raise ValueError(f'a waveform of {num_samples} samples is too short, the encoder needs {needed}')

    def _encode_spectrograms(self, x: Stream) -> EncoderOutput:
        size = spectrogram_size(self.model_config)
        if isinstance(x, Padded) or x.ndim != 4 or x.shape[1] != 1 or x.shape[-1] != size[1]:
            given = 'sequences of different lengths' if isinstance(x, Padded) else tuple(x.shape)
            raise ValueError(
                f'{self.model_config.model_type}: expected spectrograms (B, 1, {size[0]}, {size[1]}), got {given}; '
                'read them by WholeTrack and ExtractorSpectrogram, and pack them by PackStreams(arrays=...)'
            )
        features = rearrange(x, SPECTROGRAM_AXES[self.model_config.model_type])
        if self.model_config.model_type == 'audio-spectrogram-transformer':
            layers, _ = self._run(input_values=features)
            layers, first = [layer[:, 2:] for layer in layers], layers[-1][:, :2]  # class and distillation token
            return EncoderOutput(layers[-1], tuple(layers), summary=first.mean(dim=1, keepdim=True))
        layers, output = self._run(input_features=features)
        pooled = getattr(output, 'pooler_output', None)
        return EncoderOutput(layers[-1], tuple(layers), summary=None if pooled is None else pooled.unsqueeze(1))

    def _encode_text(self, x: Stream) -> EncoderOutput:
        ids, padding = (x.values, x.padding) if isinstance(x, Padded) else (x, None)
        if ids.ndim != 2 or ids.is_floating_point():
            raise ValueError(f'expected token ids (B, T) of Tokenize, got {ids.dtype} {tuple(ids.shape)}')
        if padding is not None:
            ids = ids.masked_fill(padding, getattr(self.model_config, 'pad_token_id', None) or 0)
        # without padding no mask: the library would look into it, which a count of operations cannot
        layers, _ = self._run(input_ids=ids, attention_mask=None if padding is None else (~padding).long())
        return EncoderOutput(layers[-1], tuple(layers), padding, layers[-1][:, :1])

    def split_steps(self, tokens: Tensor, x: Stream) -> Tensor:
        """See :meth:`BaseEncoder.split_steps`; a step is a frame, or a column of a spectrogram's patches."""
        if self.kind == 'pixel_values':
            return split_frames(tokens, x)
        rows = rows_of_patches(self.model_config)
        return tokens.unflatten(1, (rows, -1)).transpose(1, 2) if rows else super().split_steps(tokens, x)

    def example_input(self, batch_size: int, generator: torch.Generator | None = None) -> Stream:
        """See :meth:`BaseEncoder.example_input`; 16 frames, a second of sound, or 20 words."""
        if self.kind == 'pixel_values':
            size = self.model_config.image_size
            height, width = (size, size) if isinstance(size, int) else size
            return torch.randn(batch_size, 3, EXAMPLE_FRAMES, height, width, generator=generator)
        if self.kind == 'input_values':
            return torch.randn(batch_size, _EXAMPLE_SAMPLES, generator=generator)
        if self.kind == 'input_features':
            return torch.randn(batch_size, 1, *spectrogram_size(self.model_config), generator=generator)
        return torch.randint(3, self.model_config.vocab_size, (batch_size, _EXAMPLE_WORDS), generator=generator)


def _kind_of(net: nn.Module) -> str:
    """Returns what a model takes, by the library's own name of it."""
    config: Any = net.config
    kind = str(getattr(net, 'main_input_name', ''))
    if config.model_type in SPECTROGRAM_AXES:
        return 'input_features'
    is_picture = kind == 'pixel_values' and not hasattr(config, 'num_frames')
    is_known = is_picture or kind == 'input_ids' or (kind == 'input_values' and hasattr(config, 'conv_kernel'))
    if not is_known:
        raise ValueError(
            f'{type(net).__name__} takes {kind!r} and is not supported: pictures, waveforms, text, and the '
            f'spectrograms of {sorted(SPECTROGRAM_AXES)} are'
        )
    return kind


def _remove_unused(net: Any) -> None:
    """Takes away what this encoder never calls, and makes norms over time leave padding out."""
    if getattr(net, 'pooler', None) is not None:
        net.pooler = None  # of pre-trained models it is often random
    if hasattr(net, 'masked_spec_embed'):
        del net.masked_spec_embed
    for part in list(net.modules()):  # CLAP's way to merge several parts of a long clip
        if getattr(part, 'enable_fusion', False):
            part.enable_fusion = False
            for name in ('fusion_model', 'mel_conv2d'):
                if hasattr(part, name):
                    delattr(part, name)
    mend_time_norms(net)

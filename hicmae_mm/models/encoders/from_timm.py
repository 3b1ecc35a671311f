"""Encoders of pictures from the package timm, one picture per frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from hicmae_mm.models.encoders.base import EncoderOutput, ForeignEncoder
from hicmae_mm.models.encoders.expected_input import ExpectedInput
from hicmae_mm.models.encoders.frames import EXAMPLE_FRAMES, check_frame_tokens, frames_of, join_frames, split_frames
from hicmae_mm.models.encoders.weight_file import load_weight_file
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import Stream, TokenMask


@MODELS.register_module()
class TimmEncoder(ForeignEncoder):
    """Applies a backbone of timm to every frame. Weights come from a local file, and nothing is downloaded.

    Tokens are the model's features, cells of a feature map or patches without class token. ``summary`` has the model's
    pooled features of every frame. Only the last layer is given.

    Args:
        name: Name of the model, such as ``'resnet50'`` or ``'vit_base_patch16_224'``.
        weights: File with its weights; None starts with random ones.
        tokens: ``'frames'`` makes every frame one token, its pooled features. ``'patches'`` makes all cells of all
            frames tokens.
        options: Further arguments of ``timm.create_model``, such as ``dict(img_size=160)``.
        init_cfg: MMEngine initialisation config.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the name is unknown, or the weights are those of another model.

    Example:
        >>> encoder = TimmEncoder('resnet18', tokens='frames')
        >>> encoder(torch.zeros(1, 3, 2, 64, 64)).tokens.shape
        torch.Size([1, 2, 512])
    """

    depth = 1

    def __init__(
        self,
        name: str,
        weights: str | None = None,
        tokens: str = 'patches',
        options: Mapping[str, Any] | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        import timm  # takes a second

        check_frame_tokens(tokens)
        if not timm.is_model(name):
            near = ', '.join(timm.list_models(f'*{name.partition("_")[0]}*')[:5]) or 'timm.list_models() lists them'
            raise ValueError(f'timm has no model {name!r}; some that it has: {near}')
        net: Any = timm.create_model(name, pretrained=False, num_classes=0, **dict(options or {}))
        about = net.pretrained_cfg
        if weights is not None:
            classifier = about.get('classifier') or ()
            heads = (classifier,) if isinstance(classifier, str) else tuple(classifier)
            load_weight_file(net, weights, tuple(head.partition('.')[0] for head in heads))
        super().__init__(net, layer_pattern=r'\b(?:blocks|layers?|stages)\.?(\d+)\.', init_cfg=init_cfg)
        self.tokens, self.reads_weights = tokens, weights is not None
        self.embed_dims = int(net.head_hidden_size if tokens == 'frames' else net.num_features)
        self.gives_summary = bool(net.head_hidden_size == self.embed_dims)
        size = (options or {}).get('img_size', about['input_size'][-2:])
        self.image_size: tuple[int, int] = (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
        if weights is not None:
            mean, std = (tuple(255.0 * value for value in about[key]) for key in ('mean', 'std'))
            fixed = self.image_size if about.get('fixed_input_size') else None
            self.expected_input = ExpectedInput(f'timm for {name}', mean, std, fixed)

    def forward(self, x: Stream, mask: Tensor | TokenMask | None = None) -> EncoderOutput:
        """Encodes frames ``(B, 3, T, H, W)``, or ``Padded`` of ``(B, T, 3, H, W)``.

        Raises:
            ValueError: If there is a mask, or the input has another shape.
        """
        if mask is not None:
            raise ValueError('TimmEncoder takes no mask; it serves training and inference, not pre-training')
        images, padding = frames_of(x)
        net: Any = self.net
        features = net.forward_features(images)
        pooled = net.forward_head(features, pre_logits=True)
        if features.ndim == 4:
            is_last = getattr(net, 'output_fmt', 'NCHW') == 'NHWC'
            features = features.flatten(1, 2) if is_last else features.flatten(2).transpose(1, 2)  # (B*T, N, D)
        patches = features[:, getattr(net, 'num_prefix_tokens', 0) :]
        output = join_frames([patches], [pooled], pooled, padding, self.tokens, x.shape[0])
        return output if pooled.shape[-1] == self.embed_dims else output._replace(summary=None)

    def split_steps(self, tokens: Tensor, x: Stream) -> Tensor:
        """See :meth:`BaseEncoder.split_steps`; a step is a frame."""
        return split_frames(tokens, x)

    def example_input(self, batch_size: int, generator: torch.Generator | None = None) -> Tensor:
        """See :meth:`BaseEncoder.example_input`; 16 frames."""
        return torch.randn(batch_size, 3, EXAMPLE_FRAMES, *self.image_size, generator=generator)

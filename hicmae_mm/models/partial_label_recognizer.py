"""Defines a recognizer that learns from sets of candidate labels, by itself and a moving average of itself."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hicmae_mm.models.aggregators import BaseAggregator
from hicmae_mm.models.building import build_slot
from hicmae_mm.models.encoders import BaseEncoder
from hicmae_mm.models.fusion import BaseFusion
from hicmae_mm.models.heads import BaseHead, ClassificationHead
from hicmae_mm.models.partial_labels import PrototypeContrast, TargetRefinement, ViewScores, uniform_target
from hicmae_mm.models.recognizer import AudioVisualRecognizer
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import EmotionDataSample, Inputs, Padded, Presence, as_presence


@MODELS.register_module()
class PartialLabelRecognizer(AudioVisualRecognizer):
    """Learns from noisy partial labels: each clip has candidate classes, and even these may lack the true one.

    Sources: ARNet and ALIM (Lian et al., 2023), on the network of PiCO (Wang et al., 2022). The head is trained on a
    target over the candidates, which ``refinement`` moves from step to step. ``contrast`` draws embeddings of clips
    with the same pseudo-label together; keys come from a moving average of the network. Testing, exporting and
    everything else that is no training works as with :class:`AudioVisualRecognizer`.

    A clip may have several views (``MultiView``). The first one is learned from, the last one gives the keys, and
    ``refinement`` names those whose scores it needs. Annotations are candidate classes (``a|b``), a class, or a
    distribution, whose classes above 0 are the candidates.

    Args:
        encoders: An encoder for each stream.
        head: :class:`ClassificationHead` of level ``'clip'``, whose loss takes distributions, such as
            ``PartialLabelLoss``.
        refinement: :class:`LabelImportance` (ALIM) or :class:`CandidateCorrection` (ARNet); ``None`` takes all
            candidates as equal to the end.
        contrast: :class:`PrototypeContrast`; ``None`` only without ``refinement``.
        fusion: Fusion of the tokens of all streams.
        aggregator: Aggregator that computes one feature from all tokens.
        data_preprocessor: Module that moves and normalises batches.
        missing_streams: See :class:`AudioVisualRecognizer`.
        key_momentum: Share of the old weights in the moving average that computes keys.
        mixup_alpha: Parameter of the Beta distribution of an additional loss on mixed clips; 0: no such loss. Streams
            must be float tensors.
        frozen: Parts that are not trained; see :class:`AudioVisualModel`.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If the head is another one, or there is a refinement without contrast.

    Example:
        >>> import torch
        >>> from hicmae_mm.models import PartialLabelRecognizer
        >>> model = PartialLabelRecognizer(
        ...     encoders=dict(voice=dict(type='FeatureMLPEncoder', in_channels=6, widths=(8,))),
        ...     head=dict(type='ClassificationHead', num_classes=3, loss=dict(type='PartialLabelLoss')),
        ...     refinement=dict(type='LabelImportance', noise_rate=0.2),
        ...     contrast=dict(type='PrototypeContrast', dims=4, queue_size=16),
        ...     aggregator=dict(type='MeanPoolAggregator'),
        ... )
        >>> model(dict(voice=torch.randn(2, 6)), mode='tensor').shape
        torch.Size([2, 3])
    """

    num_updates: Tensor

    def __init__(
        self,
        encoders: Mapping[str, dict[str, Any] | BaseEncoder],
        head: dict[str, Any] | BaseHead,
        refinement: dict[str, Any] | TargetRefinement | None,
        contrast: dict[str, Any] | PrototypeContrast | None,
        fusion: dict[str, Any] | BaseFusion | None = None,
        aggregator: dict[str, Any] | BaseAggregator = {'type': 'HierarchicalFeatureAggregator'},  # noqa: B006
        data_preprocessor: dict[str, Any] | nn.Module | None = None,
        missing_streams: str = 'error',
        key_momentum: float = 0.999,
        mixup_alpha: float = 0.0,
        frozen: Sequence[str] = (),
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(
            encoders, head, fusion, aggregator, data_preprocessor, missing_streams, frozen=frozen, init_cfg=init_cfg
        )
        if not isinstance(self.head, ClassificationHead) or self.head.level != 'clip' or self.head.target != 'label':
            raise ValueError(
                'partial labels need a ClassificationHead of level "clip" and target "label", got '
                f'{type(self.head).__name__}'
            )
        if refinement is not None and contrast is None:
            raise ValueError("refinement needs the prototypes of contrast: contrast=dict(type='PrototypeContrast')")
        self.key_momentum, self.mixup_alpha = key_momentum, mixup_alpha
        facts = dict(num_classes=self.head.num_classes, in_channels=self.aggregator.out_channels)
        key_network = copy.deepcopy(self) if contrast is not None else None
        self.refinement: TargetRefinement | None = None
        self.contrast: PrototypeContrast | None = None
        if refinement is not None:
            self.refinement = build_slot(refinement, 'refinement', **facts)
        if contrast is not None:
            self.contrast = build_slot(contrast, 'contrast', **facts)
        self.key_network = self.key_projector = None
        if key_network is not None and self.contrast is not None:
            del key_network.head, key_network.data_preprocessor  # keys are features
            self.key_network = key_network.requires_grad_(False)
            self.key_projector = copy.deepcopy(self.contrast.projector).requires_grad_(False)
            self.register_buffer('num_updates', torch.zeros((), dtype=torch.long))
        self._has_keys = False

    def forward(
        self,
        inputs: Inputs,
        data_samples: list[EmotionDataSample] | None = None,
        present: Mapping[str, Tensor | Presence] | None = None,
        mode: str = 'tensor',
    ) -> dict[str, Tensor] | list[EmotionDataSample] | Tensor:
        """Runs one of MMEngine's three modes; see :meth:`AudioVisualRecognizer.forward`.

        In mode ``'loss'``, returns ``loss_labels``, ``loss_contrast`` and ``loss_mixup``, as far as they are in use,
        and moves the state: targets, prototypes, queue, and the network of the keys.

        Raises:
            ValueError: If :meth:`AudioVisualRecognizer.forward` refuses the input, or clips have different numbers of
                views.
        """
        if mode != 'loss' or not data_samples:
            return super().forward(inputs, data_samples, present, mode)
        assert isinstance(self.head, ClassificationHead)
        views = _Views(inputs, present, _num_views(data_samples))
        features, logits = self._predict(*views.get(0))
        annotated = annotated_candidates(data_samples, self.head.num_classes).to(logits.device)
        if self.refinement is None:
            candidates, target = annotated, uniform_target(annotated)
        else:
            candidates = self.refinement.candidates(data_samples, annotated)
            target = self.refinement.target(data_samples, candidates)
        losses: dict[str, Tensor] = {'loss_labels': self.head.criterion(logits, target)}
        if self.mixup_alpha > 0:
            losses['loss_mixup'] = self._mixup_loss(*views.get(0), target)
        if self.contrast is not None:
            queries, scores = self.contrast.embed(features), logits.detach().softmax(dim=1)
            scored = [ViewScores(scores, self.contrast.bank.scores(queries.detach()))]
            scored += [self._score(views, view) for view in self._further_views]
            losses['loss_contrast'] = self._contrast_loss(queries, self._keys(views), scores, candidates)
            if self.refinement is not None:
                self.refinement.update(data_samples, candidates, target, scored)
        return losses

    @property
    def _further_views(self) -> Sequence[int]:
        """Returns the views after the first one whose scores the refinement needs."""
        return () if self.refinement is None else self.refinement.views[1:]

    def _predict(self, inputs: Inputs, present: Mapping[str, Presence]) -> tuple[Tensor, Tensor]:
        """Computes features ``(B, D)`` and logits ``(B, C)`` of one view."""
        features = self.extract_features(inputs, present)
        assert isinstance(features, Tensor)
        return features, self.head(features).float()

    @torch.no_grad()
    def _score(self, views: _Views, view: int) -> ViewScores:
        """Computes the scores of a view that is not learned from."""
        assert self.contrast is not None
        features, logits = self._predict(*views.get(view))
        return ViewScores(logits.softmax(dim=1), self.contrast.bank.scores(self.contrast.embed(features)))

    def _contrast_loss(self, queries: Tensor, keys: Tensor, scores: Tensor, candidates: Tensor) -> Tensor:
        """Computes the loss of queries and keys ``(B, D)``; then moves prototypes and queue."""
        assert self.contrast is not None
        importance: float | Tensor = 0.0 if self.refinement is None else self.refinement.importance
        labels = self.contrast.bank.pseudo_labels(scores, candidates, importance)
        epoch = self.contrast.labelled_from if self.refinement is None else self.refinement.epoch
        loss = self.contrast.loss(queries, keys, labels, epoch)
        self.contrast.remember(queries, keys, labels)
        return loss

    @torch.no_grad()
    def _keys(self, views: _Views) -> Tensor:
        """Moves the network of the keys towards the trained one, and computes the keys ``(B, D)`` of the last view."""
        assert self.contrast is not None
        assert self.key_network is not None
        assert self.key_projector is not None
        if not self._has_keys:  # also after a checkpoint was loaded; read once, since it may lie on a device
            self._has_keys = int(self.num_updates) > 0
        momentum = self.key_momentum if self._has_keys else 0.0
        pairs = [(part, self.get_parameter(name)) for name, part in self.key_network.named_parameters()]
        pairs += zip(self.key_projector.parameters(), self.contrast.projector.parameters(), strict=True)
        for old, new in pairs:
            old.lerp_(new, 1 - momentum)
        self.num_updates += 1
        self._has_keys = True
        features = self.key_network.extract_features(*views.get(views.num_views - 1))
        return self.contrast.embed(features, self.key_projector)

    def _mixup_loss(self, inputs: Inputs, present: Mapping[str, Presence], target: Tensor) -> Tensor:
        """Computes the loss of clips that are mixed with each other, against targets that are mixed alike."""
        assert isinstance(self.head, ClassificationHead)
        share = float(np.random.beta(self.mixup_alpha, self.mixup_alpha))
        share = max(share, 1 - share)
        order = torch.randperm(target.shape[0]).to(target.device)
        mixed: dict[str, Tensor] = {}
        for name, x in inputs.items():
            if isinstance(x, Padded) or not x.is_floating_point() or name in present:
                raise ValueError(
                    f'{name} cannot be mixed: it is a sequence, has whole numbers, or some clips lack it; set '
                    'mixup_alpha=0'
                )
            mixed[name] = x[order].lerp(x, share)
        _, logits = self._predict(mixed, present)
        loss: Tensor = self.head.criterion(logits, target[order].lerp(target, share))
        return loss


class _Views:
    """Holds the views of the clips of a batch, which are neighbouring rows.

    Args:
        inputs: Input by stream, ``(B * num_views, ...)``.
        present: Which rows have a stream, for streams that some rows lack.
        num_views: Views of each clip.
    """

    def __init__(self, inputs: Inputs, present: Mapping[str, Tensor | Presence] | None, num_views: int) -> None:
        self.inputs, self.num_views = inputs, num_views
        self.present = {name: as_presence(value, name) for name, value in (present or {}).items()}

    def get(self, view: int) -> tuple[Inputs, dict[str, Presence]]:
        """Returns the inputs ``(B, ...)`` of a view, and which clips have the streams that some lack.

        Raises:
            ValueError: If the clips have fewer views.
        """
        if view >= self.num_views:
            raise ValueError(
                f'view {view} is needed, but the clips have {self.num_views} views; end the training pipeline with '
                'MultiView of as many pipelines, or name other views in refinement'
            )
        if self.num_views == 1:
            return self.inputs, self.present
        inputs = {name: self._rows(x, view) for name, x in self.inputs.items()}
        present = {}
        for name, presence in self.present.items():
            is_there = ~presence.padding(1)[view :: self.num_views, 0].cpu()  # (B,)
            present[name] = Presence.from_bool(is_there, name).to(presence.rows.device)
        return inputs, present

    def _rows(self, x: Tensor | Padded, view: int) -> Tensor | Padded:
        if isinstance(x, Padded):
            return x.index_select(0, torch.arange(view, x.shape[0], self.num_views, device=x.device))
        return x[view :: self.num_views]


def _num_views(data_samples: Sequence[EmotionDataSample]) -> int:
    """Returns the number of views that all clips have.

    Raises:
        ValueError: If clips have different numbers of views.
    """
    counts = {int(sample.get('num_views', 1)) for sample in data_samples}
    if len(counts) > 1:
        raise ValueError(f'all clips of a batch must have as many views, got {sorted(counts)}')
    return counts.pop()


def annotated_candidates(data_samples: Sequence[EmotionDataSample], num_classes: int) -> Tensor:
    """Returns the candidates of the annotation, ``(B, C)`` bool: a set, the classes of a distribution, or one class.

    Raises:
        ValueError: If a clip has no label.
    """
    rows = []
    for sample in data_samples:
        if 'gt_candidates' in sample:
            rows.append(sample.target('candidates').bool())
        elif 'gt_score' in sample:
            rows.append(sample.gt_score > 0)
        elif 'gt_label' in sample:
            rows.append(F.one_hot(sample.gt_label[0], num_classes).bool())
        else:
            raise ValueError(f'{sample.get("sample_id", "a clip")} has no label; give candidates a|b or a class')
    return torch.stack(rows)

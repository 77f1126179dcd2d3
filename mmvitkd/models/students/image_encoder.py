"""ImageEncoder: a student without labels, which turns images into embeddings and tokens."""

from typing import Any, ClassVar

from mmpretrain.models import ImageClassifier
from mmpretrain.structures import DataSample
from torch import Tensor

from ...registry import MODELS
from ...utils.errors import KeyedValueError
from ..utils.adapters import adapter_for
from ..utils.features import to_embedding
from ..utils.remedy import Remedy

OUT_TYPES = (None, 'raw', 'featmap')  # those with the patch tokens; Swin has no out_type


@MODELS.register_module()
class ImageEncoder(ImageClassifier):  # type: ignore[misc]  # MMPretrain is untyped
    """A backbone without a head and without a label loss: what it learns is distilled.

    Its embedding is the class token after the final norm; without a class token, or where a
    remedy's neck widens the tokens, it is the mean of the patch tokens. ``pairs`` of
    :class:`~mmvitkd.models.algorithms.FeatureDistill` call it ``'embedding'``, and the patch
    tokens ``'tokens'``.

    Args:
        backbone: A backbone of MMPretrain; of a ViT, with ``out_type='raw'``.
        neck: A remedy, such as ``mmvitkd.LiftProjector``, or None.
        head: None: there is none.
        data_preprocessor: The config of the data preprocessor.
        init_cfg: MMEngine's initialisation config.

    Raises:
        ValueError: If there is a head or another neck, or the backbone returns no patch tokens.
    """

    # Without a head, which returns what this is made of; see `encode`.
    mmpretrain_equivalent: ClassVar[dict[str, Any]] = dict(type='ImageClassifier')

    def __init__(
        self,
        backbone: dict[str, Any],
        neck: dict[str, Any] | None = None,
        head: None = None,
        data_preprocessor: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        if head is not None:
            raise KeyedValueError(
                f'{{architecture.head}}={head!r}: an ImageEncoder has none; wanted None.',
                'architecture.head',
            )
        super().__init__(backbone, neck, data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        if self.neck is not None and not isinstance(self.neck, Remedy):
            raise KeyedValueError(
                f'{{architecture.neck}}={type(self.neck).__name__}: an ImageEncoder pools the '
                'patch tokens itself; wanted None, or a remedy.',
                'architecture.neck',
            )
        out_type = getattr(self.backbone, 'out_type', None)
        if out_type not in OUT_TYPES:
            raise KeyedValueError(
                f'{{architecture.backbone.out_type}}={out_type!r}: this backbone returns no '
                "patch tokens; wanted 'raw'.",
                'architecture.backbone.out_type',
            )

    def forward(
        self,
        inputs: Tensor,
        data_samples: list[DataSample] | None = None,
        mode: str = 'tensor',
    ) -> Any:
        """Run one of MMEngine's modes.

        Args:
            inputs: (B, 3, H, W), normalised.
            data_samples: The data samples of the images.
            mode: 'tensor', 'predict' or 'loss'.

        Returns:
            The embedding (B, C) and the patch tokens (B, N, C), row by row; the data samples
            with their ``embedding`` (C,); or no losses: an empty dict.
        """
        if mode == 'tensor':
            return encode(self, inputs)
        return super().forward(inputs, data_samples, mode)

    def loss(self, inputs: Tensor, data_samples: list[DataSample]) -> dict[str, Tensor]:
        """Compute the features, which a distillation records, and no loss."""
        self.extract_feat(inputs)
        return {}

    def predict(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None, **kwargs: Any
    ) -> list[DataSample]:
        """Return the data samples of the images, each with its ``embedding`` (C,)."""
        embeddings, _ = encode(self, inputs)
        samples = data_samples or [DataSample() for _ in inputs]
        for sample, embedding in zip(samples, embeddings, strict=True):
            sample.set_field(embedding, 'embedding')
        return samples


def encode(model: ImageClassifier, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the embedding (B, C) and the patch tokens (B, N, C) of a model without a head.

    Args:
        model: An :class:`ImageEncoder`, or an ``ImageClassifier`` of the same parts.
        images: (B, 3, H, W), normalised.
    """
    feats = model.extract_feat(images)
    _, extra, pool, _ = adapter_for(model).features['embedding']
    assert pool is not None
    tokens = feats[0] if model.neck is not None else feats[-1]
    if tokens.dim() == 4:
        tokens = tokens.flatten(2).transpose(1, 2)
    elif model.neck is None:
        tokens = tokens[:, extra or 0 :]
    return to_embedding(feats, pool, extra), tokens

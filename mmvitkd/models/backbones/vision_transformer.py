"""MMPretrain's Vision Transformer with timm's DeiT initialisation."""

from typing import Any, ClassVar

from mmcv.cnn.bricks.drop import DropPath
from mmpretrain.models import backbones as mmpretrain
from torch.nn.init import normal_, trunc_normal_

from ...registry import MODELS
from .initialization import init_linears_and_norms, mark_blocks_as_initialised


@MODELS.register_module()
class VisionTransformer(mmpretrain.VisionTransformer):  # type: ignore[misc]  # untyped base
    """MMPretrain's ``VisionTransformer``, initialised as timm initialises DeiT.

    The plain baseline of arXiv 2511.15572 and the base of its Lift student. Arguments,
    outputs and parameter names are MMPretrain's. Three things differ:

    - ``init_weights()`` draws every Linear, the FFN's too, from a truncated normal of
      std 0.02 with zero bias, ``pos_embed`` likewise and ``cls_token`` from a normal of
      std 1e-6; LayerNorms start at 1 and 0, the patch convolution with PyTorch's default,
      layer scales as configured. An ``init_cfg`` runs after that, its ``Pretrained``
      last. (MMPretrain alone: Xavier for the FFN, PyTorch's default for qkv, a zero
      class token.)
    - ``train()`` and ``eval()`` return the module.
    - Drop-path rates are Python floats: NumPy's break the graph of ``torch.compile``.

    Args:
        *args: Those of MMPretrain's ``VisionTransformer``.
        **kwargs: The same, by name.
    """

    mmpretrain_equivalent: ClassVar[dict[str, Any]] = dict(type='VisionTransformer')

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for module in self.modules():
            if isinstance(module, DropPath):
                module.drop_prob = float(module.drop_prob)

    def init_weights(self) -> None:
        """Initialise as described above, then run ``init_cfg``, ``Pretrained`` last."""
        if not self.is_init:
            init_linears_and_norms(self)
            self._init_tokens()
            mark_blocks_as_initialised(self)
        # Skip MMPretrain's override, which redraws pos_embed after a list of init_cfg has
        # loaded pretrained weights.
        super(mmpretrain.VisionTransformer, self).init_weights()

    def _init_tokens(self) -> None:
        trunc_normal_(self.pos_embed, std=0.02)
        if self.cls_token is not None:
            normal_(self.cls_token, std=1e-6)

    def train(self, mode: bool = True) -> 'VisionTransformer':
        """Set the training mode and return the module (MMPretrain's returns None)."""
        super().train(mode)
        return self

"""Train with timm's distillation tasks, in the loop of timm's own training script."""

from typing import Any

from bare_loop import LEARNING_RATE
from timm.optim import create_optimizer_v2
from timm.task import FeatureDistillationTask, LogitDistillationTask
from timm.task.distillation import DistillationTeacher
from torch import Tensor, nn
from training_pair import TrainingPair


class TimmInterface(nn.Module):
    """Give the student the attributes that timm's tasks use; it adds no work.

    Args:
        student: MMPretrain's classifier.
        pair: The pair that it belongs to.
    """

    def __init__(self, student: Any, pair: TrainingPair) -> None:
        super().__init__()
        self.student = student
        mean, std = (
            [round(x / 255, 6) for x in numbers.flatten().tolist()]
            for numbers in pair.normalization()
        )
        self.pretrained_cfg = dict(mean=mean, std=std)
        self.num_classes, self.in_chans = student.head.num_classes, 3
        self.num_features = student.head.in_channels

    def forward_features(self, images: Tensor) -> Any:
        """Return the input of the head."""
        return self.student.extract_feat(images)

    def forward_head(self, features: Any, pre_logits: bool = False) -> Tensor:
        """Return logits (B, K), or the input of the classifier (B, C)."""
        head = self.student.head
        return head.pre_logits(features) if pre_logits else head(features)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, K)."""
        return self.student(images)


class TimmTask:
    """One of timm's tasks on the same two networks.

    Args:
        pair: The pair to train.
        features: Whether to use the feature task instead of the logits task.

    Raises:
        ValueError: If the teacher is not a timm model.
    """

    def __init__(self, pair: TrainingPair, features: bool = False) -> None:
        network = getattr(pair.teacher(), 'model', None)
        if not hasattr(network, 'pretrained_cfg'):
            raise ValueError('--pair: timm.task wants a timm model as the teacher.')
        self.pair = pair
        self.mean, self.std = pair.normalization()
        recipe, student = pair.recipe, TimmInterface(pair.student().to(pair.device), pair)
        options: dict[str, Any] = dict(
            student_model=student,
            teacher_model=DistillationTeacher(network.to(pair.device), device=pair.device),
            criterion=nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing),
            task_loss_weight=recipe.label_weight,
            device=pair.device,
            verbose=False,
        )
        if features:
            weight = recipe.feature_weight
            self.task: Any = FeatureDistillationTask(**options, distill_loss_weight=weight)
        else:
            weight, t = recipe.kd_weight, recipe.temperature
            self.task = LogitDistillationTask(
                **options, distill_loss_weight=weight, temperature=t
            )
        self.task.to(pair.device).train()
        self.optimizer = create_optimizer_v2(
            self.task.get_trainable_module(),
            opt='adamw',
            lr=LEARNING_RATE,
            weight_decay=recipe.weight_decay,
            betas=recipe.betas,
        )

    def batch(self) -> tuple[Tensor, Tensor]:
        """Return a batch as timm's loader does before it normalises on the device."""
        return self.pair.plain_batch()

    def step(self, batch: tuple[Tensor, Tensor]) -> None:
        """Train on a batch."""
        self._result(batch)['loss'].backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def loss(self) -> float:
        """Return the loss of the batch, without a step."""
        return self._result(self.batch())['loss'].item()

    def _result(self, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        images, labels = (x.to(self.pair.device, non_blocking=True) for x in batch)
        images = (images.float() - self.mean) / self.std
        with self.pair.autocast():
            return self.task(images, labels)

"""Sequential PatchCore for anomalib's Engine: how the model of `torch_model` is trained, stopped and judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from anomalib import LearningType
from anomalib.data import Batch
from anomalib.metrics import Evaluator
from anomalib.models.components import AnomalibModule
from anomalib.post_processing import PostProcessor
from anomalib.pre_processing import PreProcessor
from anomalib.visualization import Visualizer
from lightning.pytorch.utilities.types import STEP_OUTPUT
from torch import Tensor, nn
from torch.utils.data import RandomSampler

from anomaly.coreset import CHUNK
from anomaly.features import BACKBONE, FeatureExtractor
from anomaly.screen import full_precision
from anomaly.torch_model import BANK_SIZE, SequentialPatchcoreModel

EPOCHS = 5  # seed 003, section V.B
LIGHTNING_EPOCHS = 1000  # what Lightning puts in place of a number of epochs that nobody gave


class SequentialPatchcore(AnomalibModule):
    """Sequential PatchCore (seed 003): several epochs over good images, ending early when one changes nothing.

    The thresholds of best F1 on the validation images are anomalib's. `epochs` counts where the trainer's own
    `max_epochs` is not given. The order of the images follows from `seed` and the epoch alone.
    """

    def __init__(
        self,
        backbone: str = BACKBONE,
        pretrained: bool = False,
        weights: str | None = None,
        size: int = BANK_SIZE,
        epochs: int = EPOCHS,
        seed: int = 0,
        chunk: int = CHUNK,
        pre_processor: nn.Module | bool = True,
        post_processor: nn.Module | bool = True,
        evaluator: Evaluator | bool = True,
        visualizer: Visualizer | bool = True,
    ) -> None:
        super().__init__(pre_processor, post_processor, evaluator, visualizer)
        if epochs < 1:
            raise ValueError(f"epochs is {epochs}; expected at least 1")
        self.epochs, self.seed = epochs, seed
        extractor = FeatureExtractor(
            backbone, pretrained=pretrained, weights=Path(weights) if weights else None, seed=seed
        )
        self.model: SequentialPatchcoreModel = SequentialPatchcoreModel(extractor, size, chunk)
        self._accepted = 0

    @staticmethod
    def configure_optimizers() -> None:
        """None: nothing is learnt by gradients."""

    @staticmethod
    def configure_post_processor() -> PostProcessor:
        """Normalisation and the thresholds of best F1 on the validation images."""
        return PostProcessor()

    @classmethod
    def configure_pre_processor(cls, image_size: tuple[int, int] | None = None) -> PreProcessor:
        """Resize to `image_size` (256 × 256 when not given) and normalise as ImageNet."""
        return AnomalibModule.configure_pre_processor(image_size)

    def on_fit_start(self) -> None:
        if self.trainer.max_epochs == LIGHTNING_EPOCHS:
            self.trainer.fit_loop.max_epochs = self.epochs

    def on_train_epoch_start(self) -> None:
        self._accepted = 0
        sampler = getattr(self.trainer.train_dataloader, "sampler", None)
        if isinstance(sampler, RandomSampler):
            sampler.generator = torch.Generator().manual_seed((self.seed << 20) + self.current_epoch)

    def training_step(self, batch: Batch, *args: Any, **kwargs: Any) -> Tensor:
        """Offer the batch's patches to the bank, at once: validation runs before the epoch's end is announced."""
        del args, kwargs
        self._accepted += self.model.update(batch.image)
        return torch.zeros((), device=self.device, requires_grad=True)  # Lightning counts steps by losses

    def on_train_epoch_end(self) -> None:
        self.log("accepted", float(self._accepted), prog_bar=True)
        if self._accepted == 0:
            self.trainer.should_stop = True

    def validation_step(self, batch: Batch, *args: Any, **kwargs: Any) -> STEP_OUTPUT:
        del args, kwargs
        return self._judged(batch)

    def test_step(self, batch: Batch, *args: Any, **kwargs: Any) -> STEP_OUTPUT:
        del args, kwargs
        return self._judged(batch)

    def predict_step(self, batch: Batch, *args: Any, **kwargs: Any) -> STEP_OUTPUT:
        del args, kwargs
        return self._judged(batch)

    def _judged(self, batch: Batch) -> Batch:
        with full_precision(batch.image.device):
            return batch.update(**self.model(batch.image.float())._asdict())

    @property
    def trainer_arguments(self) -> dict[str, Any]:
        """No sanity check, since the bank is still empty then, and one device; the epochs stay the user's."""
        return {"gradient_clip_val": 0, "num_sanity_val_steps": 0, "devices": 1}

    @property
    def learning_type(self) -> LearningType:
        return LearningType.ONE_CLASS

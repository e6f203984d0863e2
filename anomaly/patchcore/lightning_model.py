"""Sequential PatchCore for anomalib's Engine: how the model of `torch_model` is trained, stopped and evaluated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
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

from anomaly.backbone.normalisation import IMAGENET_DEVIATION, IMAGENET_MEAN, normalised
from anomaly.backbone.patch_extractor import BACKBONE, patch_extractor
from anomaly.evaluation.anomalib_metrics import BinnedPostProcessor, binned_evaluator
from anomaly.inspection.augmentation import Augmentation
from anomaly.inspection.inspector import Inspector, source_of
from anomaly.patchcore.coreset import UNKNOWN
from anomaly.patchcore.distance_bounds import full_precision
from anomaly.patchcore.nearest_row import CHUNK
from anomaly.patchcore.torch_model import BANK_SIZE, SequentialPatchcoreModel

EPOCHS = 5  # [Mao 2025], section V.B
LIGHTNING_EPOCHS = 1000  # what Lightning puts in place of a number of epochs that nobody gave


class SequentialPatchcore(AnomalibModule):
    """Sequential PatchCore ([Mao 2025]): several epochs over good images, ending early when one changes nothing.

    `epochs` counts where the trainer's own `max_epochs` is not given. The order of the images follows from `seed` and
    the epoch alone. start: folder of an inspector that `blemish train` made, to go on from: its backbone, bank and
    size are taken, and the settings of these are not looked at. augmentation: as [Mao 2025] does, in every epoch.
    """

    def __init__(
        self,
        backbone: str = BACKBONE,
        pretrained: bool = False,
        weights: str | None = None,
        size: int = BANK_SIZE,
        epochs: int = EPOCHS,
        seed: int = 0,
        start: str | None = None,
        augmentation: bool = False,
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
        if start is None:
            extractor = patch_extractor(
                backbone, pretrained=pretrained, weights=Path(weights) if weights else None, seed=seed
            )
            self.model: SequentialPatchcoreModel = SequentialPatchcoreModel(extractor, size, chunk)
        else:
            begun = Inspector.load(start)
            self.model = begun.patchcore
            self.model.chunk = chunk
            self.model.coreset.generation = begun.training.generation + 1
            # A checkpoint holds bank and backbone: it is loaded without that folder.
            taken = {"backbone": begun.training.backbone, "size": begun.training.size, "pretrained": False}
            self.hparams.update({**taken, "weights": None, "start": None})
        self._augmentation = Augmentation() if augmentation else None
        self._accepted = 0
        self._sources: dict[str, int] = {}

    @staticmethod
    def configure_optimizers() -> None:
        """None: nothing is learnt by gradients."""

    @staticmethod
    def configure_post_processor() -> PostProcessor:
        """Normalisation and the thresholds of best F1 on the validation images, in constant memory."""
        return BinnedPostProcessor()

    @staticmethod
    def configure_evaluator() -> Evaluator:
        """anomalib's usual figures and AUPRO, in constant memory."""
        return binned_evaluator()

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

    def training_step(self, batch: Batch, batch_idx: int, *args: Any, **kwargs: Any) -> Tensor:
        """Offer the batch's patches to the bank, at once: validation runs before the epoch's end is announced."""
        del args, kwargs
        images, paths = batch.image, batch.image_path or [""] * len(batch.image)
        if self._augmentation is not None:
            images = torch.cat([self._augmented(image, (batch_idx, index)) for index, image in enumerate(images)])
        self._accepted += self.model.update(images, sources=[self._source(str(path)) for path in paths])
        return torch.zeros((), device=self.device, requires_grad=True)  # Lightning counts steps by losses

    def _augmented(self, image: Tensor, place: tuple[int, int]) -> Tensor:
        """(1, 3, H, W) an ImageNet-normalised image (3, H, W), changed at random as its place in the epoch decides."""
        assert self._augmentation is not None
        rng = np.random.default_rng([self.seed, self.current_epoch, *place])
        mean, deviation = (
            torch.tensor(values, device=image.device)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_DEVIATION)
        )
        levels = ((image.float() * deviation + mean).clamp(0, 1) * 255).round().byte()
        changed, _ = self._augmentation(levels.permute(1, 2, 0).cpu().numpy(), None, rng)
        return normalised(changed).to(image.device)

    def _source(self, path: str) -> int:
        """By which the bank knows a picture that is a file."""
        if path not in self._sources:
            self._sources[path] = source_of(Path(path)) if Path(path).is_file() else UNKNOWN
        return self._sources[path]

    def on_train_epoch_end(self) -> None:
        self.log("accepted", float(self._accepted), prog_bar=True)
        if self._accepted == 0:
            self.trainer.should_stop = True

    def validation_step(self, batch: Batch, *args: Any, **kwargs: Any) -> STEP_OUTPUT:
        del args, kwargs
        return self._predicted(batch)

    def test_step(self, batch: Batch, *args: Any, **kwargs: Any) -> STEP_OUTPUT:
        del args, kwargs
        return self._predicted(batch)

    def predict_step(self, batch: Batch, *args: Any, **kwargs: Any) -> STEP_OUTPUT:
        del args, kwargs
        return self._predicted(batch)

    def _predicted(self, batch: Batch) -> Batch:
        with full_precision(batch.image.device):
            return batch.update(**self.model(batch.image.float())._asdict())

    @property
    def trainer_arguments(self) -> dict[str, Any]:
        """No sanity check, since the bank is still empty then, and one device; the epochs stay the user's."""
        return {"gradient_clip_val": 0, "num_sanity_val_steps": 0, "devices": 1}

    @property
    def learning_type(self) -> LearningType:
        return LearningType.ONE_CLASS

"""Detectors of anomalib as `benchmarks/detectors.py` trains them: EfficientNet-Lite0 with its ImageNet weights from the
package, pictures squeezed to 256 by 256 pixels as anomalib does, no download.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from anomaly.backbone.evaluate import far_from
from anomaly.backbone.normalisation import normalised
from anomaly.backbone.packaged_weights import EFFICIENTNET_LITE0
from scenes.formats.sample import GOOD, Sample

SIDE = 256  # pixels
LAYERS = ["blocks.2", "blocks.4"]  # strides 8 and 16, which ours takes
BATCH = 8


def extractor(trained: bool = True, learns: bool = False) -> Any:
    """Anomalib's feature extractor on EfficientNet-Lite0, with the package's weights or with random ones."""
    from anomalib.models.components import TimmFeatureExtractor
    from safetensors.torch import load_file

    made = TimmFeatureExtractor(EFFICIENTNET_LITE0.model, LAYERS, pre_trained=False, requires_grad=learns)
    if trained:
        weights = load_file(EFFICIENTNET_LITE0.file_of_weights())
        made.feature_extractor.load_state_dict({name: weights[name] for name in made.feature_extractor.state_dict()})
    return made.eval()


def squeezed(image: NDArray[np.uint8]) -> Tensor:
    """(1, 3, SIDE, SIDE), ImageNet-normalised, of an image (H, W, 3)."""
    return functional.interpolate(normalised(image), (SIDE, SIDE), mode="bilinear", antialias=True)


class Detector:
    """What of anomalib's detectors is alike: pictures in, maps of the pictures' own size out."""

    needs_good_pictures = True
    model: Any = None

    def __init__(self, device: str = "cpu") -> None:
        import_module("anomalib.models")  # half a minute that is no part of training
        self.device = device

    def fit(self, bank: Sequence[Sample], rows: int, seed: int) -> None:
        raise NotImplementedError

    @torch.inference_mode()
    def predict(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.float32], float]:
        """The map (H, W) of an image (H, W, 3), and its score."""
        found = self.model(squeezed(image).to(self.device))
        maps = functional.interpolate(found.anomaly_map, image.shape[:2], mode="bilinear", align_corners=False)
        return maps[0, 0].cpu().numpy(), float(found.pred_score)


class Patchcore(Detector):
    """Patchcore [Roth 2022]; where pictures have defects, what lies clear of them fills the bank."""

    needs_good_pictures = False

    def fit(self, bank: Sequence[Sample], rows: int, seed: int) -> None:
        from anomalib.models.image.patchcore.torch_model import PatchcoreModel

        torch.manual_seed(seed)  # anomalib's sampling has no generator of its own
        self.model = PatchcoreModel(LAYERS, EFFICIENTNET_LITE0.model, pre_trained=False)
        self.model.feature_extractor = extractor()
        self.model.to(self.device).train()
        with torch.inference_mode():
            kept = [
                self.model(squeezed(sample.image()).to(self.device))[clear_cells(sample, SIDE // 8).to(self.device)]
                for sample in bank
            ]
        self.model.embedding_store[:] = kept
        every = sum(map(len, kept))
        self.model.subsample_embedding(min(1.0, rows / every))
        self.model.eval()


class Padim(Detector):
    """PaDiM [Defard 2021], 100 features of a patch."""

    def fit(self, bank: Sequence[Sample], rows: int, seed: int) -> None:
        from anomalib.models.image.padim.torch_model import PadimModel

        torch.manual_seed(seed)
        self.model = PadimModel(EFFICIENTNET_LITE0.model, LAYERS, pre_trained=False, n_features=100)
        self.model.feature_extractor = extractor()
        self.model.to(self.device).train()
        self.model.feature_extractor.eval()
        for sample in bank:
            self.model(squeezed(sample.image()).to(self.device))
        self.model.fit()
        self.model.eval()


class StudentTeacher(Detector):
    """STFPM [Wang 2021], its optimiser and learning rate as anomalib has them, `STEPS` steps."""

    STEPS = 200

    def fit(self, bank: Sequence[Sample], rows: int, seed: int) -> None:
        import timm
        from anomalib.models.image.stfpm.loss import STFPMLoss
        from anomalib.models.image.stfpm.torch_model import STFPMModel

        torch.manual_seed(seed)
        # By name it would fetch weights; a network without any keeps the place of both.
        self.model = STFPMModel(LAYERS, timm.create_model("efficientnet_lite0"))
        self.model.teacher_model, self.model.student_model = extractor(), extractor(trained=False, learns=True)
        self.model.to(self.device)
        loss = STFPMLoss()
        optimiser = torch.optim.SGD(self.model.student_model.parameters(), 0.4, momentum=0.9, weight_decay=0.001)
        pictures = torch.cat([squeezed(sample.image()) for sample in bank]).to(self.device)
        rng = np.random.default_rng(seed)
        self.model.train()
        self.model.teacher_model.eval()
        for _ in range(self.STEPS):
            chosen = rng.choice(len(pictures), min(BATCH, len(pictures)), replace=False)
            teacher, student = self.model(pictures[chosen])
            optimiser.zero_grad()
            loss(teacher, student).backward()
            optimiser.step()
        self.model.eval()


def clear_cells(sample: Sample, cells: int) -> Tensor:
    """(cells²,) bool, cells of the squeezed picture that no defect is near."""
    if sample.label == GOOD:
        return torch.ones(cells * cells, dtype=torch.bool)
    mask = torch.from_numpy(sample.truth().defect)[None, None].float()
    return far_from(functional.adaptive_max_pool2d(mask, (cells, cells)))

"""An inspector as one graph of tensors: a picture in, as a camera gives it, and map, score and verdict out."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from anomaly.backbone.normalisation import IMAGENET_DEVIATION, IMAGENET_MEAN, standardised
from anomaly.backbone.resampling import antialiased
from anomaly.backbone.vision_transformer import VisionTransformer
from anomaly.inspection.computing import PROCESSOR
from anomaly.inspection.inspector import DETECTORS, Inspector, InspectorError
from anomaly.inspection.tiles import Size, Tile, scaled_mask_part, scaled_size, tiles_of
from scenes.version import blemish_version

INPUT, OUTPUTS = "picture", ("anomaly_map", "score", "is_flawed")
MOST_TILES = 64  # parts of one graph


class Answer(NamedTuple):
    """anomaly_map (H, W) float32; score () float32, its maximum; is_flawed () bool: that it reaches the threshold."""

    anomaly_map: Any
    score: Any
    is_flawed: Any


class AnsweringModel(nn.Module):
    """What `Inspector.predict` does to RGB pictures (H, W, 3) uint8 of one size, and the verdict.

    size: height and width; by default those of the inspector's regions, or of its `pixel_size`. half_precision: the
    backbone's weights and products in float16; all that follows stays float32. Pictures that the inspector looks at in
    tiles are looked at in the same ones, each of them a part of the graph.

    Raises:
        InspectorError: the inspector has no threshold, or the size is missing, another than its regions', or so large
            that it would take more than MOST_TILES tiles.
    """

    valid_mask: Tensor | None
    own_thresholds: Tensor | None
    factors: Tensor | None

    def __init__(self, inspector: Inspector, size: Size | None = None, half_precision: bool = False) -> None:
        super().__init__()
        training, regions = inspector.training, inspector.regions
        if training.threshold is None:
            raise InspectorError(
                "the inspector has no threshold, so that it cannot say what is flawed; give it one: "
                "blemish bank INSPECTOR --threshold good:1% --validation GOOD_PICTURES --out NEW"
            )
        size = size or _known_size(inspector)
        if size is None:
            raise InspectorError("--size is missing: an exported inspector takes pictures of one size, as 2448x2050")
        inspector.looked_at(None, size)  # refuses another size than the regions'
        self.size, self.scaled_size = size, scaled_size(size, training.scale)
        self.tiles = tiles_of(self.scaled_size, inspector.tile)
        if len(self.tiles) > MOST_TILES:
            raise InspectorError(
                f"pictures of {size[1]}x{size[0]} are looked at as {self.scaled_size[1]}x{self.scaled_size[0]} pixels "
                f"in {len(self.tiles)} tiles, an exported inspector takes {MOST_TILES} at most; train with a smaller "
                "--image-size or a larger --tile, or cut the pictures"
            )
        self.model = deepcopy(inspector.on(PROCESSOR).model).eval()
        self.half_precision = half_precision
        if half_precision:
            self.model.extractor.half()  # type: ignore[attr-defined]
        self.extractors = nn.ModuleDict()
        for tile in self.tiles:
            name = _size_name(tile)
            if name not in self.extractors:
                self.extractors[name] = _for_size(self.model.extractor, _seen_size(tile))
        self.threshold = float(np.float32(training.threshold))
        valid_mask = None if regions is None else scaled_mask_part(regions.levels > 0, self.scaled_size, _all())
        self.register_buffer("valid_mask", valid_mask)
        own = np.full(size, np.nan, np.float32)
        factors = np.ones(size, np.float32)
        if regions is not None:
            factors = (regions.levels > 0).astype(np.float32)
            for level, threshold in regions.thresholds.items():
                own[regions.levels == level] = threshold
                factors[regions.levels == level] = self.threshold / threshold
        self.register_buffer("own_thresholds", None if regions is None else torch.from_numpy(own))
        self.register_buffer("factors", None if regions is None else torch.from_numpy(factors))

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What an `Answer` holds, in its order."""
        values = picture.permute(2, 0, 1)[None].float() / 255
        if self.scaled_size != self.size:
            values = antialiased(values, self.scaled_size)
        images = standardised(values)
        maps = self.model.pixels(self._distances(images), self.scaled_size, self.valid_mask)
        if self.scaled_size != self.size:
            maps = functional.interpolate(maps, self.size, mode="bilinear", align_corners=False)
        anomaly_map = maps[0, 0] if self.factors is None else self._of_regions(maps[0, 0])
        score = anomaly_map.amax(dim=(0, 1))
        return anomaly_map, score, score >= self.threshold

    def _distances(self, images: Tensor) -> Tensor:
        """(1, 1, h, w) of every patch, tile by tile."""
        stride, rows = self.model.extractor.strides[0], dict[int, list[Tensor]]()
        for tile in self.tiles:
            seen = images[..., tile.seen[0], tile.seen[1]]
            grid = self.extractors[_size_name(tile)](seen.half() if self.half_precision else seen).float()
            (down, _), within = tile.cells(stride)
            rows.setdefault(down.start, []).append(self.model.distances_of(grid)[..., within[0], within[1]])
        return torch.cat([torch.cat(row, dim=3) for row in rows.values()], dim=2)

    def _of_regions(self, anomaly_map: Tensor) -> Tensor:
        """As `Regions.scaled`."""
        assert self.factors is not None
        assert self.own_thresholds is not None
        scaled = anomaly_map * self.factors
        below = float(np.nextafter(np.float32(self.threshold), np.float32(-np.inf)))
        held = torch.where(
            anomaly_map >= self.own_thresholds, scaled.clamp_min(self.threshold), scaled.clamp_max(below)
        )
        return torch.where(self.own_thresholds.isnan(), scaled, held)


def described(inspector: Inspector, model: AnsweringModel) -> Mapping[str, Any]:
    """What a file says of the inspector within, as plain values."""
    training = inspector.training
    (height, width), pixel_size = model.size, training.pixel_size
    return {
        "blemish": blemish_version(),
        "input": {
            "name": INPUT,
            "shape": [height, width, 3],
            "type": "uint8",
            "channels": "RGB",
            "white_level": 255,
            "scaled_within_to": list(model.scaled_size),
            "normalised_within_by": {"mean": list(IMAGENET_MEAN), "deviation": list(IMAGENET_DEVIATION)},
        },
        "outputs": {
            "anomaly_map": {"shape": [height, width], "type": "float32"},
            "score": {"shape": [], "type": "float32", "is": "the highest value of the map"},
            "is_flawed": {"shape": [], "type": "bool", "is": "whether the score reaches the threshold"},
        },
        "threshold": model.threshold,
        "threshold_origin": training.threshold_origin,
        "region_thresholds": {str(level): value for level, value in training.region_thresholds.items()},
        "metres_per_pixel": pixel_size and pixel_size.metres * pixel_size.width / width,
        "half_precision": model.half_precision,
        "backbone": training.backbone,
        "weights": training.weights,
        "weights_sha256": training.weights_digest,
        "detector": DETECTORS[training.detector],
        "bank_rows": inspector.rows,
    }


def _seen_size(tile: Tile) -> Size:
    height, width = (side.stop - side.start for side in tile.seen)
    return height, width


def _size_name(tile: Tile) -> str:
    return "x".join(map(str, _seen_size(tile)))


def _for_size(extractor: Any, size: Size) -> nn.Module:
    """The extractor for what is that large: the same weights, positions of vision transformers their own."""
    shared = {id(tensor): tensor for tensor in chain(extractor.parameters(), extractor.buffers())}
    fitted: nn.Module = deepcopy(extractor, shared)
    for part in fitted.modules():
        if isinstance(part, VisionTransformer):
            part.fix_size(*size)
    return fitted


def _known_size(inspector: Inspector) -> Size | None:
    if inspector.levels is not None:
        return inspector.levels.shape[0], inspector.levels.shape[1]
    known = inspector.training.pixel_size
    return None if known is None else (known.height, known.width)


def _all() -> tuple[slice, slice]:
    return slice(None), slice(None)

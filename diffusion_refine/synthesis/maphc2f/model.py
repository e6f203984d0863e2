"""A trained MaPhC2F on disk: both networks' weights in half precision, and beside them what they are for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from diffusion_refine.synthesis.maphc2f.networks import Networks, NetworkShape
from diffusion_refine.synthesis.maphc2f.options import Wavelet
from diffusion_refine.synthesis.maphc2f.references import References
from diffusion_refine.training.sealed_network import WEIGHTS, SealedNetwork

EMBEDDED_FOLDER = Path(__file__).parents[2] / "embedded" / "maphc2f"  # the model that ships
FILES = SealedNetwork("maphc2f", "blemish_maphc2f", 1, "blemish train-generator maphc2f DATASET --out MODEL")


@dataclass(frozen=True, eq=False)
class Model:
    """networks: in evaluation mode. references: of the defects it was trained with. sha256: of the file of weights."""

    networks: Networks
    wavelet: Wavelet
    references: References
    sha256: str


def save_model(
    networks: Networks, wavelet: Wavelet, references: References, training: Mapping[str, Any], folder: Path
) -> None:
    """Write a model into a folder that may hold other things; its record comes last."""
    record = {
        "wavelet": wavelet,
        "network": asdict(networks.shape),
        "references": references.by_class,
        "training": training,
    }
    FILES.save(networks, record, folder)


def load_model(folder: Path, device: str | None = None) -> Model:
    """The model that `save_model` wrote. Raises ModelError for a folder that holds none, or a damaged one."""
    record = FILES.load_record(folder)
    networks = Networks(NetworkShape(**record["network"]))
    FILES.load_weights(networks, folder, device)
    references = References({name: tuple(map(tuple, values)) for name, values in record["references"].items()})
    return Model(networks, Wavelet(record["wavelet"]), references, record[WEIGHTS])

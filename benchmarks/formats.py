"""What every format keeps of a dataset's labels: written, read again, and counted.

    python benchmarks/formats.py [--quick] [--frames 50] [--json FILE]

The dataset is drawn, not rendered: the shipped recipe `plate` on a picture of noise, with cracks, scratches, dents and
bumps, and stains, fingerprints, dust and fibres over them. Formats that Blemish reads are imported again into a
dataset, and every picture of it is compared with that which it was; the two others are compared as their files say.
"""

import argparse
import json
import sys
import tarfile
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import Figure, report
from diffusion_refine.synthesis.loop import carry_out
from diffusion_refine.synthesis.procedural.method import procedural_synthesis
from diffusion_refine.synthesis.procedural.photograph_frames import PhotographFrames
from procgen.errors import BlemishNote
from scenes import load_recipe
from scenes.formats.blemish import FrameOfDataset
from scenes.formats.exchange.export import Export, write_export
from scenes.formats.exchange.importing import write_import
from scenes.formats.exchange.loss import Kept, kept, percent
from scenes.formats.registry import FORMATS, WRITERS, read_samples
from scenes.formats.truth import DefectInstance, Truth, of_instances
from scenes.pictures.run_lengths import decoded

SIZE = (320, 240)
WAYS = [("coco", ""), ("labelme", "mask"), ("labelme", "polygon"), ("yolo", "polygon"), ("yolo", "oriented-box")]
WAYS += [("yolo", "box"), ("mvtec", ""), ("visa", ""), ("huggingface", ""), ("webdataset", "")]

warnings.simplefilter("ignore", BlemishNote)


def drawn(folder: Path, frames: int) -> Path:
    """A dataset of a recipe's layers on one picture of noise."""
    recipe = load_recipe("plate")
    recipe = recipe.model_copy(update={"camera": recipe.camera.model_copy(update={"resolution": SIZE})})
    grey = np.random.default_rng(0).normal(140, 5, (*SIZE[::-1], 3)).clip(0, 255).astype(np.uint8)
    photograph = folder.with_name("noise.png")
    Image.fromarray(grey).save(photograph)
    carry_out(procedural_synthesis(PhotographFrames([photograph], recipe, frames, 7)), folder)
    return folder


def under(sample) -> tuple[DefectInstance, ...]:
    return sample.annotation.under_others() if isinstance(sample.annotation, FrameOfDataset) else ()


def imported(source: Path, exported: Path, format: str, back: Path) -> Kept:
    """What the dataset that an export is imported into keeps. Frames are told apart by their pixels."""
    write_import(exported, format, read_samples(exported, format), back, load_recipe("plate"))
    before = {sample.image().tobytes(): sample for sample in read_samples(source)}
    total = Kept()
    for sample in read_samples(back):
        was = before.pop(sample.image().tobytes())  # KeyError for a picture whose pixels changed
        total += kept(was.truth(), sample.truth(), under(was), under(sample))
    assert not before, f"{len(before)} pictures did not come back"
    return total


def streamed(source: Path, exported: Path) -> Kept:
    """What the records say that `datasets` and WebDataset hand to a training."""
    total = Kept()
    samples = {sample.name: sample for sample in read_samples(source)}
    for record in records(exported):
        was = samples.pop(record["name"])
        instances = record["instances"] if isinstance(record["instances"], list) else json.loads(record["instances"])
        shape = record["height"], record["width"]
        back = [
            DefectInstance(each["class"], each["family"], decoded(each["segmentation"], shape)) for each in instances
        ]
        total += kept(was.truth(), of_instances(back, shape), under(was))
    assert not samples
    return total


def records(exported: Path) -> Iterator[dict]:
    for path in exported.glob("*/metadata.jsonl"):
        yield from map(json.loads, path.read_text(encoding="utf-8").splitlines())
    for path in exported.glob("*.tar"):
        with tarfile.open(path) as archive:
            for member in archive:
                if member.name.endswith(".json"):
                    yield json.load(archive.extractfile(member))


def row(format: str, shape: str, source: Path, folder: Path) -> dict[str, Figure]:
    name = f"{format} {shape}".strip()
    exported = folder / name.replace(" ", "-")
    write_export(source, read_samples(source), exported, Export(format, shape))
    found = imported(source, exported, format, exported.with_name(f"{exported.name}-back")) if format in FORMATS else (
        streamed(source, exported)
    )  # fmt: skip
    return {
        "format": name,
        "instances": found.instances,
        "found": found.found,
        "same": found.same,
        "pixels": f"{percent(found.moved, found.marked):.2g} %",
        "of defects": f"{percent(found.defects_moved, found.defects_marked):.2g} %",
        "of other classes": f"{percent(found.renamed, found.marked):.2g} %",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="6 frames")
    parser.add_argument("--frames", type=int, default=50)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    assert {format for format, _ in WAYS} == set(WRITERS)
    with tempfile.TemporaryDirectory() as temporary:
        source = drawn(Path(temporary) / "parts", 6 if options.quick else options.frames)
        truths: list[Truth] = [sample.truth() for sample in read_samples(source)]
        print(f"{len(truths)} frames, {sum(len(truth.instances) for truth in truths)} instances")
        report([row(format, shape, source, Path(temporary)) for format, shape in WAYS], options.json)


if __name__ == "__main__":
    main()

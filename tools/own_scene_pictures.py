"""Make the pictures of docs/own_scene.md: a frame of each example scene, beside it with its masks.

python tools/own_scene_pictures.py
"""

import argparse
import sys
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from blender_addon import render_dataset
from tools.example_scenes.making import EXAMPLES, write
from tools.pictures import overlaid, side_by_side

SEED, SAMPLES, PERCENT = 1, 6, 60  # the file's denoiser sees to the rest
FRAMES = {"own_gear": 2}  # both of its views; one of the others


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("out/own_scene"), help="folder for scenes and datasets")
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--scene", choices=EXAMPLES, action="append", help="one of the scenes alone")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    for name in options.scene or EXAMPLES:
        path = write(name, options.work)
        bpy.context.scene.render.resolution_percentage = PERCENT
        bpy.ops.wm.save_as_mainfile(filepath=str(path.resolve()))
        recipe, folder = path.with_suffix(".yaml"), options.work / name
        dataset = render_dataset(recipe, folder, FRAMES.get(name, 1), options.seed, samples=SAMPLES, blend=path)
        pictures = [np.asarray(picture) for frame in dataset for picture in (frame.image, overlaid(frame))]
        side_by_side(pictures[:1] + pictures[-1:]).save(options.out / f"own_scene_{name}.jpg", quality=88)


if __name__ == "__main__":
    main()

"""Time of the sequential coreset against the bare matrix products that any exhaustive search needs.

    python benchmarks/coreset.py [--patches 50000] [--size 2048] [--epochs 5] [--threads 1] [--features FILE.npy]

Without --features the patches are points of a curved 6-dimensional sheet in 152 dimensions with a little noise, offered
in pieces of one picture each (4928, as of 612 × 512 pixels).
"""

import argparse
import time

import numpy as np
import torch

from anomaly.coreset import LARGEST_BLOCK, SequentialCoreset

PICTURE = 4928
DIMENSIONS = 152


def sheet(patches: int) -> torch.Tensor:
    rng = np.random.default_rng(0)
    latent = rng.standard_normal((patches, 6))
    waves = np.sin(latent @ rng.standard_normal((6, 64)) + rng.uniform(0, 6.28, 64))
    features = waves @ rng.standard_normal((64, DIMENSIONS)) + 0.05 * rng.standard_normal((patches, DIMENSIONS))
    return torch.from_numpy(features.astype(np.float32))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patches", type=int, default=50_000)
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--features", help="an .npy file of float32 features (N, D), say of real pictures")
    settings = parser.parse_args()
    torch.set_num_threads(settings.threads)
    loaded = settings.features and torch.from_numpy(np.load(settings.features))
    features = loaded if settings.features else sheet(settings.patches)
    coreset = SequentialCoreset(settings.size)
    total = 0.0
    for epoch in range(settings.epochs):
        begin = time.perf_counter()
        accepted = sum(coreset.update(piece) for piece in features.split(PICTURE))
        seconds = time.perf_counter() - begin
        total += seconds
        print(f"epoch {epoch + 1}: {accepted:6d} accepted, {1e6 * seconds / len(features):6.2f} µs a patch")
    bank = coreset.bank
    begin = time.perf_counter()
    for piece in features.split(LARGEST_BLOCK):
        torch.mm(piece, bank.T)
    products = (time.perf_counter() - begin) * settings.epochs
    print(f"matrix products alone: {1e6 * products / settings.epochs / len(features):.2f} µs a patch")
    print(f"{settings.epochs} epochs: {total:.2f} s, {total / products:.2f} times the products")


if __name__ == "__main__":
    main()

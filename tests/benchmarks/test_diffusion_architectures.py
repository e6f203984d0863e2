"""The shapes against the published sizes of the models."""

import pytest
import torch

from benchmarks.diffusion_architectures import parts
from tests.diffusion_refine.conftest import word_tokenizer

# Parameters of the published checkpoints.
PUBLISHED = {
    "sd15": {"unet": 859_520_964, "vae": 83_653_863, "text_encoder": 123_060_480},
    "sd21": {"unet": 865_910_724, "vae": 83_653_863, "text_encoder": 340_387_840},
    "sdxl": {
        "unet": 2_567_463_684,
        "vae": 83_653_863,
        "text_encoder": 123_060_480,
        "text_encoder_2": 694_659_840,
    },
}


@pytest.mark.parametrize("family", PUBLISHED)
def test_every_network_has_as_many_weights_as_the_published_one(family):
    with torch.device("meta"):
        found = parts(family, word_tokenizer())
    assert {name: sum(weight.numel() for weight in part.parameters()) for name, part in found.items()} == PUBLISHED[
        family
    ]

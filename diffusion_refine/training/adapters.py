"""Low-rank additions to a UNet's attention (LoRA): made, kept beside a model, and merged into its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")  # what additions are made to


def add_adapter(unet: Any, rank: int, seed: int) -> None:
    """Low-rank additions to the UNet's attention, nothing to begin with; they alone want gradients afterwards."""
    from peft import LoraConfig

    with torch.random.fork_rng():  # peft draws from the one generator of the program
        torch.manual_seed(seed)
        unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=list(ATTENTION), init_lora_weights=True))


def merge_adapter(pipeline: Any, folder: Path) -> None:
    """Keep the additions in a folder, as `load_lora_weights` of any pipeline reads them; add them to the weights."""
    from peft import get_peft_model_state_dict

    layers = {name: value.half() for name, value in get_peft_model_state_dict(pipeline.unet).items()}
    pipeline.save_lora_weights(folder, unet_lora_layers=layers)
    pipeline.unet.fuse_lora()
    pipeline.unet.unload_lora()

"""Pipelines on disk: diffusers' layout, half precision, safetensors, there whole or not at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedTokenizerFast

from diffusion_refine.core.models import quietly
from diffusion_refine.core.verify import DIGESTS, INDEX
from scenes.datasets.digests import digests_of
from scenes.datasets.files import sealed, write_atomically

PART = "unfinished.model"
ORIGIN = ("_name_or_path", "is_local", "local_files_only")  # where and how it was once loaded, says a configuration


@contextmanager
def model_in(folder: Path, *beside: str) -> Iterator[Path]:
    """A folder to save a model and what belongs to it into, which then is in `folder` by the rename of its index.

    Until that, `folder` holds no model; it may hold other things. beside: folders of them whose files get digests.
    """
    part = folder / PART
    remove_unfinished(folder)
    part.mkdir(parents=True)
    yield part
    others = {f"{name}/{file}": digest for name in beside for file, digest in digests_of(folder / name).items()}
    write_atomically(part / DIGESTS, sealed({"files": digests_of(part), "beside": others}))
    (folder / INDEX).unlink(missing_ok=True)
    for entry in sorted(part.iterdir(), key=lambda path: path.name == INDEX):
        there = folder / entry.name
        if there.is_dir():
            shutil.rmtree(there)
        entry.replace(there)
    part.rmdir()


def remove_unfinished(folder: Path) -> None:
    """Remove what a writer left that died while it put a model, or what is left of one, into a folder."""
    shutil.rmtree(folder / PART, ignore_errors=True)


def save_pipeline(pipeline: Any, folder: Path) -> None:
    """Save a pipeline into a folder. It stays as it is itself."""
    for component in pipeline.components.values():
        if isinstance(component, PreTrainedTokenizerFast):  # which would also save what it last padded to
            component.backend_tokenizer.no_padding()
            component.backend_tokenizer.no_truncation()
    modules = [module for module in pipeline.components.values() if isinstance(module, nn.Module)]
    kept = [{name: value.clone() for name, value in module.state_dict().items()} for module in modules]
    precisions = [next(module.parameters()).dtype for module in modules]
    for module in modules:
        nn.Module.half(module)  # diffusers' own warns of what does not concern these
    try:
        with quietly():
            pipeline.save_pretrained(folder, safe_serialization=True)
    finally:
        for module, state, precision in zip(modules, kept, precisions, strict=True):
            nn.Module.to(module, precision)
            with torch.no_grad():
                module.load_state_dict(state)
    for path in folder.rglob("*.json"):
        _forget_origin(path)


def _forget_origin(path: Path) -> None:
    """Remove from a configuration what says nothing of the model, and differs between programs that save the same."""
    fields = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(fields, dict) and any([fields.pop(name, None) is not None for name in ORIGIN]):
        path.write_text(json.dumps(fields, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

"""The command `blemish train-generator`: a subcommand for every method that learns from pictures."""

from __future__ import annotations

from importlib import import_module

import typer

# Name -> the module whose function `train` has the method's arguments, options and help.
METHODS = {
    "crg-context": "diffusion_refine.synthesis.crg.training.context_cli",
    "crg-prior": "diffusion_refine.synthesis.crg.training.prior_cli",
    "diffusion": "diffusion_refine.training.diffusion_cli",
    "maphc2f": "diffusion_refine.synthesis.maphc2f.training.cli",
    "sard": "diffusion_refine.synthesis.sard.train_cli",
}


def register(app: typer.Typer) -> None:
    """Mount this module's command, with one of its own for every method."""
    methods = typer.Typer(subcommand_metavar="METHOD DATASET... --out MODEL")
    methods.callback()(train_generator)
    for name, module in METHODS.items():
        methods.command(name)(import_module(module).train)
    app.add_typer(methods, name="train-generator")


def train_generator() -> None:
    """Train what makes defects on your own parts: a model for `blemish refine` and `blemish synthesize`.

    Each method has options of its own:

        blemish train-generator diffusion --help

        blemish train-generator diffusion data/mine --lora --steps 300 --out out/mine
    """

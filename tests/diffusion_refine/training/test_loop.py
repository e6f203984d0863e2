"""The training loop: the same bytes after any stop, what it refuses, and its parts against formulas of their own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from diffusion_refine.training.denoiser import denoising_loss, noise_schedule, texel_weights
from diffusion_refine.training.loop import GradientDescent, Stateful, TrainingLoop, rate_schedule
from diffusion_refine.training.model_shapes import build_pipeline
from scenes.jobs.checkpoints import CheckpointError
from tests.diffusion_refine.training.conftest import TINY, contents

STEPS, EVERY = 7, 3


class Stopped(Exception):
    """What an interruption is here."""


class Counter:
    """Something that no library made, and that a step changes."""

    def __init__(self) -> None:
        self.count = 0

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.count = state_dict["count"]


def adversaries(
    folder: Path, on_step: Callable[[int], None] = lambda done: None, rate: float = 0.1
) -> dict[str, list[Tensor] | int]:
    """Two networks, each with an optimiser of its own, trained against each other as a GAN is; all that they end as."""
    networks = {}
    for number, name in enumerate(("generator", "critic")):
        layer = nn.utils.skip_init(nn.Linear, 3, 3)
        rng = torch.Generator().manual_seed(number)
        nn.init.normal_(layer.weight, generator=rng)
        nn.init.zeros_(layer.bias)
        networks[name] = layer
    generator, critic = networks["generator"], networks["critic"]
    normal = nn.BatchNorm1d(3)
    descents = {name: GradientDescent(layer.parameters(), rate, STEPS, 0.0) for name, layer in networks.items()}
    counter = Counter()

    def advance(rng: torch.Generator) -> tuple[Tensor, float]:
        made = normal(generator(torch.randn(4, 3, generator=rng)))
        loss = (critic(made.detach()) - torch.rand(4, 3, generator=rng)).square().mean()
        descents["critic"].descend(loss)
        descents["generator"].descend(-critic(made).mean())
        counter.count += 1
        return loss.detach(), counter.count

    state: dict[str, Stateful] = {**descents, "normal": normal, "counter": counter}
    loop = TrainingLoop(
        "gan", folder, STEPS, 5, {"rate": rate}, {"loss": float, "count": lambda mean: -mean}, EVERY, on_step
    )
    loop.run(advance, state)
    weights = {name: [value.detach().clone() for value in layer.parameters()] for name, layer in networks.items()}
    for descent in descents.values():
        descent.use_average()
    averages = {f"{name} average": [value.detach() for value in net.parameters()] for name, net in networks.items()}
    return {**weights, **averages, "normal": list(normal.buffers()), "counter": counter.count}


@pytest.mark.parametrize("stop", range(1, STEPS + 1))
def test_several_networks_stopped_after_any_step_end_the_same(stop: int, tmp_path: Path) -> None:
    def stopping(done: int) -> None:
        if done == stop:
            raise Stopped

    (tmp_path / "whole").mkdir()
    (tmp_path / "stopped").mkdir()
    whole = adversaries(tmp_path / "whole")
    with pytest.raises(Stopped):
        adversaries(tmp_path / "stopped", stopping)
    resumed = adversaries(tmp_path / "stopped")
    torch.testing.assert_close(resumed, whole, rtol=0, atol=0)
    curve = (tmp_path / "stopped" / "gan.csv").read_text()
    assert curve == (tmp_path / "whole" / "gan.csv").read_text()
    lines = [line.split(",") for line in curve.splitlines()]
    assert lines[0] == ["step", "loss", "count"]
    assert [(line[0], float(line[2])) for line in lines[1:]] == [("3", -2.0), ("6", -5.0), ("7", -7.0)]


@pytest.mark.parametrize("name", ["gan.pt", "gan.csv"])
def test_killed_while_a_file_is_written_the_one_before_stays(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    expected = adversaries(whole)
    replace, left = Path.replace, [1]

    def dying(self: Path, target: Path) -> Path:
        if target.name == name and not left.pop():
            raise Stopped
        left.append(0)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", dying)
    with pytest.raises(Stopped):
        adversaries(killed)
    monkeypatch.undo()
    torch.testing.assert_close(adversaries(killed), expected, rtol=0, atol=0)
    assert contents(killed)["gan.csv"] == contents(whole)["gan.csv"]


def test_a_checkpoint_of_other_settings_is_named(tmp_path: Path) -> None:
    adversaries(tmp_path)
    before = contents(tmp_path)
    with pytest.raises(CheckpointError, match=r"gan\.pt: belongs to another training: rate was 0\.1 and is 0\.2"):
        adversaries(tmp_path, rate=0.2)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    "damage", [lambda whole: b"", lambda whole: whole[: len(whole) // 2], lambda whole: b"not a checkpoint"]
)
def test_what_is_no_checkpoint_is_named(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    adversaries(tmp_path)
    checkpoint = tmp_path / "gan.pt"
    checkpoint.write_bytes(damage(checkpoint.read_bytes()))
    with pytest.raises(CheckpointError, match=r"gan\.pt: is no whole checkpoint of this training"):
        adversaries(tmp_path)


def test_a_checkpoint_of_another_network_is_named(tmp_path: Path) -> None:
    layer = nn.Linear(2, 2)
    loop = TrainingLoop("one", tmp_path, 1, 0, {}, {})
    loop.run(lambda rng: (), {"layer": layer})
    with pytest.raises(CheckpointError, match="loading state_dict for Linear"):
        loop.run(lambda rng: (), {"layer": nn.Linear(3, 3)})
    with pytest.raises(CheckpointError, match="other"):
        loop.run(lambda rng: (), {"other": layer})


def test_nothing_in_a_checkpoint_runs(tmp_path: Path) -> None:
    class Running:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"settings": {}, "step": 1, "curve": [], "state": Running()}, tmp_path / "one.pt")
    with pytest.raises(CheckpointError):
        TrainingLoop("one", tmp_path, 1, 0, {}, {}).run(lambda rng: (), {})
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("steps", [1, 2, 6, 50, 1000])
def test_the_rate_rises_stays_and_falls_to_nothing(steps: int) -> None:
    optimizer = torch.optim.AdamW([nn.Parameter(torch.zeros(1))], lr=2.0)
    schedule, rates = rate_schedule(optimizer, steps), []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0)
    assert min(rates) > 0
    assert max(rates) == pytest.approx(2.0)
    if steps == 1000:
        assert rates[0] == pytest.approx(0.02)
        assert rates[100:701] == pytest.approx([2.0] * 601)
        assert rates[850] == pytest.approx(1.0)
        assert rates[999] == pytest.approx(2 / 300)


def test_the_average_follows_the_weights_as_its_definition_says() -> None:
    weight = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    descent = GradientDescent([weight], 0.1, 400, 0.0)
    expected = 0.0
    for step in range(400):
        descent.descend((weight - 3).square().sum())
        kept = min(0.998, (1 + step) / (10 + step)) if step else 0.0
        expected = kept * expected + (1 - kept) * weight.item()
    descent.use_average()
    assert weight.item() == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_the_loss_is_min_snr_of_noise_or_velocity(kind: str) -> None:
    """[Hang 2023], against its formulas in double precision."""
    pipeline = build_pipeline(TINY)
    pipeline.scheduler.register_to_config(prediction_type=kind)
    rng = torch.Generator().manual_seed(1)
    clean, noise, made = torch.randn(3, 2, 4, 8, 8, generator=rng)
    timesteps = torch.tensor([20, 700])
    seen = []

    def unet(noisy: Tensor, at: Tensor, return_dict: bool) -> tuple[Tensor]:
        seen.append(noisy)
        return (made,)

    loss, error = denoising_loss(unet, noise_schedule(pipeline), clean, noise, timesteps, {}, 5.0)
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    alphas = (1 - betas).cumprod(0)[timesteps]
    a, s = alphas.sqrt().view(-1, 1, 1, 1), (1 - alphas).sqrt().view(-1, 1, 1, 1)
    torch.testing.assert_close(seen[0].double(), a * clean + s * noise, rtol=1e-4, atol=1e-5)
    snr = alphas / (1 - alphas)
    velocity = kind == "v_prediction"
    target = a * noise - s * clean if velocity else noise
    errors = (made - target).square().mean(dim=(1, 2, 3))
    weights = snr.clamp(max=5) / (snr + 1 if velocity else snr)
    assert float(loss) == pytest.approx(float((weights * errors).mean()), rel=1e-4)
    assert float(error) == pytest.approx(float(errors.mean()), rel=1e-4)
    masks = torch.zeros(2, 32, 32)
    masks[0, :16, :4] = 1  # 4 x 1 texels of the 8 x 8 whole, and 2 more by a half
    masks[0, 16:24, :2] = 1
    texels = texel_weights(masks, clean.shape, 3.0)
    weighed, same = denoising_loss(unet, noise_schedule(pipeline), clean, noise, timesteps, {}, 5.0, texels)
    expected = torch.ones(2, 1, 8, 8)
    expected[0, 0, :4, 0], expected[0, 0, 4:6, 0] = 4.0, 2.5
    expected[0] *= 64 / (64 + 4 * 3.0 + 2 * 1.5)
    torch.testing.assert_close(texels, expected)
    errors = (expected * (made - target).square()).mean(dim=(1, 2, 3))
    assert float(weighed) == pytest.approx(float((weights * errors).mean()), rel=1e-4)
    assert float(same) == float(error), "the plain error stays comparable"

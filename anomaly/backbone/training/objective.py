"""What the backbone learns: to make the nearest neighbour among good patches far for defects and near for good ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from anomaly.backbone.training.episodes import FAMILIES, Episode

COVERED = 0.08  # share of a patch's pixels from which on it shows a defect
VISIBLE = 0.03  # mean change of the albedo in those pixels; fainter defects are neither found nor missed
MARGIN = 2  # patches beside a defect that count as neither
FOREIGN = 48  # patches of other surfaces that every surface is told from
FOREIGN_WEIGHT, FAMILY_WEIGHT = 0.3, 0.5
GOOD_WEIGHT = 0.15  # of a good patch in the classification, beside 1 for every family


@dataclass(frozen=True)
class Batch:
    """Episodes as one batch: images (E, S + Q, 3, H, W), 0 to 1; labels (E, Q, h, w) of patches.

    labels: 0 good, 1 + index into FAMILIES defective, -1 neither. support: S, of the images the first ones.
    """

    images: Tensor
    labels: Tensor
    support: int


@dataclass(frozen=True)
class Outcome:
    """The loss to descend, and for the curve: the chance that a defect's patch is farther than a good one."""

    loss: Tensor
    separation: float


def collated(episodes: list[Episode], stride: int) -> Batch:
    """One batch of episodes of one size, their masks as labels of patches of `stride` pixels."""
    images = torch.stack([torch.cat([episode.support, episode.query]) for episode in episodes])
    labels = torch.stack([_labels(episode, stride) for episode in episodes])
    return Batch(images, labels, len(episodes[0].support))


def _labels(episode: Episode, stride: int) -> Tensor:
    masks, change = episode.masks[:, None], episode.change[:, None]
    cover = functional.avg_pool2d(masks, stride)
    visible = functional.avg_pool2d(masks * change, stride) / (cover + 1e-4)
    touched = functional.max_pool2d(masks, stride)
    near = functional.max_pool2d(touched, 2 * MARGIN + 1, 1, MARGIN)
    family = (episode.family.to(masks.device) + 1)[:, None, None].expand(-1, *cover.shape[-2:])
    labels = torch.where((cover > COVERED)[:, 0] & (visible > VISIBLE)[:, 0], family, -1)
    return torch.where((near < 0.02)[:, 0], 0, labels)


def evaluate_batch(features: Tensor, batch: Batch, sharpness: Tensor, classifier: torch.nn.Module) -> Outcome:
    """The losses of features (E·(S + Q), D, h, w) of a batch's images.

    Every query patch is scored by its distance from the nearest support patch of its episode, as PatchCore scores. A
    defect's patch, and the farthest one of a picture, must exceed all good ones of the episode together (InfoNCE with
    distances as logits, in units of 1/sharpness); so must patches of other surfaces. A linear classifier of families
    keeps what kind of defect a patch shows in the features.
    """
    episodes, pictures = batch.images.shape[:2]
    rows = features.permute(0, 2, 3, 1).reshape(episodes, pictures, -1, features.shape[1])
    support, query = rows[:, : batch.support].flatten(1, 2), rows[:, batch.support :].flatten(1, 2)
    labels = batch.labels.reshape(episodes, -1)
    distances = nearest(query, support) * sharpness
    terms, foreign, separations = [], [], []
    for e in range(episodes):
        good, bad = distances[e][labels[e] == 0], distances[e][labels[e] > 0]
        if not len(good):
            continue
        others = torch.cat([query[o][labels[o] == 0] for o in range(episodes) if o != e])
        others = others[torch.linspace(0, len(others) - 1, min(FOREIGN, len(others))).long()]
        level = torch.logsumexp(good, dim=0)
        foreign.append(functional.softplus(level - sharpness * nearest(others[None], support[e : e + 1])[0]).mean())
        if len(bad):
            worst = functional.softplus(level - bad.amax())
            terms.append(0.5 * functional.softplus(level - bad).mean() + 0.5 * worst)
            separations.append(float((bad[:, None] > good[None]).float().mean()))
    logits = classifier(features.view(episodes, pictures, *features.shape[1:])[:, batch.support :].flatten(0, 1))
    weights = torch.ones(1 + len(FAMILIES), device=features.device)
    weights[0] = GOOD_WEIGHT
    family = functional.cross_entropy(logits, batch.labels.flatten(0, 1), weights, ignore_index=-1)
    loss = FOREIGN_WEIGHT * torch.stack(foreign).mean() + FAMILY_WEIGHT * family
    if terms:
        loss = loss + torch.stack(terms).mean()
    return Outcome(loss, sum(separations) / max(len(separations), 1))


def nearest(queries: Tensor, bank: Tensor) -> Tensor:
    """(E, N) distance of every row of (E, N, D) from the nearest row of (E, M, D), differentiable."""
    products = torch.baddbmm(bank.square().sum(dim=2)[:, None], queries, bank.transpose(1, 2), alpha=-2)
    return (queries.square().sum(dim=2) + products.amin(dim=2)).clamp_min(1e-6).sqrt()

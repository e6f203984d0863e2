"""Anomaly maps of many pictures, in their order, whoever makes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from anomaly.inspection.inspector import Inspector, InspectorError
from anomaly.inspection.view import Picture
from scenes.formats.sample import Sample
from scenes.jobs.executor import Executor, Place, Simple, Worker
from scenes.jobs.local import Local
from scenes.memory import give_back
from scenes.pictures.on_disk import Rows

HERE = Local()
Prediction = tuple[Picture, Rows, float]  # of `Inspector.predict_each`


def predict_samples(
    inspector: Inspector,
    samples: Sequence[Sample],
    take: Callable[[int, Prediction], None],
    executor: Executor = HERE,
    scratch: Path | None = None,
) -> None:
    """Tell `take` of each sample's number and prediction, in order.

    scratch: a folder on whose disk large pictures and their maps lie, None: in memory. So do those of several workers.
    Raises InspectorError where workers elsewhere would compute on a card, which this process alone can.
    """
    if executor.is_here:  # where a card takes several pictures at once
        predictions = inspector.predict_each(sample.picture(scratch) for sample in samples)
        for position in range(len(samples)):
            prediction = [next(predictions)]
            pixels = prediction[0][1].size
            take(position, prediction.pop())  # no name keeps a prediction while the next picture is read
            give_back(pixels)
        return
    if inspector.computing.on_card:
        raise InspectorError(
            f"several workers compute on processors, found the device {inspector.computing.device}; give --device cpu, "
            "or leave out --workers and --ray"
        )
    executor.run(_Predicting(inspector, torch.get_num_threads()), samples, take, in_order=True)


@dataclass(frozen=True)
class _Predicting:
    """Predicting, as work, on so many threads as here, so that each picture's map is the same to the bit."""

    inspector: Inspector
    threads: int

    has_own_process = False

    def open(self, place: Place) -> Worker[Sample, Prediction]:
        torch.set_num_threads(self.threads)
        return Simple(self._predict)

    def _predict(self, sample: Sample) -> Prediction:
        return next(self.inspector.predict_each([sample.picture()]))

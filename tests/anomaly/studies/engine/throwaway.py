"""The shortest task there is: a picture's class by its mean grey, the nearest of those learnt."""

import numpy as np

from anomaly.studies.engine.task import Figure, LearnerSettings, Prediction, SurfaceStatistics
from scenes.formats.sample import GOOD


class NearestGrey:
    """Means of the classes' greys, weighted; a class that no picture shows is never found."""

    name = "classification"
    settings = LearnerSettings
    figures = (Figure("accuracy", "acc.", "Accuracy", "share of the pictures whose class is found"),)
    code: tuple[str, ...] = ()
    libraries = ("numpy",)
    published = ()

    def refusal(self, picture):
        return "" if picture.label is not None else "of several classes"

    def train(self, training, validation, classes, settings, seed, device, folder, progress):
        sums = np.zeros((len(classes.all_names), 2))
        for number in range(settings.epochs):
            for index in training.epoch(number, seed):
                picture = training.pictures[index]
                sums[picture.label] += picture.weight * np.array([picture.image().mean(), 1])
            progress("learning", number + 1, settings.epochs)
        np.save(folder / "means.npy", sums[:, 0] / np.where(sums[:, 1] > 0, sums[:, 1], np.nan))

    def evaluate(self, folder, test, classes, settings, device, progress):
        surfaces = tuple(sorted({picture.surface for picture in test}))
        hits, defective = np.zeros((len(surfaces), 2)), np.zeros(len(surfaces), bool)
        for picture, found in zip(test, self._found(folder, test), strict=True):
            place = surfaces.index(picture.surface)
            hits[place] += [found == picture.label, 1]
            defective[place] |= picture.sample.label != GOOD
            progress("judging", 1, 1)
        return SurfaceStatistics(surfaces, defective, {"hits": hits})

    def replicated(self, statistics, classes, weights):
        right, count = (weights @ statistics.counts["hits"]).T
        return {"accuracy": right / count, "accuracy/all": right / count}

    def predict(self, folder, pictures, classes, settings, device):
        return [Prediction(classes.all_names[found]) for found in self._found(folder, pictures)]

    def _found(self, folder, pictures):
        means = np.load(folder / "means.npy")
        return [int(np.nanargmin(abs(means - picture.image().mean()))) for picture in pictures]

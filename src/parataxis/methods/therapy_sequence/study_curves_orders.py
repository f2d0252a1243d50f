"""Whose order must not matter before there is a model: the points of a curve, and the patients."""

from typing import Any

import numpy as np

from parataxis.claims import System
from parataxis.methods.therapy_sequence.curves import KMCurve
from parataxis.methods.therapy_sequence.digitise import digitise
from parataxis.methods.therapy_sequence.events import likelihood_ratio, local_density, mixture
from parataxis.methods.therapy_sequence.guyot import reconstruct
from parataxis.methods.therapy_sequence.incidence import CIF
from parataxis.methods.therapy_sequence.made_curves import AXIS, made_patients

DIGITS = 9  # sums over patients in another order differ in the last bits


def systems(rng: np.random.Generator) -> dict[str, System]:
    """On 40 made patients, and a curve of 16 of them; each with a twin that lets the place decide."""
    made = made_patients(rng, 40)
    pixel = AXIS / 1000
    time, os_time = (np.round(made[each].to_numpy() / pixel) * pixel for each in ("pfs_time", "os_time"))
    deaths = np.sort(os_time[made["os_event"].to_numpy() == 1])
    few = made[:16]
    curve, table = digitise(few["pfs_time"].to_numpy(), few["pfs_event"].to_numpy() > 0, AXIS)
    points = list(zip(curve.time.tolist(), curve.survival.tolist(), strict=True))
    patients = list(zip(time.tolist(), (made["pfs_event"] > 0).astype(int).tolist(), strict=True))
    weighted = [(*each, share) for each, share in zip(patients, rng.random(len(patients)).tolist(), strict=True)]

    def rebuilt(given: list[Any]) -> list[list[float]]:
        return reconstruct(KMCurve.clean(*np.array(given).T), table).to_numpy().tolist()

    def rebuilt_as_given(given: list[Any]) -> list[list[float]]:
        time, survival = np.array(given).T
        return rebuilt(list(zip(np.sort(time).tolist(), np.minimum.accumulate(survival).tolist(), strict=True)))

    def labels(given: list[Any]) -> list[float]:
        time, event = np.array(given).T
        when, found = time[event == 1], np.zeros(len(time))
        near = local_density(when, deaths, pixel, AXIS)
        found[event == 1] = mixture(when, likelihood_ratio(when, deaths, pixel, near))
        return found.round(DIGITS).tolist()

    def labels_by_place(given: list[Any]) -> list[float]:
        return (np.array(labels(given)) * np.linspace(0.5, 1, len(given))).tolist()

    def incidence(given: list[Any]) -> list[list[float]]:
        found = CIF.of(*np.array(given).T)
        return [found.progression.round(DIGITS).tolist(), found.death.round(DIGITS).tolist()]

    def incidence_by_place(given: list[Any]) -> list[list[float]]:
        time, event, share = np.array(given).T
        return incidence(list(zip(time.tolist(), event.tolist(), np.maximum.accumulate(share).tolist(), strict=True)))

    return {
        "curve-points": System(rebuilt, points, twin=rebuilt_as_given),
        "event-labels": System(labels, patients, twin=labels_by_place, per_item=True),
        "incidence-rows": System(incidence, weighted, twin=incidence_by_place),
    }

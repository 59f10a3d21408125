"""What is measured: functions `(model, spins, memory) -> (..., replica, ...)`.

spins: float32 (..., replica, neuron); memory: int64, what the model keeps beside them. The first
line of a docstring becomes the `long_name` of the variable. Where one pattern is condensed it is
the first one, mu = 0. A quantity of two replicas pairs replica a with a + 1 (the last with the
first), at equal temperature and couplings.
"""

from __future__ import annotations

import numpy as np

from hopfield_sim.models import Model


def overlaps(model: Model, spins: np.ndarray, memory: np.ndarray) -> np.ndarray:
    """Overlap with every pattern, m_mu = (1/N) sum_i xi_i^mu s_i

    Returns float64 (..., replica, pattern).
    """
    return model.overlaps(spins, memory)


def overlap(model: Model, spins: np.ndarray, memory: np.ndarray) -> np.ndarray:
    """Overlap with the first pattern, m = (1/N) sum_i xi_i^0 s_i

    Returns float64 (..., replica).
    """
    return model.overlaps(spins, memory)[..., 0]


def overlap_with(references: np.ndarray, name: str = "archetype_overlap"):
    """An observable: the overlap with given vectors, (1/N) sum_i x_i s_i.

    For networks that were not made from what is to be recalled: archetypes of which they saw
    examples only, images of which they learned class averages.

    references: (neuron,) or (pattern, neuron), any finite numbers. name: of the variable.
    Returns a function (model, spins, memory) -> float64 (..., replica), or (..., replica, pattern)
    for several vectors. Raises ValueError for an array of another shape or with NaN.
    """
    x = np.asarray(references, float)
    if x.ndim not in (1, 2) or not x.size or not np.all(np.isfinite(x)):
        raise ValueError(
            f"references of shape {x.shape} are not possible; give finite numbers (neuron,) or "
            "(pattern, neuron)."
        )

    def observed(model: Model, spins: np.ndarray, memory: np.ndarray) -> np.ndarray:
        """Overlap with a given vector x, (1/N) sum_i x_i s_i"""
        if x.shape[-1] != model.n_neurons:
            raise ValueError(
                f"the references have {x.shape[-1]} neurons, the model {model.n_neurons}."
            )
        return spins.astype(float) @ x.T / model.n_neurons

    observed.__name__ = name
    return observed


def energy(model: Model, spins: np.ndarray, memory: np.ndarray) -> np.ndarray:
    """Energy per neuron, H / N

    In units of J. Returns float64 (..., replica). Refused by models that have no energy.
    """
    return model.energy(spins, memory) / model.n_neurons


def magnetisation(model: Model, spins: np.ndarray, memory: np.ndarray) -> np.ndarray:
    """Magnetisation, (1/N) sum_i s_i

    Returns float64 (..., replica).
    """
    return spins.mean(axis=-1, dtype=float)


def replica_overlap(model: Model, spins: np.ndarray, memory: np.ndarray) -> np.ndarray:
    """Overlap of two replicas, q12 = (1/N) sum_i s_i^a s_i^b

    Its thermal mean is q where both replicas stay in one pure state. Returns float64
    (..., replica). Raises ValueError for a single replica.
    """
    partner = _partner(spins, "replica_overlap")
    return np.einsum("...i,...i->...", spins, partner, dtype=float) / model.n_neurons


def residual_noise(model: Model, spins: np.ndarray, memory: np.ndarray) -> np.ndarray:
    """Noise of the patterns not condensed, r = (1/alpha) sum_{mu > 0} m_mu^a m_mu^b

    The product of two replicas has mean <m_mu>^2 without the bias <m_mu^2> of a single one, so the
    mean is AGS's r = (1/alpha) sum <m_mu>^2. Returns float64 (..., replica). Raises ValueError for
    a single replica or a single pattern.
    """
    if model.n_patterns < 2:
        raise ValueError("residual_noise needs at least two patterns: one is the condensed one.")
    rest = model.overlaps(spins, memory)[..., 1:]
    product = np.einsum("...p,...p->...", rest, _partner(rest, "residual_noise"))
    return product * model.n_neurons / model.n_patterns


def _partner(values: np.ndarray, name: str) -> np.ndarray:
    if values.ndim < 2 or values.shape[-2] < 2:
        raise ValueError(f"{name} compares two replicas of one network; run at least n_replicas=2.")
    return np.roll(values, -1, axis=-2)

"""Learning from examples: spinodals of both rules, overlaps against the number of examples.

Quality and numbers of examples are such that rho = (1 - r^2)/(M r^2) goes from 0.003 to 0.14. Lines
are of the Gaussian form (many examples), the slices over M of both forms, for odd M, where no site
is undecided. Couplings are divided by G^(P/2) throughout ("variance").
"""

import numpy as np
import xarray as xr

from hopfield_sim.theory import examples

QUALITY = 0.5
N_EXAMPLES = [21, 51, 201, 1001]
FEW = [1, 3, 5, 7, 9, 11, 15, 21, 31, 41, 61]
INTERACTIONS = [2, 3]
RULES = ["supervised", "unsupervised"]
# Load and temperature of the slices at each order, well inside the phase of perfect examples.
SLICES = {2: (0.02, 0.1), 3: (0.02, 0.1)}
ENTROPIES = [0.0, 0.1, 0.3, 1.0]


def compute(points: int) -> dict[str, xr.Dataset]:
    """Spinodals (alpha, T) and slices over M for both rules at P = 2 and 3; capacities."""
    found = {}
    for order in INTERACTIONS:
        highest = {2: 1.0, 3: 0.6}[order]
        temperature = np.linspace(0, highest, points + 1)[:-1]
        for rule in RULES:
            words = {"rule": rule, "couplings": "variance"}
            found[f"lines/{rule}_{order}"] = examples.spinodal_load(
                temperature, QUALITY, N_EXAMPLES, order, form="gaussian", **words
            )
            alpha, T = SLICES[order]
            slices = f"slices/{rule}_{order}"
            found[f"{slices}/binomial"] = examples.retrieval(alpha, T, QUALITY, FEW, order, **words)
            many = np.unique(np.geomspace(1, 200, points).astype(int))
            found[f"{slices}/gaussian"] = examples.retrieval(
                alpha, T, QUALITY, many, order, form="gaussian", **words
            )
    found["slices/low_load"] = examples.low_load(SLICES[2][1], QUALITY, FEW)
    found["critical"] = _critical()
    return found


def _critical():
    capacity = examples.gaussian_capacity(ENTROPIES, [2, 3, 4])
    values = {
        "alpha_c": capacity.alpha.assign_attrs(
            long_name="supervised capacity at T = 0 for many examples"
        ),
        "A_crit": capacity.effective_load.assign_attrs(
            long_name="A_crit(P, rho): alpha_c (P-1)! (1 + rho)^P or (1 + rho_P)"
        ),
    }
    for rule in RULES:
        words = {"rule": rule, "couplings": "variance"}
        values[f"alpha_c_{rule}"] = examples.spinodal_load(
            0.0, QUALITY, N_EXAMPLES, INTERACTIONS, **words
        ).alpha.assign_attrs(long_name=f"{rule} capacity at T = 0, r = {QUALITY}")
        for order, (alpha, T) in SLICES.items():
            needed = examples.examples_needed(alpha, T, QUALITY, 0.9, order, **words)
            values[f"examples_needed_{rule}_{order}"] = needed.n_examples.drop_vars(
                ("alpha", "temperature", "quality", "overlap", "interaction")
            ).assign_attrs(
                long_name=f"{rule} examples for m >= 0.9 at P = {order}, alpha = {alpha}, "
                f"T = {T}, r = {QUALITY}"
            )
    drop = ("temperature", "quality")
    values = {name: value.drop_vars(drop, errors="ignore") for name, value in values.items()}
    return xr.Dataset(values, attrs={"title": "thresholds of learning from examples"})

"""Networks that learn archetypes from noisy examples, pairwise and P-body, replica-symmetric.

Every archetype xi^mu (random +-1, mu = 1..K) is seen in M examples
eta_i^(mu,a) = chi_i^(mu,a) xi_i^mu with P(chi = +-1) = (1 +- r)/2; r is their quality, etabar their
average. With rho = (1 - r^2)/(M r^2), the data-set entropy, G = r^2 (1 + rho) = r^2 + (1 - r^2)/M
and all neurons of a P-tuple distinct,

    supervised     H = -((P-1)!/(N^(P-1) G^(P/2))) sum_mu sum_(i1<..<iP) etabar..etabar s..s
    unsupervised   H = -((P-1)!/(N^(P-1) M g)) sum_mu sum_a sum_(i1<..<iP) eta^a..eta^a s..s

K = alpha N^(P-1); at P = 2 these are J = (1/(N G)) sum etabar etabar and (1/(N M g)) sum eta eta.
`couplings` says what divides the products: "variance" is G^(P/2), which makes the entries of
the class average of unit variance, "quality" is r^P. None takes what the sources use: "variance"
for the supervised rule (both P) and at P = 2 (g = G), "quality" for the unsupervised rule with
P >= 3 (g = r^P). The two differ in the unit of energy and temperature only, by (1 + rho)^(P/2).

Equations, with e = etabar xi on a site, n = (1/N) sum etabar s/sqrt(G) ("variance") or /r
("quality"), zeta = e/sqrt(G) or e/r, C = (1 - q)/T, z Gaussian, E over e and z:

    m = E tanh(h/T),  n = E zeta tanh(h/T),  q = E tanh^2(h/T),  h = zeta n^(P-1) + b z
    P >= 3:  b^2 = A q^(P-1),  A = alpha (P-1)! (supervised, "variance")
             A = alpha (P-1)! (1 + rho_P) (unsupervised, "quality"),  rho_P = (1 - r^2P)/(M r^2P)
    P = 2 ("variance"):  b^2 = alpha q [1/(1 - C)^2 + (M-1) l^2/(1 - l C)^2], l = rho/(1 + rho),
             the second term for the unsupervised rule only

At P = 2 the cross-talk reacts to the state, for P >= 3 it does not. Two forms of e: "binomial",
e = (2k - M)/M with k from Bin(M, (1 + r)/2), exact at any M; "gaussian", its limit of large M,
which depends on rho (and, for the unsupervised rule, on rho_P or (M-1) l^2).

Good for N -> infinity with K -> infinity and r^2 N >> 1: else the overlaps with single examples
fluctuate by 1/sqrt(N), as much as r. The supervised rule needs M of order r^-2 examples, the
unsupervised one at high load r^-2P. The overlaps solve a continuous problem: whether a solution is
the archetype or the crude majority of a few examples is told by m, not by its existence.

    retrieval, solutions, low_load, large_dataset        phases
    spinodal_load, spinodal_temperature, examples_needed, quality_needed, gaussian_capacity
                                                          thresholds
    example_state                                         the unsupervised rule at one example

Sources: J. F. Fontanari, J. Phys. France 51 (1990) 2421 (generalisation from examples); E. Agliari,
F. Alemanno, A. Barra, G. De Marzo, Neural Networks 148 (2022) 232 (unsupervised, P = 2);
F. Alemanno, M. Aquaro, I. Kanter, A. Barra, E. Agliari, Europhys. Lett. 141 (2023) 11001
(supervised, P = 2); E. Agliari et al., Physica A 626 (2023) 129076 and 627 (2023) 129143 (P-body).
The equations for finite M were derived here and checked by simulation.
"""

import numpy as np

from hopfield_sim.theory.examples_folds import crossings, scanned
from hopfield_sim.theory.examples_lines import (
    examples_needed,
    gaussian_capacity,
    quality_needed,
    spinodal_load,
    spinodal_temperature,
)
from hopfield_sim.theory.examples_phase import LONG_NAMES, SOURCE, Setting
from hopfield_sim.theory.examples_saddle import highest_temperature, signal_at_noise
from hopfield_sim.theory.examples_single import example_state
from hopfield_sim.theory.labels import branches, dataset

__all__ = [
    "example_state",
    "examples_needed",
    "gaussian_capacity",
    "large_dataset",
    "low_load",
    "quality_needed",
    "retrieval",
    "solutions",
    "spinodal_load",
    "spinodal_temperature",
]

_LOW_LOAD = ("m", "n", "example_overlap", "q")


def retrieval(
    alpha,
    temperature,
    quality,
    n_examples,
    interaction=2,
    *,
    rule="supervised",
    form="binomial",
    couplings=None,
):
    """The stable retrieval phase: of the stable solutions the one of largest overlap n.

        m = E tanh(h/T),  n = E zeta tanh(h/T),  q = E tanh^2(h/T),  h = zeta n^(P-1) + b z

    with the width b of the noise as in the head of this module. At T = 0 the exact limit, where
    sites with e = 0 (even M) follow the noise. "Stable" is meant against changes of n; whether
    it is the equilibrium is not said.

    Args:
        alpha: load K/N^(P-1), a number, a 1-D array or a DataArray, > 0.
        temperature: likewise, >= 0, in the unit of the normalisation.
        quality: r, likewise, in (0, 1].
        n_examples: M, likewise, a whole number >= 1.
        interaction: P, likewise, a whole number >= 2. Plain arrays span a grid in this order.
        rule: "supervised" or "unsupervised".
        form: "binomial" (exact) or "gaussian" (large M).
        couplings: "variance", "quality" or None, see the head of this module.

    Returns:
        xarray.Dataset on the grid, dimensionless: m, n (in the unit of the normalisation),
        example_overlap ((1/N) sum etabar s; for the unsupervised rule that is also the overlap
        with each example), q, C, noise (b), free_energy, energy, entropy, replicon (-inf at T = 0),
        longitudinal and residual. NaN where there is no such solution: above the spinodal, and
        within 1e-6 (relative) of the highest temperature that has one at alpha -> 0, or above.

    Raises:
        ValueError: a parameter outside its domain, by name.
        ArithmeticError: a solution that must exist was not found.

    Source: the head of this module.
    """
    setting = _setting(alpha, temperature, quality, n_examples, interaction, rule, form, couplings)
    return _branch(setting, *_solved(setting, only_stable=True), 0)


def solutions(
    alpha,
    temperature,
    quality,
    n_examples,
    interaction=2,
    *,
    rule="supervised",
    form="binomial",
    couplings=None,
):
    """All solutions with n > 0, side by side.

    Args, Raises: as `retrieval`.

    Returns:
        xarray.Dataset as from `retrieval` with a further first dimension `branch`: "retrieval",
        what `retrieval` gives; then "solution_2", "solution_3", ... the others in order of falling
        n, as many as there are at any point of the grid (at least one). A solution is a minimum of
        the free energy over n where `longitudinal` > 0. With few examples several can be: those
        of smaller n have lost the sites on which the examples agree least. For P >= 3 there may be
        more of small n and q, next to the paramagnet and the glass, which `retrieval` never takes.

    Source: the head of this module.
    """
    setting = _setting(alpha, temperature, quality, n_examples, interaction, rule, form, couplings)
    found = _solved(setting)
    count = max(2, 1 + found[3].max(initial=0))
    names = ["retrieval", *(f"solution_{number}" for number in range(2, count + 1))]
    return branches([_branch(setting, *found, index) for index in range(count)], names)


def large_dataset(alpha, temperature, dataset_entropy, interaction=2, *, couplings=None):
    """The stable retrieval phase of the supervised rule for many examples, given rho alone.

        m = E tanh(h/T),  h = (n/(1 + rho)) + z sqrt(rho (n/(1 + rho))^2 + alpha q/(1 - C)^2)

    at P = 2, with n = (1/N) sum etabar s/r; in general zeta is Gaussian of mean 1 and variance rho
    in units of r. For rho = 0 it is the network that stores the archetypes themselves.

    Args:
        alpha, temperature, interaction, couplings: as `retrieval`.
        dataset_entropy: rho = (1 - r^2)/(M r^2), a number, a 1-D array or a DataArray, >= 0.

    Returns:
        xarray.Dataset as from `retrieval`, without example_overlap, which needs r as well.

    Raises: as `retrieval`.

    Source: the head of this module.
    """
    setting = Setting(
        "supervised",
        "gaussian",
        couplings,
        {"alpha": alpha},
        temperature=temperature,
        dataset_entropy=dataset_entropy,
        interaction=interaction,
    )
    return _branch(setting, *_solved(setting, only_stable=True), 0).drop_vars("example_overlap")


def low_load(
    temperature,
    quality,
    n_examples,
    interaction=2,
    *,
    rule="supervised",
    form="binomial",
    couplings=None,
):
    """Retrieval without cross-talk, alpha -> 0: the larger solution of n = E zeta tanh(h/T).

        h = zeta n^(P-1);   T = 0:  m = P(e > 0) - P(e < 0),  gaussian  m = erf(1/sqrt(2 rho))

    the majority of the examples, for both rules and any P: M of order r^-2 are needed. Sites with
    e = 0 have no field here and take part with tanh = 0.

    Args, Raises: as `retrieval`, without alpha.

    Returns:
        xarray.Dataset on the grid with m, n, example_overlap, q and residual. NaN above the highest
        temperature with a solution (T = 1 at P = 2 with couplings "variance") or within 1e-6
        of it.

    Source: the head of this module.
    """
    parameters = {"temperature": temperature, "quality": quality, "n_examples": n_examples}
    setting = Setting(rule, form, couplings, **parameters, interaction=interaction)
    systems, index = setting.systems()
    T = systems.temperature
    found = {name: np.full(T.size, np.nan) for name in ("m", "n", "q", "residual")}
    alive = np.flatnonzero((T > 0) & (T <= highest_temperature(systems) * (1 - 1e-6)))
    a = signal_at_noise(systems, alive, np.zeros(alive.size))
    average = systems.averages(alive, a, np.zeros(alive.size))
    for name in ("m", "n", "q"):
        found[name][alive] = getattr(average, name)
    found["residual"][alive] = np.abs(a ** (1 / (systems.interaction[alive] - 1)) - average.n)
    frozen = np.flatnonzero(T == 0)
    one = np.ones(frozen.size)
    average = systems.averages(frozen, one, 1e-30 * one)  # far below the smallest field
    found["m"][frozen], found["n"][frozen] = average.m, average.n
    found["q"][frozen] = 1 - systems.undecided(frozen)
    found["residual"][frozen] = 0
    found = {name: values[index] for name, values in found.items()}
    rho = setting.point["dataset_entropy"]
    found["example_overlap"] = found["n"] * setting.flat["quality"] * np.sqrt(1 + rho)
    found["n"] = found["n"] * setting.unit ** (1 / setting.flat["interaction"])
    names = (*_LOW_LOAD, "residual")
    return dataset(
        setting.grid,
        {name: (found[name].reshape(setting.shape), LONG_NAMES[name]) for name in names},
        f"{rule} learning from examples at low load",
        convention=setting.convention(),
        source=SOURCE,
        branch="retrieval",
    )


def _setting(alpha, temperature, quality, n_examples, interaction, rule, form, couplings):
    return Setting(
        rule,
        form,
        couplings,
        {"alpha": alpha},
        temperature=temperature,
        quality=quality,
        n_examples=n_examples,
        interaction=interaction,
    )


def _solved(setting, only_stable=False):
    """Systems, the system of every point, and for every solution: point, branch, a, b."""
    systems, index = setting.systems()
    scan = scanned(systems)
    alpha = setting.flat["alpha"]
    target = systems.chosen(index).root_load(alpha)
    alive = np.flatnonzero(scan.curves.alive[index])
    point, order, stable, a, b = crossings(scan, index[alive], target[alive], only_stable)
    # Branch 0 is the first stable solution, the others follow in order of falling n.
    first = np.full(alive.size, order.max(initial=0) + 1)
    np.minimum.at(first, point[stable], order[stable])
    branch = np.where(order == first[point], 0, order + (order < first[point]))
    return systems, index, alive[point], branch, a, b


def _branch(setting, systems, index, point, branch, a, b, number):
    here = branch == number
    point, a, b = point[here], a[here], b[here]
    values = {name: np.full(index.size, np.nan) for name in LONG_NAMES}
    alpha = setting.flat["alpha"][point]
    for name, found in setting.phase(systems, index[point], alpha, a, b, point).items():
        values[name][point] = found
    return dataset(
        setting.grid,
        {name: (values[name].reshape(setting.shape), text) for name, text in LONG_NAMES.items()},
        f"{setting.rule} learning from examples",
        convention=setting.convention(),
        source=SOURCE,
        branch="retrieval" if number == 0 else f"solution_{number + 1}",
    )

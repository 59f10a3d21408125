"""From arguments of a user to `Systems` and back: units, thermodynamics, names.

Inside, couplings are normalised by G^(P/2), G the mean square of a class average ("variance");
with r^P instead ("quality") all energies, temperatures and fields are (1 + rho)^(P/2) times as
large and n is (1 + rho)^(1/2) times as large. Loads are the same.

The free energy per neuron, with l summed over the eigenvalues of the examples' correlation matrix
(1 once; for the unsupervised rule also rho/(1 + rho), M - 1 times), beta C = beta (1 - q):

    P = 2   f = n^2/2 + alpha sum l/2 + beta b^2 (1 - q)/2
                + (alpha/2 beta) sum [ln(1 - l C) - beta l q/(1 - l C)] - T E ln 2cosh(h/T)
    P >= 3  f = (P-1) n^P/P + (beta A/2) [(P-1)(1 - q^P)/P - 1 + q^(P-1)] - T E ln 2cosh(h/T)

(without the constant K/2 of H at P = 2 it would lack its second term). All that follows is written
without differences of nearly equal numbers divided by T, with S the entropy of a spin in its field:

    P = 2   u = -n^2/2 - (alpha/2) sum l^2 C/(1 - l C) - b^2 C/2
            s = E S - (alpha/2) sum [ln(1 - l C) + l C/(1 - l C)]
    P >= 3  u = -n^P/P - A C (1 - q^P)/(P (1 - q)),  s = E S - (A C^2/2P) sum_(j<P-1) (j+1) q^j

and f = u - T s, replicon = 1 - (P-1) (b^2/q) beta^2 E sech^4(h/T).
"""

import numpy as np

from hopfield_sim.theory.conventions import dataset_entropy
from hopfield_sim.theory.examples_saddle import Systems, on_curve
from hopfield_sim.theory.labels import common_grid, on_grid

SOURCE = (
    "derived here for finite M, checked by simulation; Fontanari 1990; Agliari et al. 2022, 2023"
)
RULES = ("supervised", "unsupervised")
FORMS = ("binomial", "gaussian")
COUPLINGS = ("variance", "quality")

LONG_NAMES = {
    "m": "overlap with the archetype",
    "n": "overlap with the class average, in units of its normalisation",
    "example_overlap": "(1/N) sum_i etabar_i s_i, the overlap with the average of the examples",
    "q": "Edwards-Anderson order parameter",
    "C": "susceptibility (1 - q)/T",
    "noise": "width of the cross-talk field",
    "free_energy": "free energy per neuron",
    "energy": "energy per neuron",
    "entropy": "entropy per neuron",
    "replicon": "1 minus the de Almeida-Thouless ratio; replica symmetry is stable where positive",
    "longitudinal": "1 - d ln(right side)/d ln n with the noise following; zero on the spinodal",
    "residual": "largest error of the saddle-point equations",
}
_SUPERVISED = (
    "H = -((P-1)!/(N^(P-1) g)) sum_mu sum_(i1<..<iP) etabar..etabar s..s; g = {}; "
    "alpha = K/N^(P-1); energies and temperatures in units of J, k_B = 1"
)
_UNSUPERVISED = _SUPERVISED.replace("N^(P-1) g", "N^(P-1) M g").replace(
    "sum_(i1<..<iP) etabar..etabar", "sum_a sum_(i1<..<iP) eta^a..eta^a"
)
_DIVISORS = {
    "variance": "G^(P/2), G = r^2 + (1 - r^2)/M",
    "quality": "r^P",
    None: "G^(P/2), G = r^2 + (1 - r^2)/M, but r^P for the unsupervised rule with P >= 3",
}


def checked_choice(value, name, allowed):
    """`value` if it is one of the words that are allowed.

    Raises:
        ValueError: it is not, naming the argument.
    """
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(map(repr, allowed))}")
    return value


def convention(rule, couplings):
    """H, load and units of a rule in words."""
    energy = _SUPERVISED if rule == "supervised" else _UNSUPERVISED
    return energy.format(_DIVISORS[couplings])


class Setting:
    """One call of a function: its parameters on their grid, the `Systems`, the units.

    Args:
        rule, form, couplings: as for `examples.retrieval`.
        temperature, interaction, and either quality and n_examples or dataset_entropy: as there.
        others: further parameters, in front of these.
    """

    def __init__(self, rule, form, couplings, others=None, **parameters):
        self.supervised = checked_choice(rule, "rule", RULES) == "supervised"
        self.binomial = checked_choice(form, "form", FORMS) == "binomial"
        if couplings is not None:
            checked_choice(couplings, "couplings", COUPLINGS)
        self.rule, self.couplings = rule, couplings
        self.grid = common_grid(**(others or {}), **parameters)
        flat, self.shape = on_grid(self.grid)
        self.flat = dict(zip([*(others or {}), *parameters], flat, strict=True))
        given = {name: self.flat[name] for name in parameters}
        if "dataset_entropy" not in given:
            given["dataset_entropy"] = dataset_entropy(given["quality"], given["n_examples"])
        none = np.zeros_like(given["dataset_entropy"])
        self.point = {
            name: given.get(name, none)
            for name in ("temperature", "interaction", "dataset_entropy", "quality", "n_examples")
        }
        self.unit = self._unit()  # of energy and temperature, in units of the inner one
        self.point["temperature"] = self.point["temperature"] / self.unit

    def _unit(self):
        unit = (1 + self.point["dataset_entropy"]) ** (self.point["interaction"] / 2)
        plain = np.ones_like(unit)
        if self.couplings is None:
            return np.where(self.supervised | (self.point["interaction"] == 2), plain, unit)
        return unit if self.couplings == "quality" else plain

    def convention(self):
        """H, load and units in words."""
        return convention(self.rule, self.couplings)

    def systems(self):
        """The distinct `Systems`, and which of them every point of the grid is (point,)."""
        table = np.stack(list(self.point.values()))
        distinct, index = np.unique(table, axis=1, return_inverse=True)
        systems = Systems(*distinct, supervised=self.supervised, binomial=self.binomial)
        return systems, index.ravel()

    def phase(self, systems, at, alpha, a, b, where):
        """What solutions a, b (point,) of the systems at (point,) predict: name -> (point,).

        where: their places on the grid, for the units.
        """
        found = thermodynamics(systems, at, alpha, a, b)
        unit = self.unit[where]
        rho = systems.dataset_entropy[at]
        for name in ("noise", "free_energy", "energy"):
            found[name] = found[name] * unit
        found["C"] = found["C"] / unit
        raw = found["n"] * systems.quality[at] * np.sqrt(1 + rho)
        found["example_overlap"] = raw
        found["n"] = found["n"] * unit ** (1 / systems.interaction[at])
        return found


def thermodynamics(systems, at, alpha, a, b):
    """Order parameters and thermodynamics in inner units: name -> (point,); see the module."""
    average = systems.averages(at, a, b)
    points = on_curve(systems, at, a, b)
    P, T = systems.interaction[at], systems.temperature[at]
    n, q, C = average.n, average.q, average.C
    pair = P == 2
    energy, entropy, error = np.empty((3, a.size))
    for here, evaluate in ((pair, _pair), (~pair, _dense)):
        part = np.flatnonzero(here)
        values = [v[part] for v in (at, alpha, b, n, q, C)]
        energy[part], entropy[part], error[part] = evaluate(systems, *values)
    entropy += average.entropy
    # Where T is zero, or so small that the ratio overflows, the infinite limit is the answer.
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        instability = (P - 1) * b**2 / q * average.sech_fourth / T
    return {
        "m": average.m,
        "n": n,
        "q": q,
        "C": C,
        "noise": b,
        "free_energy": energy - T * entropy,
        "energy": energy,
        "entropy": entropy,
        "replicon": 1 - np.where(T == 0, np.inf, instability),
        "longitudinal": points.longitudinal,
        "residual": np.maximum(np.abs(points.error), error),
    }


def _pair(systems, at, alpha, b, n, q, C):
    second, extra = systems.second[at], systems.extra[at]
    others = 0 if systems.supervised else systems.n_examples[at] - 1
    K = 1 + extra * ((1 - C) / (1 - second * C)) ** 2
    error = np.abs(b * (1 - C) - np.sqrt(alpha * q * K))
    # 1 - C from the equation of the noise keeps its relative precision where C is close to 1.
    free = np.sqrt(alpha * q * K) / b
    energy = -(n**2) / 2 - alpha / 2 * (C / free + extra * C / (1 - second * C)) - b**2 * C / 2
    entropy = -alpha / 2 * (np.log(free) + C / free)
    entropy -= alpha / 2 * others * (np.log1p(-second * C) + second * C / (1 - second * C))
    return energy, entropy, error


def _dense(systems, at, alpha, b, n, q, C):
    P = systems.interaction[at]
    A = systems.noise[at] * alpha
    error = np.abs(b - np.sqrt(A * q ** (P - 1)))
    geometric, weighted = np.zeros_like(q), np.zeros_like(q)
    for j in range(int(P.max(initial=0))):
        geometric += np.where(j < P, q**j, 0)
        weighted += np.where(j < P - 1, (j + 1) * q**j, 0)
    return -(n**P) / P - A * C * geometric / P, -A * C**2 * weighted / (2 * P), error

"""From other papers' units to ours and back, one function a convention, each named after it.

Ours: H = -((P-1)!/N^(P-1)) sum_mu sum_(i1<..<iP) xi..xi s..s, or with all diagonals
H = -(N/P) sum_mu m_mu^P; at P = 2 both are -(1/2) sum_(i != j) J_ij s_i s_j up to a constant.
Weight exp(-H/T), P(s_i = +1) = 1/(1 + exp(-2 h_i/T)), load alpha = K/N^(P-1). The reduced load,
the variance of the cross-talk field of a frozen state, is alpha (P-1)! for distinct indices and
alpha (2P-3)!! for the full power.

A temperature or a load must be converted before it is compared: read the prefactor a off the
H of the paper (or off its weight exp(-beta' H'), where a factor such as 2/P! may hide in beta'),
see whether its sum runs over i1 < .. < iP or over all indices, and take

    Energies(a, "ordered") or Energies(a, "all")     energies and temperatures of any such H
    ..._krotov_hopfield                              E = -sum_mu F(S_mu), F = x^P
    load_from_..., load_to_..., reduced_load         loads in other units than N^(P-1)
    ..._p_spin, ferromagnetic_bias                   the P-spin glass in its standard units
    ..._single_field, ..._binary_neurons             heat bath without its factor 2; V in {0, 1}
    ..._quality, dataset_entropy, tensor_entropy     learning from examples

(each temperature_from_... has its inverse temperature_to_...). Everything is plain arithmetic:
numbers, arrays and DataArrays go in and come out.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import gamma

from hopfield_sim.theory.labels import parameter

NORMALISATIONS = ("distinct", "full")


@dataclass(frozen=True)
class Energies:
    """Another paper's unit of energy: H_ours = H_theirs/unit, T_ours = T_theirs/unit, f likewise.

        H' = -(a/N^(P-1)) sum_mu sum_(i1<..<iP) xi..xi s..s     indices "ordered", unit a/(P-1)!
        H' = -(a/N^(P-1)) sum_mu sum over all i1..iP = -a N sum_mu m_mu^P     "all", unit a P

    Args:
        prefactor: a, read off their H.
        indices: "ordered" (i1 < .. < iP) or "all".

    Raises:
        ValueError: indices is another word, or the prefactor is not positive.
    """

    prefactor: float
    indices: str = "ordered"

    def __post_init__(self):
        if self.indices not in ("ordered", "all"):
            raise ValueError(f"indices is {self.indices!r}; it must be 'ordered' or 'all'")
        if not np.all(np.asarray(self.prefactor) > 0):
            raise ValueError(f"prefactor is {self.prefactor}; it must be > 0")

    def unit(self, interaction):
        """Their energy of what has energy 1 here: a/(P-1)! or a P."""
        P = _given(interaction, "interaction")
        return _plain(self.prefactor) * (P if self.indices == "all" else 1 / _factorial(P - 1))

    def temperature(self, theirs, interaction):
        """T = T' (P-1)!/a for ordered indices, T'/(a P) for all; their beta' is 1/T'."""
        return _given(theirs, "temperature") / self.unit(interaction)

    def their_temperature(self, temperature, interaction):
        """T' = T a/(P-1)! or T a P: the inverse of `temperature`."""
        return _given(temperature, "temperature") * self.unit(interaction)

    def energy(self, theirs, interaction):
        """Energies and free energies: E' (P-1)!/a for ordered indices, E'/(a P) for all."""
        return _plain(theirs) / self.unit(interaction)

    def their_energy(self, energy, interaction):
        """The inverse of `energy`."""
        return _plain(energy) * self.unit(interaction)


def temperature_from_krotov_hopfield(temperature, interaction, n_neurons):
    """T = T'/(P N^(P-1)) for E' = -sum_mu F(S_mu) with F = x^P, S_mu = N m_mu (full power).

    At T = 0 the rules are identical.

    Raises:
        ValueError: a parameter outside its domain, by name; so everywhere in this module.

    Source: D. Krotov, J. J. Hopfield, Adv. Neural Inf. Process. Syst. 29 (2016).
    """
    return _given(temperature, "temperature") / _krotov_hopfield(interaction, n_neurons)


def temperature_to_krotov_hopfield(temperature, interaction, n_neurons):
    """T' = T P N^(P-1): the inverse of `temperature_from_krotov_hopfield`."""
    return _given(temperature, "temperature") * _krotov_hopfield(interaction, n_neurons)


def energy_from_krotov_hopfield(energy, interaction, n_neurons):
    """H = E'/(P N^(P-1)), for energies and free energies; see the temperature."""
    return _plain(energy) / _krotov_hopfield(interaction, n_neurons)


def energy_to_krotov_hopfield(energy, interaction, n_neurons):
    """E' = H P N^(P-1): the inverse of `energy_from_krotov_hopfield`."""
    return _plain(energy) * _krotov_hopfield(interaction, n_neurons)


def load_from_patterns(n_patterns, n_neurons, interaction=2):
    """alpha = K/N^(P-1)."""
    P, N = _given(interaction, "interaction"), _given(n_neurons, "n_neurons")
    return _given(n_patterns, "n_patterns") / N ** (P - 1.0)


def load_from_monomials(alpha, interaction):
    """alpha = alpha'/(P-1)! for K = alpha' N^(P-1)/(P-1)!; alpha' is then our reduced load."""
    return _given(alpha, "alpha") / _factorial(_given(interaction, "interaction") - 1)


def load_to_monomials(alpha, interaction):
    """alpha' = alpha (P-1)!: the inverse of `load_from_monomials`."""
    return _given(alpha, "alpha") * _factorial(_given(interaction, "interaction") - 1)


def load_from_tuples(alpha, interaction):
    """alpha = alpha'/P! for K = alpha' N^(P-1)/P! (patterns per P-tuple of neurons, times N)."""
    return _given(alpha, "alpha") / _factorial(_given(interaction, "interaction"))


def load_to_tuples(alpha, interaction):
    """alpha' = alpha P!: the inverse of `load_from_tuples`."""
    return _given(alpha, "alpha") * _factorial(_given(interaction, "interaction"))


def load_from_half_tuples(alpha, interaction):
    """alpha = 2 alpha'/P! for K = 2 alpha' N^(P-1)/P!, which is alpha' at P = 2."""
    return 2 * load_from_tuples(alpha, interaction)


def load_to_half_tuples(alpha, interaction):
    """alpha' = alpha P!/2: the inverse of `load_from_half_tuples`."""
    return load_to_tuples(alpha, interaction) / 2


def reduced_load(alpha, interaction, normalisation="distinct"):
    """alpha (P-1)! for distinct indices, alpha (2P-3)!! for the full power -(N/P) sum m^P.

    The variance of the cross-talk field of a frozen state, on which nearly all results depend.

    Raises:
        ValueError: normalisation is neither "distinct" nor "full".
    """
    return _given(alpha, "alpha") * _load_unit(interaction, normalisation)


def load_from_reduced(reduced_load, interaction, normalisation="distinct"):
    """alpha from the variance of the cross-talk field: the inverse of `reduced_load`."""
    return _given(reduced_load, "reduced_load") / _load_unit(interaction, normalisation)


def p_spin_coupling(reduced_load, interaction):
    """J = sqrt(2 reduced_load/P) of the P-spin glass with E[H H'] = N J^2 q^P/2 ("standard").

    The cross-talk of a P-body network is that glass, P >= 3; the condensed pattern is a
    ferromagnetic bias, see `ferromagnetic_bias`.
    """
    variance = _given(reduced_load, "reduced_load")
    return np.sqrt(2 * variance / _given(interaction, "interaction"))


def temperature_from_p_spin(temperature, reduced_load, interaction):
    """T = J T' for a temperature T' in units of the standard J of the P-spin glass."""
    return _given(temperature, "temperature") * p_spin_coupling(reduced_load, interaction)


def temperature_to_p_spin(temperature, reduced_load, interaction):
    """T' = T/J: the inverse of `temperature_from_p_spin`."""
    return _given(temperature, "temperature") / p_spin_coupling(reduced_load, interaction)


def energy_from_p_spin(energy, reduced_load, interaction):
    """e = J e' for an energy e' in units of the standard J of the P-spin glass."""
    return _plain(energy) * p_spin_coupling(reduced_load, interaction)


def energy_to_p_spin(energy, reduced_load, interaction):
    """e' = e/J: the inverse of `energy_from_p_spin`."""
    return _plain(energy) / p_spin_coupling(reduced_load, interaction)


def ferromagnetic_bias(reduced_load, interaction):
    """j0/J = 1/sqrt(2 P reduced_load) of the P-spin glass with the further energy -N j0 m^P."""
    variance = _given(reduced_load, "reduced_load")
    return 1 / np.sqrt(2 * _given(interaction, "interaction") * variance)


def reduced_load_from_bias(bias_ratio, interaction):
    """The reduced load 1/(2 P (j0/J)^2): the inverse of `ferromagnetic_bias`; j0/J > 0."""
    if not np.all(np.asarray(bias_ratio) > 0):
        raise ValueError(f"bias_ratio is {bias_ratio}; j0/J must be > 0")
    return 1 / (2 * _given(interaction, "interaction") * _plain(bias_ratio) ** 2)


def temperature_from_single_field(temperature):
    """T = 2 T' for heat-bath probabilities written P(s = +1) = 1/(1 + exp(-h/T'))."""
    return 2 * _given(temperature, "temperature")


def temperature_to_single_field(temperature):
    """T' = T/2: the inverse of `temperature_from_single_field`."""
    return _given(temperature, "temperature") / 2


def temperature_from_binary_neurons(temperature):
    """T = 4 T' for V in {0, 1} with H' = -(1/2) sum_(i != j) J_ij V_i V_j + sum_i theta_i V_i.

    The couplings J_ij are the same, and the thresholds are theta_i = (1/2) sum_j J_ij: with
    V = (1 + s)/2, H' = H/4 + constant. With other thresholds it is a network in fields.
    """
    return 4 * _given(temperature, "temperature")


def temperature_to_binary_neurons(temperature):
    """T' = T/4: the inverse of `temperature_from_binary_neurons`."""
    return _given(temperature, "temperature") / 4


def dataset_entropy(quality, n_examples):
    """rho = (1 - r^2)/(M r^2) of M examples of quality r."""
    r, M = _given(quality, "quality"), _given(n_examples, "n_examples")
    return (1 - r) * (1 + r) / (M * r**2)


def tensor_entropy(quality, n_examples, interaction):
    """rho_P = (1 - r^2P)/(M r^2P): 1 + rho_P multiplies the unsupervised reduced load."""
    power = _given(quality, "quality") ** (2.0 * _given(interaction, "interaction"))
    return (1 - power) / (_given(n_examples, "n_examples") * power)


def temperature_from_quality(temperature, quality, n_examples, interaction):
    """T = T' (1 + rho)^(-P/2): from couplings divided by r^P to couplings divided by G^(P/2).

    G = r^2 (1 + rho) is the mean square of a class average. At P = 2 these are the two
    unsupervised couplings (1/(N M r^2)) sum eta eta and (1/(N M G)) sum eta eta: a factor 1 + rho.
    In `examples` they are couplings="quality" and couplings="variance".
    """
    unit = _quality_unit(quality, n_examples, interaction)
    return _given(temperature, "temperature") / unit


def temperature_to_quality(temperature, quality, n_examples, interaction):
    """T' = T (1 + rho)^(P/2): the inverse of `temperature_from_quality`."""
    unit = _quality_unit(quality, n_examples, interaction)
    return _given(temperature, "temperature") * unit


def _quality_unit(quality, n_examples, interaction):
    P = _given(interaction, "interaction")
    return (1 + dataset_entropy(quality, n_examples)) ** (P / 2)


def _krotov_hopfield(interaction, n_neurons):
    P = _given(interaction, "interaction")
    return P * _given(n_neurons, "n_neurons") ** (P - 1.0)


def _load_unit(interaction, normalisation):
    P = _given(interaction, "interaction")
    if normalisation == "distinct":
        return _factorial(P - 1)
    if normalisation == "full":
        # (2P-3)!! = 2^(P-1) Gamma(P - 1/2)/sqrt(pi)
        return np.rint(2.0 ** (P - 1) * gamma(P - 0.5) / np.sqrt(np.pi))
    raise ValueError(
        f"normalisation is {normalisation!r}; it must be one of "
        f"{', '.join(map(repr, NORMALISATIONS))}"
    )


def _factorial(number):
    return gamma(number + 1.0)


def _given(values, name):
    """`values` as they are, once they are known to be in the domain of the parameter."""
    parameter(np.ravel(np.asarray(values)), name)
    return _plain(values)


def _plain(values):
    """Lists and tuples as arrays, everything else as it is."""
    return np.asarray(values) if isinstance(values, list | tuple) else values

"""Averages over the neurons of a multitasking network that has learned from examples.

A neuron has entries x_k of P archetypes, blank with probability d, and class averages
x_k e_k of M examples, e = (2j - M)/M with j binomial, Bin(M, (1 + r)/2). With
zeta_k = x_k e_k/sqrt(G), G = r^2 (1 + rho), its field is h = sum_k zeta_k w_k.

- *binomial*: the sum over all values of the zeta. Given them the entries are independent, of mean
  u_k = E(x_k | zeta_k), so there is no further sum over these.
- *gaussian*: given the entries, zeta_k = (x_k + sqrt(rho) |x_k| z_k)/sqrt(1 + rho) with z_k normal
  (many examples). Then h is Gaussian of mean A and width B, and

      E zeta_k F(h) = x_k E F/sqrt(1 + rho) + (rho/(1 + rho)) x_k^2 w_k E F'
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from hopfield_sim.theory.examples_averages import class_averages
from hopfield_sim.theory.multitasking_flow import columns, of_fields, probabilities
from hopfield_sim.theory.quadrature import thermal_averages

# With more states than these the sum over them is not done.
MOST_STATES = 200_000
# Of all the states' probabilities together, this part may be left out.
_NOTHING = 1e-15


class Sites(NamedTuple):
    """The states of a neuron's class averages, one of each pair of opposite ones."""

    zeta: np.ndarray  # (state, pattern)
    expected: np.ndarray  # E(x_k | zeta), (state, pattern)
    first: np.ndarray  # E(first entry that is not blank | zeta), (state,)
    example: np.ndarray  # x_k^2 (1 - e_k^2)/((M - 1) G), (state, pattern)
    blanks: np.ndarray  # how many entries are blank, (state,)
    share: np.ndarray  # probability, given which entries are blank, of both of a pair, (state,)


class Averages(NamedTuple):
    """Averages over the neurons at given weights w."""

    n: np.ndarray  # E zeta_k tanh(h/T), (point, pattern)
    m: np.ndarray  # E x_k tanh(h/T), (point, pattern)
    first: np.ndarray  # E (first entry that is not blank) tanh(h/T), (point,)
    q: np.ndarray  # (point,)
    entropy: np.ndarray  # of the spins in their fields, (point,)
    example: np.ndarray  # beta E x_k^2 (1 - e_k^2) sech^2(h/T)/((M - 1) G), (point, pattern)
    slopes: np.ndarray  # d n_k/d w_l, (point, pattern, pattern); infinite for free neurons


def n_states(n_patterns, quality, n_examples):
    """How many states `sites` has, or one less."""
    size, _, _ = class_averages(float(quality), int(n_examples))
    return (2 * size.size + (size[0] != 0)) ** n_patterns // 2


@lru_cache(maxsize=16)
def sites(n_patterns, quality, n_examples):
    """The states of neurons with so many archetypes, and examples of each: `Sites`."""
    size, total, excess = class_averages(quality, n_examples)
    some = size > 0  # a class average of zero is its own opposite, and other than a blank
    value = np.concatenate([[0.0], size[some], -size[some], size[~some]])
    aligned = (excess / total)[some]
    mean = np.concatenate([[0.0], aligned, -aligned, 0 * size[~some]])
    chance = np.concatenate([[1.0], total[some] / 2, total[some] / 2, total[~some]])
    active = np.arange(value.size) > 0
    variance = quality**2 + (1 - quality**2) / n_examples
    spread = active * (1 - value**2 * variance) / (max(n_examples - 1, 1) * variance)
    state = np.indices((value.size,) * n_patterns).reshape(n_patterns, -1).T
    lead = value[state[np.arange(len(state)), (value[state] != 0).argmax(axis=1)]]
    state, lead = state[lead >= 0], lead[lead >= 0]
    filled = active[state]
    first = mean[state[np.arange(len(state)), filled.argmax(axis=1)]]
    share = chance[state].prod(axis=1) * np.where(lead > 0, 2, 1)
    blanks = n_patterns - filled.sum(axis=1)
    # The least likely states of each kind together are nothing.
    rising = np.argsort(share)
    kept = np.cumsum(share[rising]) > _NOTHING
    kept = np.sort(rising[kept])
    found = Sites(value[state], mean[state], first, spread[state], blanks, share)
    return Sites(*(values[kept] for values in found))


def binomial_overlaps(weight, d, T, quality, n_examples):
    """Only n of `binomial_averages`."""
    at = sites(weight.shape[1], float(quality), int(n_examples))
    _, tanh, _ = of_fields(weight, at.zeta, T)
    return (_chance(at, d) * tanh) @ at.zeta


def binomial_averages(weight, d, T, quality, n_examples):
    """`Averages` over the exact class averages.

    weight: w, not negative, (point, pattern); d, T: (point,); quality, n_examples: numbers.
    """
    n_patterns = weight.shape[1]
    at = sites(n_patterns, float(quality), int(n_examples))
    sech_squared, tanh, entropy = of_fields(weight, at.zeta, T)
    chance = _chance(at, d)
    aligned = chance * tanh
    soft = chance * sech_squared
    pairs = (at.zeta[:, :, None] * at.zeta[:, None, :]).reshape(len(at.zeta), -1)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        response = [
            np.where(found == 0, 0, found / T[:, None])
            for found in (soft @ at.example, soft @ pairs)
        ]
    return Averages(
        n=aligned @ at.zeta,
        m=aligned @ at.expected,
        first=aligned @ at.first,
        q=np.sum(aligned * tanh, axis=1),
        entropy=np.sum(chance * entropy, axis=1),
        example=response[0],
        slopes=response[1].reshape(-1, n_patterns, n_patterns),
    )


def _chance(at, d):
    d = d[:, None]
    blanks = np.arange(at.zeta.shape[1] + 1)
    return (d**blanks * (1 - d) ** blanks[::-1])[:, at.blanks] * at.share


def gaussian_averages(weight, d, T, rho):
    """`Averages` over Gaussian class averages; all arguments (point, ...)."""
    n_patterns = weight.shape[1]
    x, _ = columns(n_patterns)
    filled = x**2
    first = x[np.arange(len(x)), (x != 0).argmax(axis=1)]
    mean, variance = 1 / np.sqrt(1 + rho), rho / (1 + rho)
    width = np.sqrt(variance[:, None] * (weight**2 @ filled.T))
    field = thermal_averages(mean[:, None] * (weight @ x.T), width, T[:, None])
    chance = probabilities(d, n_patterns)
    m = (chance * field.tanh) @ x
    # Blank columns, and those that do not occur, respond to nothing.
    there = (chance > 0) & (filled.sum(axis=1) > 0)
    slope, slope_z, slope_zz = (
        np.where(there, values, 0) for values in (field.slope, field.slope_z, field.slope_zz)
    )
    noisy = variance > 0
    # Derivatives by w_l: of the mean field mean x_l, of its width variance x_l^2 w_l/width.
    safe = np.where(width > 0, width, 1)
    by_mean = mean[:, None, None] * x
    by_width = variance[:, None, None] * filled * weight[:, None, :] / safe[..., None]

    def moved(mean_part, width_part):
        return mean_part[..., None] * by_mean + width_part[..., None] * by_width

    with np.errstate(invalid="ignore"):  # free neurons of a sharp field
        soft = variance[:, None] * ((chance * slope) @ filled)
        soft[~noisy] = 0
        slopes = np.einsum("pc,pck,pcl->pkl", chance, by_mean, moved(slope, slope_z))
        curved = moved(slope_z / safe, (slope_zz - slope) / safe)
        outer = np.einsum("pc,ck,pcl->pkl", chance, filled, curved)
        outer *= (variance[:, None] * weight)[..., None]
    slopes[noisy] += outer[noisy]
    slopes += soft[:, :, None] * np.eye(n_patterns)
    return Averages(
        n=mean[:, None] * m + weight * soft,
        m=m,
        first=(chance * field.tanh) @ first,
        q=np.sum(chance * field.tanh_squared, axis=1),
        entropy=np.sum(chance * field.entropy, axis=1),
        example=soft,
        slopes=slopes,
    )

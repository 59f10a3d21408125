"""Dense networks, H = -sum_mu F(S_mu) and its relatives: any integer patterns, one chain at a time.

The memory of a lane is its overlaps S_mu = sum_i x_i^mu s_i. A visit of site i

1. computes what a flip would cost, an exact difference of the energy before and after it, in which
   every S_mu moves to S_mu - 2 s_i x_i^mu (so there is no self-field);
2. flips where that cost is below the threshold, and moves the overlaps by 2 s_i x_i^mu.

What the energy is says `Network.kind`. All numbers are integers:

* TABLE: F(S) for all overlaps that can occur, rounded once; two look-ups a pattern and visit.
* SYMMETRIC: e_P, the elementary symmetric function of the x_i s_i (*distinct* indices), by Newton's
  identities from power sums p_j = sum_i (x_i s_i)^j; the odd ones move with the spins and are the
  memory (p_1, p_3, ... below P, one row of K behind the other); P^2 / 2 products a pattern and
  visit.
* LOGARITHM and EXPONENTIAL: the *level* of a state, 2^30 log2 sum_mu 2^(a S_mu), see `_level`; two
  passes over the patterns a visit.

Cost: O(K) a visit, O(K) a flip; memory N K bytes for the patterns (2 N K beyond 127). `dense_bits`
is the fast form for +-1 patterns with a TABLE; `reference.sweep_dense` is the judge of both.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hopfield_sim.device import compiled
from hopfield_sim.kernels.draws import fill_sweep
from hopfield_sim.randomness import NONE, PARALLEL, RANDOM

TABLE, SYMMETRIC, LOGARITHM, EXPONENTIAL = range(4)

FRACTION = 30
"""Levels are logarithms to base two in units of 2^-30."""

_STEPS = 12  # 2^x of a fraction x: straight lines between 2^12 + 1 points


class Network(NamedTuple):
    """What the energy of a dense network is made of: integers only."""

    by_site: np.ndarray  # int8 or int16 (neuron, pattern)
    kind: int  # TABLE, SYMMETRIC, LOGARITHM or EXPONENTIAL
    largest: int  # R, the largest |S| that can occur
    table: np.ndarray  # int64: F(S) at S + R; or weights round(2^B 2^(-a d)) of d = S_max - S
    order: int  # P of SYMMETRIC
    even: np.ndarray  # int64 (P // 2, pattern): p_2, p_4, ... of SYMMETRIC
    slope: int  # a of LOGARITHM and EXPONENTIAL, in units of 2^-30
    scale: int  # EXPONENTIAL: the energy is -2^(level - level of S = R) in units of 2^-scale
    powers: np.ndarray  # int64 (4097,): round(2^30 2^(k / 4096)) of EXPONENTIAL


_NOTHING = np.zeros(0, np.int64)


def network(by_site: np.ndarray, kind: int, largest: int, table=_NOTHING, **options) -> Network:
    """A `Network`; what its kind does not need may be left out. by_site: (neuron, pattern)."""
    narrow = np.int8 if np.abs(by_site).max() <= 127 else np.int16
    empty = {
        "order": 0,
        "even": np.zeros((0, by_site.shape[1]), np.int64),
        "slope": 0,
        "scale": 0,
        "powers": _NOTHING,
    }
    by_site = np.ascontiguousarray(by_site, dtype=narrow)
    return Network(by_site, kind, largest, table, **(empty | options))


@compiled
def sweep_dense(network, diagonal, spins, memory, draws, first_sweep, n_sweeps, flips):
    """Sweeps in place, `flip i when cost_i < theta_i`; any order.

    network: `Network`; diagonal: int64 (neuron,), not used (costs have no self-coupling); spins:
    int8 (lane, neuron); memory: int16 or wider (lane, rows x pattern); draws: `randomness.Draws`;
    flips: int64 (lane,), added to. In parallel order all decisions use the state before the step.
    """
    kind, order = draws.kind, draws.order
    n_neurons = spins.shape[1]
    words = np.empty(4 * ((n_neurons + 3) // 4), np.uint32)
    theta = np.zeros(n_neurons, np.int64)
    site_of_visit = np.arange(n_neurons)
    moved = np.empty(n_neurons, np.int64)
    for lane in range(spins.shape[0]):
        s = spins[lane]
        m = memory[lane]
        cold = kind == NONE or draws.scale[lane] == 0
        level = _state_level(network, m)
        flipped = 0
        for sweep in range(first_sweep, first_sweep + n_sweeps):
            fill_sweep(theta, site_of_visit, words, draws, lane, sweep)
            n_moved = 0
            for visit in range(n_neurons):
                i = site_of_visit[visit]
                cost, after = _cost(network, m, i, s[i], level, cold)
                if cost < theta[visit]:
                    moved[n_moved] = i
                    n_moved += 1
                    if order != PARALLEL:
                        level = after
                        s[i] = -s[i]
                        _move(network, m, i, s[i])
            if order == PARALLEL:
                for i in moved[:n_moved]:
                    s[i] = -s[i]
                    _move(network, m, i, s[i])
                level = _state_level(network, m)
            flipped += n_moved
            if kind == NONE and order != RANDOM and n_moved == 0:
                break  # a fixed point: no later sweep would move
        flips[lane] += flipped


@compiled
def costs(network, spins, memory, out):
    """out: int64 (lane, neuron), what each flip would cost; arguments as `sweep_dense`."""
    for lane in range(len(spins)):
        level = _state_level(network, memory[lane])
        for i in range(spins.shape[1]):
            out[lane, i], _ = _cost(network, memory[lane], i, spins[lane, i], level, False)


@compiled
def energies(network, memory, out):
    """out: int64 (lane,), the energies of LOGARITHM and EXPONENTIAL in their unit."""
    for lane in range(len(memory)):
        level = _state_level(network, memory[lane])
        if network.kind == LOGARITHM:
            out[lane] = _log2(network.table[0]) - level
        else:
            out[lane] = -_exponential(network, level)


@compiled
def _move(network, m, i, spin):
    """The power sums after site i has become `spin`."""
    x = network.by_site[i]
    for k in range(x.size):
        m[k] += 2 * spin * x[k]
    if network.kind == SYMMETRIC:
        for row in range(1, m.size // x.size):
            for k in range(x.size):
                m[row * x.size + k] += 2 * spin * np.int64(x[k]) ** (2 * row + 1)


@compiled
def _cost(network, m, i, spin, level, cold):
    """What a flip of site i costs, and the level after it (0 where there are no levels).

    cold: EXPONENTIAL compares levels at zero temperature (its energy is monotone in them), where
    the energies themselves may both be too small to be told apart.
    """
    x = network.by_site[i]
    if network.kind == TABLE:
        return _table_cost(x, m, spin, network.table, network.largest), np.int64(0)
    if network.kind == SYMMETRIC:
        return _symmetric_cost(x, m, spin, network.order, network.even), np.int64(0)
    after = _level(x, m, -2 * np.int64(spin), network.table, network.slope)
    if network.kind == LOGARITHM or cold:
        return level - after, after
    return _exponential(network, level) - _exponential(network, after), after


@compiled
def _table_cost(x, m, spin, table, largest):
    """sum_mu F(S_mu) - F(S_mu - 2 s_i x_i^mu)."""
    twice = 2 * np.int64(spin)
    total = np.int64(0)
    for k in range(x.size):
        here = np.int64(m[k]) + largest
        total += table[np.uint64(here)] - table[np.uint64(here - twice * x[k])]
    return total


@compiled
def _symmetric_cost(x, m, spin, order, even):
    """sum_mu y e_{P-1}(the other sites), y = x_i^mu s_i: half the cost in units of e_P.

    f_n = n! e_n without a division, by Newton: f_n = sum_{j=1..n} (-1)^(j-1) (n-1)!/(n-j)! f_{n-j}
    p_j, with p_j of the other sites; written out for P = 3 and 4. Integers may wrap around in
    between; the sum of the y f_{P-1} must fit.
    """
    s = np.int64(spin)
    total = np.int64(0)
    if order == 3:
        p_2 = even[0]
        for k in range(x.size):
            y = s * x[k]
            p_1 = m[k] - y
            total += y * (p_1 * p_1 - (p_2[k] - y * y))
        return total // 2
    if order == 4:
        p_2, p_3 = even[0], m[x.size :]
        for k in range(x.size):
            y = s * x[k]
            p_1 = m[k] - y
            total += y * (p_1 * (p_1 * p_1 - 3 * (p_2[k] - y * y)) + 2 * (p_3[k] - y * y * y))
        return total // 6
    power_sums = np.empty(order, np.int64)
    f = np.empty(order, np.int64)
    f[0] = 1
    for k in range(x.size):
        y = s * x[k]
        power = np.int64(1)
        for j in range(1, order):
            power *= y
            held = m[(j >> 1) * x.size + k] if j & 1 else even[(j >> 1) - 1, k]
            power_sums[j] = np.int64(held) - power
        for n in range(1, order):
            f[n] = 0
            factor = np.int64(1)
            for j in range(1, n + 1):
                f[n] += factor * f[n - j] * power_sums[j]
                factor *= -(n - j)
        total += y * f[order - 1]
    factorial = np.int64(1)
    for n in range(2, order):
        factorial *= n
    return total // factorial


@compiled
def _state_level(network, m):
    """The level of a state; 0 where the energy has none."""
    if network.kind < LOGARITHM:
        return np.int64(0)
    return _level(network.by_site[0], m, np.int64(0), network.table, network.slope)


@compiled
def _level(x, m, change, weights, slope):
    """2^30 log2 sum_mu 2^(a S_mu), less a constant, of overlaps S_mu = m_mu + change x_mu.

    level = slope S_max + log2 Z,  Z = sum_mu w(S_max - S_mu),  w(d) = round(2^B 2^(-a d)).

    A function of the state alone, whatever led to it: sums of weights are exact integers, and the
    logarithm is an integer function of Z that never decreases.
    """
    top = np.int64(m[0]) + change * x[0]
    for k in range(1, x.size):
        top = max(top, np.int64(m[k]) + change * x[k])
    z = np.int64(0)
    for k in range(x.size):
        z += weights[np.uint64(top - m[k] - change * x[k])]
    return slope * top + _log2(z)


@compiled
def _log2(z):
    """2^30 log2 z of an integer z >= 1, from below, within 2: digit by digit, by squaring.

    Never decreases with z: each step is monotone in y, and equal digits keep the order.
    """
    y = np.uint64(z)
    digits = np.int64(31)
    while y >= np.uint64(1) << np.uint64(32):
        y >>= np.uint64(1)
        digits += 1
    while y < np.uint64(1) << np.uint64(31):
        y <<= np.uint64(1)
        digits -= 1
    for _ in range(FRACTION):
        y = (y * y) >> np.uint64(31)
        digits *= 2
        if y >= np.uint64(1) << np.uint64(32):
            y >>= np.uint64(1)
            digits += 1
    return digits


@compiled
def _exponential(network, level):
    """2^(scale + level - slope R) of a level, an integer that never decreases with it."""
    # what is counted from: the level of a single pattern with S = R, whose weight is w(0) = 2^B
    exponent = level - network.slope * network.largest - _log2(network.table[0])
    whole = exponent >> FRACTION
    fraction = exponent & ((1 << FRACTION) - 1)
    rest = FRACTION - _STEPS
    place = fraction >> rest
    low = network.powers[place]
    step = network.powers[place + 1] - low
    value = low + ((step * (fraction & ((1 << rest) - 1))) >> rest)
    shift = whole + network.scale - FRACTION
    if shift >= 0:
        return value << shift
    return value >> min(-shift, 62)

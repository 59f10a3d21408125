"""One batch of the generating functional of synchronous recall: sampled trajectories of one neuron.

The equations are those of `transient.exact`. With L the Cholesky factor of Cov z and z = L x, x
independent standard Gaussians, integration by parts gives the response without any derivative:

    G(t+1, .) = <s(t+1) x^T> L^-1 / sqrt(alpha)

Three things take sampling noise away: the mean over the last noise is done in closed form (T = 0:
over x(t), given the past; T > 0: over the heat bath, given the field); the start is weighted to
have exactly the overlap m0; and each x(t) is made to have, in the sample as in law, mean 0,
variance 1 and no correlation with what was before it.

Source: H. Eissfeller, M. Opper, Phys. Rev. Lett. 68 (1992) 2094.
"""

import numpy as np
from scipy.special import erf


def sampled(alpha, start_overlap, temperature, self_coupling, n_steps, samples, random):
    """m(0 ... n_steps) and <s(t) s(t-1)> for t = 1 ... n_steps, from `samples` trajectories.

    Args:
        alpha, start_overlap, temperature, self_coupling: numbers, as in `transient.exact`.
        n_steps, samples: how many.
        random: numpy.random.Generator.

    Returns:
        m (n_steps + 1,) and persistence (n_steps,).
    """
    width = np.sqrt(alpha)
    history = np.empty((2 * n_steps + 2, samples))  # 1, s(0), x(0), s(1), x(1), ...
    history[0] = 1
    spins, noise = history[1::2], history[2::2]
    spins[0], weight = _start(start_overlap, samples)
    m = np.full(n_steps + 1, start_overlap, dtype=float)
    C, G = np.eye(n_steps + 1), np.zeros((n_steps + 1, n_steps + 1))
    L = np.zeros((n_steps, n_steps))
    for t in range(n_steps):
        past = slice(0, t + 1)
        propagator = np.linalg.inv(np.eye(t + 1) - G[past, past])
        memory = propagator[t] @ G[past, past]  # R = G (1 - G)^-1 = (1 - G)^-1 G
        covariance = propagator @ C[past, past] @ propagator.T
        _append_row(L, covariance[t], t, floor=1 / samples)
        field = m[t] + self_coupling * spins[t] + alpha * memory[:t] @ spins[:t]
        field += width * L[t, :t] @ noise[:t]
        noise[t] = _new(random.standard_normal(samples), history[: 2 * t + 2], weight)
        if temperature == 0:
            mean, tilt, spins[t + 1] = _sharp(field, width * L[t, t], noise[t])
        else:
            field += width * L[t, t] * noise[t]
            mean = np.tanh(field / temperature)
            tilt = mean * noise[t]
            spins[t + 1] = np.where(2 * random.random(samples) - 1 < mean, 1, -1)
        weighted = weight * mean
        m[t + 1] = weighted.sum()
        C[t + 1, past] = C[past, t + 1] = spins[past] @ weighted
        G[t + 1, past] = _divided(np.append(noise[:t] @ weighted, weight @ tilt), L) / width
    return m, np.diagonal(C, 1).copy()


def _start(overlap, samples):
    """Spins with weights of sum 1 whose mean is the overlap, both signs in proportion."""
    up = (1 + overlap) / 2
    n_up = round(up * samples)
    n_up = min(max(n_up, up > 0), samples - (up < 1))
    spins = np.where(np.arange(samples) < n_up, 1.0, -1.0)
    shares = up / max(n_up, 1), (1 - up) / max(samples - n_up, 1)
    return spins, np.where(spins > 0, *shares)


def _new(noise, before, weight):
    """Noise without what the sample correlates it with rows that were before it; variance 1."""
    weighted = before * weight
    # Rows that are equal, as spins in a frozen state, share what is taken away.
    share = np.linalg.lstsq(weighted @ before.T, weighted @ noise, rcond=1e-9)[0]
    noise = noise - share @ before
    return noise / np.sqrt(weight @ noise**2)


def _sharp(field, width, noise):
    """Mean of s = sign(field + width x) over x, mean of s x over x, and s at the given x."""
    with np.errstate(divide="ignore", invalid="ignore"):
        level = np.where(width > 0, field / width, np.copysign(np.inf, field))
    tilt = np.sqrt(2 / np.pi) * np.exp(-(level**2) / 2)
    return erf(level / np.sqrt(2)), tilt, np.where(field + width * noise < 0, -1.0, 1.0)


def _append_row(L, covariances, t, floor):
    """Row t of the Cholesky factor. Where less than `floor` of the variance is new (the state is
    frozen, and the difference is sampling noise) nothing is."""
    for j in range(t):
        if L[j, j] > 0:
            L[t, j] = (covariances[j] - L[t, :j] @ L[j, :j]) / L[j, j]
    new = covariances[t] - L[t, :t] @ L[t, :t]
    L[t, t] = np.sqrt(new) if new > floor * covariances[t] else 0.0


def _divided(row, L):
    """row L^-1; no response to noise that is not new."""
    found = np.zeros(row.size)
    for j in reversed(range(row.size)):
        if L[j, j] > 0:
            found[j] = (row[j] - found[j + 1 :] @ L[j + 1 : row.size, j]) / L[j, j]
    return found

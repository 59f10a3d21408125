"""The load at which half of the trials succeed, from yes-or-no trials at loads chosen as they come.

A trial asks whether a pattern was retrieved; the fraction of successes falls with the load along
an S-shaped curve. `threshold` gives its middle with an interval, `next_loads` the loads at which
further trials tell most about the curve: stochastic bisection, in which no answer is final.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from scipy import interpolate, special, stats

PROBABILITIES = (0.68, 0.95)
"""The intervals that `threshold` gives."""

CURVES = ("probit", "logistic")
_NARROW = 1e-3  # smallest width of the prior, as a part of the range of loads
_SKEW = 0.3  # standard deviation of the prior of the skew; a Gumbel law has 0.18
_CUT = 12.0  # log-posterior below its peak that is left out: 5 standard deviations
_POINTS = (31, 17, 13)  # of the posterior, along alpha_c, ln width and skew
_ROUGH = (21, 11, 7)  # of the posterior while its peak is sought, and where loads are chosen
_SMALLEST = 1e-15  # probability: an answer that seems impossible is outvoted
_FEWEST = 1.0  # expected successes and failures at a load that counts in chi^2


def threshold(
    alpha: Sequence[float],
    successes: Sequence[int],
    trials: Sequence[int],
    bounds: tuple[float, float],
    curve: str = "probit",
) -> xr.Dataset:
    """p(alpha) = Phi((alpha_c - alpha) / w), w = width e^-skew below alpha_c, width e^skew above.

    Half of the trials succeed at alpha_c. Each side has a width of its own, so that the curve need
    not be symmetric: otherwise data on its flanks would displace the middle of a skew one.

    Posterior ~ prior x [prod p^successes (1 - p)^(trials - successes)]^(1 / dispersion), on a grid
    over (alpha_c, ln width, skew). Prior: alpha_c uniform within the bounds, ln width uniform from
    ln of 1/1000 of their distance to ln of the whole, skew normal with mean 0 and deviation 0.3.
    The loads may have been chosen after seeing earlier results: that does not change the
    likelihood.

    Trials of one network (several of its patterns) share its disorder and are not independent. They
    are one row, and the scatter between rows tells by how much they count less,

        dispersion = sum_l SSB_l / (v_l)  /  sum_l (K_l - 1),    at least 1,

    SSB_l = sum_k n_k (f_k - f_l)^2 over the K_l rows of a load l, v_l = f_l (1 - f_l) n / (n - 1)
    of all its n trials: the ratio of the variance between networks to that of independent trials.

    alpha, successes, trials: `(row,)`, a row for each network: its load, how many of its patterns
    were tried, how many were retrieved. bounds: loads between which alpha_c is sought.
    curve: "probit", or "logistic": 1 / (1 + exp((alpha - alpha_c) / w)) in place of Phi.
    Returns numbers: `alpha_c`, `width`, `skew`, medians of the posterior; `error`, `width_error`,
    `skew_error`, half of their 68 % intervals; `low`, `high` `(probability,)`, the central 68 and
    95 % intervals of alpha_c; `dispersion`; `chi2` of the curve at its most probable parameters,
    over loads where at least one success and one failure are expected, `dof`, their number minus
    3, and `p`, the probability of a larger chi2 (NaN without degrees of freedom); `networks` and
    `trials` in all.

    Raises ValueError for rows of different numbers, counts that are none, bounds that do not hold
    an interval, an unknown curve, and no trial at all.
    """
    loads, k, n, dispersion = _grouped(alpha, successes, trials)
    posterior = _Posterior(loads, k / dispersion, n / dispersion, bounds, curve)
    tails = (1 - np.array(PROBABILITIES)) / 2
    centre = posterior.quantiles(0, np.concatenate([[0.5], tails, 1 - tails]))
    half = np.array([0.5, tails[0], 1 - tails[0]])
    widths, skews = np.exp(posterior.quantiles(1, half)), posterior.quantiles(2, half)
    expected = n * posterior.most_probable(loads)
    left = np.minimum(expected, n - expected) >= _FEWEST
    residual = (k - expected)[left] ** 2 / (expected * (1 - expected / n) * dispersion)[left]
    dof = int(left.sum()) - 3
    labels = {
        "alpha_c": (centre[0], "load at which half of the trials succeed"),
        "error": ((centre[3] - centre[1]) / 2, "half of the 68 % interval of alpha_c"),
        "width": (widths[0], "width of the transition, geometric mean of both sides"),
        "width_error": ((widths[2] - widths[1]) / 2, "half of the 68 % interval of the width"),
        "skew": (skews[0], "half the logarithm of the width above over that below alpha_c"),
        "skew_error": ((skews[2] - skews[1]) / 2, "half of the 68 % interval of the skew"),
        "dispersion": (dispersion, "variance between networks over that of independent trials"),
        "chi2": (residual.sum(), "squared distance of the fractions from the curve"),
        "dof": (dof, "loads with expected successes and failures, minus 3"),
        "p": (stats.chi2.sf(residual.sum(), dof) if dof > 0 else np.nan, "P(larger chi2)"),
        "networks": (len(np.asarray(alpha)), "number of networks"),
        "trials": (int(n.sum()), "number of trials"),
    }
    variables = {
        name: xr.Variable((), value, {"long_name": long_name, "units": "1"})
        for name, (value, long_name) in labels.items()
    }
    for name, values, word in (("low", centre[1:3], "lower"), ("high", centre[3:5], "upper")):
        described = {"long_name": f"{word} end of the interval of alpha_c", "units": "1"}
        variables[name] = xr.Variable("probability", values, described)
    described = {"long_name": "probability of the interval", "units": "1"}
    coords = {"probability": xr.Variable("probability", list(PROBABILITIES), described)}
    return xr.Dataset(variables, coords, {"curve": curve})


def next_loads(
    alpha: Sequence[float],
    successes: Sequence[int],
    trials: Sequence[int],
    bounds: tuple[float, float],
    candidates: Sequence[float],
    batches: int,
    batch: int,
    curve: str = "probit",
) -> list[float]:
    """argmax_x H(<p(x)>) - <H(<p(x)>_theta)>_theta: the loads whose trials tell most about theta.

    H(p) = -p ln p - (1 - p) ln (1 - p), averages over the posterior of `threshold`: the expected
    information of one trial about theta. In turn theta is alpha_c alone, which asks for loads near
    it, and the whole curve (alpha_c, width, skew), which also asks for loads on both flanks: the
    width is wanted too, and the form of the curve is to be tested. Loads where the answer is known
    are avoided as well as those where only chance is left to be seen. After each choice a batch
    with the expected fraction is counted as if seen, so that several batches spread as they should.

    alpha, successes, trials, bounds, curve: as for `threshold`. candidates: loads to choose from.
    batches: how many to choose; batch: trials of each. Returns the chosen loads, with repetitions,
    in the order of choice: the same for the same arguments.

    Raises what `threshold` raises, and ValueError without a candidate.
    """
    candidates = np.unique(np.asarray(candidates, float))
    if not candidates.size:
        raise ValueError("there is no candidate load to choose from.")
    loads, k, n, dispersion = _grouped(alpha, successes, trials)
    posterior = _Posterior(loads, k / dispersion, n / dispersion, bounds, curve, _ROUGH)
    low, high = posterior.flanks()
    near = candidates[(candidates >= low) & (candidates <= high)]
    if not near.size:  # the posterior is narrower than the distance of the candidates
        middle = posterior.quantiles(0, np.array([0.5]))[0]
        near = candidates[np.argsort(np.abs(candidates - middle), kind="stable")[:2]]
    log_p, log_q = (np.moveaxis(each, -1, 0) for each in posterior.log_probabilities(near))
    p, q = np.exp(log_p), np.exp(log_q)
    noise = p * log_p + q * log_q
    logs, chosen = posterior.logs, []
    for step in range(batches):
        weights = np.exp(logs - logs.max())
        weights /= weights.sum()
        mean = (p * weights).sum((1, 2, 3))
        if step % 2:
            known = -(noise * weights).sum((1, 2, 3))
        else:
            of_alpha_c = weights.sum((1, 2)) + _SMALLEST
            each = (p * weights).sum((2, 3)) / of_alpha_c
            known = (_entropy(each) * of_alpha_c).sum(1)
        gain = _entropy(mean) - known
        # ties are broken alike on every machine: by the smaller load
        best = int(np.argmax(np.round(gain / gain.max(), 9))) if gain.max() > 0 else 0
        chosen.append(float(near[best]))
        seen = mean[best] * log_p[best] + (1 - mean[best]) * log_q[best]
        logs = logs + batch / dispersion * seen
    return chosen


def _entropy(p: np.ndarray) -> np.ndarray:
    return special.entr(p) + special.entr(1 - p)


class _Posterior:
    """The posterior over (alpha_c, ln width, skew), on a grid that covers what is probable."""

    def __init__(self, loads, k, n, bounds, curve, points=_POINTS):
        low, high = (float(value) for value in bounds)
        if not (np.isfinite([low, high]).all() and low < high):
            raise ValueError(f"bounds={bounds!r}: two loads, the smaller first, are needed.")
        if curve not in CURVES:
            raise ValueError(f"curve={curve!r} is unknown; it is one of {CURVES}.")
        self.curve = curve
        widths = np.log([_NARROW * (high - low), high - low])
        prior = np.array([[low, high], widths, [-4 * _SKEW, 4 * _SKEW]])
        box, settled = prior, False
        while not settled:  # the grid closes in on the peak, by a factor of two or more each time
            self._evaluate(box, _ROUGH, loads, k, n)
            probable = np.nonzero(self.logs > -_CUT)
            closer = []
            for axis, found, ends in zip(self.axes, probable, prior, strict=True):
                step = axis[1] - axis[0]
                wide = axis[found.min()] - step, axis[found.max()] + step
                closer.append(np.clip(wide, *ends))
            old, box = box, np.array(closer)
            settled = (np.diff(box) > 0.5 * np.diff(old)).all()
        self._evaluate(box, points, loads, k, n)
        self.weights = np.exp(self.logs)

    def _evaluate(self, box, points, loads, k, n) -> None:
        """The logarithm of the posterior on a grid that covers the box, relative to its peak."""
        self.axes = [np.linspace(*ends, m) for ends, m in zip(box, points, strict=True)]
        log_p, log_q = self.log_probabilities(loads)
        self.logs = log_p @ k + log_q @ (n - k) - (self.axes[2] / _SKEW) ** 2 / 2
        self.logs -= self.logs.max()

    def log_probabilities(self, loads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """ln p and ln (1 - p) on the grid: (alpha_c, ln width, skew, load)."""
        alpha_c, log_width, skew = np.meshgrid(*self.axes, indexing="ij")
        return self._logs(loads, alpha_c[..., None], log_width[..., None], skew[..., None])

    def _logs(self, loads, alpha_c, log_width, skew):
        away = alpha_c - loads
        z = away * np.exp(np.sign(away) * skew - log_width)
        p = (special.expit if self.curve == "logistic" else special.ndtr)(z)
        return np.log(np.maximum(p, _SMALLEST)), np.log(np.maximum(1 - p, _SMALLEST))

    def most_probable(self, loads: np.ndarray) -> np.ndarray:
        """p at the most probable parameters: (load,)."""
        at = np.unravel_index(self.weights.argmax(), self.weights.shape)
        peak = [axis[i] for axis, i in zip(self.axes, at, strict=True)]
        return np.exp(self._logs(loads, *peak)[0])

    def flanks(self) -> tuple[float, float]:
        """Loads beyond which all answers are known: 3 widths away at the least favourable."""
        alpha_c = self.quantiles(0, np.array([0.001, 0.999]))
        width = np.exp(self.quantiles(1, np.array([0.95]))[0])
        return alpha_c[0] - 3 * width, alpha_c[1] + 3 * width

    def quantiles(self, axis: int, probabilities: np.ndarray) -> np.ndarray:
        """Of the marginal of alpha_c (axis 0), ln width (1) or skew (2)."""
        density, x = self.weights.sum(axis=tuple({0, 1, 2} - {axis})), self.axes[axis]
        # the logarithm is nearly a parabola, and needs few points; where the posterior has a cliff,
        # as between a load where all succeed and one where all fail, this spline does not overshoot
        fine = np.linspace(x[0], x[-1], 20 * x.size)
        logs = np.log(np.maximum(density / density.max(), np.exp(-3 * _CUT)))
        density = np.exp(interpolate.Akima1DInterpolator(x, logs, method="makima")(fine))
        below = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2)])
        return np.interp(np.asarray(probabilities) * below[-1], below, fine)


def _grouped(alpha, successes, trials) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Loads, their successes and trials in all, and the dispersion between rows."""
    alpha, k, n = (np.asarray(each, float) for each in (alpha, successes, trials))
    if not (alpha.ndim == 1 and alpha.shape == k.shape == n.shape and alpha.size):
        raise ValueError(
            f"alpha, successes and trials have shapes {alpha.shape}, {k.shape} and {n.shape}: one "
            "number of each for every network is needed, and at least one network."
        )
    if not (np.isfinite(alpha).all() and (n >= 1).all() and ((0 <= k) & (k <= n)).all()):
        raise ValueError(
            "every row needs a finite load, at least one trial, and from 0 to all of them "
            "successes."
        )
    loads, group = np.unique(alpha, return_inverse=True)
    rows, total, wins = (np.bincount(group, each) for each in (np.ones_like(n), n, k))
    mean = wins / total
    between = np.bincount(group, n * (k / n - mean[group]) ** 2)
    independent = mean * (1 - mean) * total / np.maximum(total - 1, 1)
    used = (independent > 0) & (rows > 1)
    dispersion = 1.0
    if used.any():
        dispersion = (between[used] / independent[used]).sum() / (rows[used] - 1).sum()
    return loads, wins, total, float(max(dispersion, 1.0))

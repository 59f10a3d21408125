"""Statistics of plain arrays x (lane, replica, sample): each function returns arrays (lane,).

Effective sample sizes and R-hat are ArviZ's; what is added here is what ArviZ leaves undefined:
frozen chains.
"""

from __future__ import annotations

import numpy as np


def effective_of(x: np.ndarray) -> np.ndarray:
    """Effective number of samples, see `effective_samples`."""
    from arviz_stats.base import array_stats

    still, same = frozen(x)
    ess = np.where(same, x.shape[1] * x.shape[2], x.shape[1]).astype(float)
    if not still.all():
        ess[~still] = array_stats.ess(x[~still], chain_axis=-2, draw_axis=-1, method="mean")
    return ess


def r_hat_of(x: np.ndarray) -> np.ndarray:
    """Rank-normalised split R-hat, see `r_hat`."""
    from arviz_stats.base import array_stats

    # ArviZ drops the middle one of an odd number of samples. Dropping the first instead leaves
    # nothing that it does not see: otherwise a single jump there would make 0/0.
    x = x[:, :, x.shape[2] % 2 :]
    if x.shape[1] < 2:
        return np.full(len(x), np.nan)
    still, same = frozen(x)
    ratio = np.where(same, 1.0, np.inf)
    if not still.all():
        # Zero spread within the halves is an honest infinity; in two-valued series the folded
        # form is 0/0, and ArviZ then keeps the other one.
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio[~still] = array_stats.rhat(x[~still], chain_axis=-2, draw_axis=-1, method="rank")
    return ratio


def frozen(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether no chain ever moves; whether all values are equal."""
    still = (x == x[:, :, :1]).all(axis=(1, 2))
    return still, (x == x[:, :1, :1]).all(axis=(1, 2))


def thermal_of(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, its standard error, effective number of samples, see `thermal`."""
    ess = effective_of(x)
    # Deviations from one of the values: the mean of equal values is exactly that value.
    deviation = x - x[:, :1, :1]
    shift = deviation.mean(axis=(1, 2))
    variance = deviation.var(axis=(1, 2))
    error = np.full(ess.shape, np.inf)
    np.divide(variance, ess - 1, out=error, where=ess > 1)
    return x[:, 0, 0] + shift, np.sqrt(error), ess


def ratio_of(difference: np.ndarray, error: np.ndarray) -> np.ndarray:
    """difference / error, with 0/0 = 0 and infinity where only the error is zero."""
    z = np.where(difference == 0, 0, np.copysign(np.inf, difference))
    return np.divide(difference, error, out=z, where=error > 0)

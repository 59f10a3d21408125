"""The spin-glass phase by parallel tempering: less disorder, limits of large N, the Binder ratio.

A store of `experiments.tempering` has the dims (n_neurons, realisation) and, inside, temperature,
pair of neighbouring temperatures, bin of q12, start and bin of time.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from analysis import comparison
from hopfield_sim import statistics
from hopfield_sim.theory import hopfield, hopfield_1rsb

CLOSE = 0.15
"""Closer to T_g than this share of it, the laws of `limit` are not trusted."""
_FEWEST = 8  # realisations below which the regression on the cycles costs more than it gains


def theory(alpha: float, temperature: np.ndarray) -> xr.Dataset:
    """What replica theory predicts above and below T_g = 1 + sqrt(alpha).

    Returns, each (temperature,): `energy_rs`, `energy_1rsb` in units of J, `q2_rs` = q^2 and
    `q2_1rsb` = x q0^2 + (1 - x) q1^2, the mean square of the overlap of two replicas. Above T_g
    both theories are the paramagnet.
    """
    paramagnet, rs, broken = (
        phase(alpha, temperature).squeeze().reset_coords(drop=True)
        for phase in (hopfield.paramagnet, hopfield.spin_glass, hopfield_1rsb.spin_glass)
    )
    above = rs.temperature > 1 + alpha**0.5
    square = broken.x * broken.q0**2 + (1 - broken.x) * broken.q1**2
    # one step of breaking is not given within 0.1 % of T_g, where it is replica symmetry
    return xr.Dataset(
        {
            "energy_rs": paramagnet.energy.where(above, rs.energy),
            "energy_1rsb": paramagnet.energy.where(above, broken.energy.fillna(rs.energy)),
            "q2_rs": xr.zeros_like(rs.q).where(above, rs.q**2),
            "q2_1rsb": xr.zeros_like(rs.q).where(above, square.fillna(rs.q**2)),
        }
    )


def adjusted(found: xr.Dataset) -> xr.DataArray:
    """Energies with the part taken out that the shortest cycles of the patterns explain.

        e_r = e_0 + c_2 X_2r + c_3 X_3r + noise_r,  E X = 0 exactly

    Least squares over the realisations r at each size and temperature: e_0 estimates the mean over
    all patterns, as the plain mean of e_r does, with less noise (control variates).

    found: `energy` (n_neurons, realisation, temperature), `cycles_2`, `cycles_3` (n_neurons,
    realisation). Returns e_0 + noise_r, the noise scaled so that the standard error of its mean is
    that of e_0 with its three fitted numbers. Below 8 realisations: the energies as they are.
    Source: Aizenman, Lebowitz, Ruelle, Commun. Math. Phys. 112 (1987) 3 (fluctuations of the
    paramagnet are those of its cycles).
    """
    energy = found.energy
    n = energy.sizes["realisation"]
    if n < _FEWEST:
        return energy

    def fitted(e: np.ndarray, two: np.ndarray, three: np.ndarray) -> np.ndarray:
        """e (realisation,), less what the cycles explain."""
        design = np.stack([np.ones(n), two, three], axis=1)
        inverse = np.linalg.inv(design.T @ design)
        best = inverse @ (design.T @ e)
        scale = np.sqrt(inverse[0, 0] * n * (n - 1) / (n - 3))
        return best[0] + scale * (e - design @ best)

    over = [["realisation"]]
    found = xr.apply_ufunc(
        fitted,
        energy,
        found.cycles_2,
        found.cycles_3,
        input_core_dims=3 * over,
        output_core_dims=over,
        vectorize=True,
    )
    return found.transpose(*energy.dims).assign_attrs(energy.attrs)


def limit(energy: xr.DataArray, alpha: float) -> xr.Dataset:
    """Energies for N -> infinity, from the energies at all sizes.

        above T_g: e(N) = e_inf + a/N + b/N^2,  below: e(N) = e_inf + a N^(-2/3)

    by least squares with weights 1/error^2, the same for every realisation, so that e_inf is a mean
    over realisations, with their error. In the paramagnet e is a series in 1/N; 2/3 is the power
    of the Sherrington-Kirkpatrick glass (Parisi, Ritort, Slanina, J. Phys. A 26 (1993) 247).
    Neither holds close to T_g (`CLOSE`), where corrections go with other powers.

    energy: (n_neurons, realisation, temperature), as from `adjusted`; three sizes at least. Returns
    `energy` (realisation, temperature); `line`, the same by a straight line in 1/N everywhere;
    `paramagnet`, `rs`, `one_step` (temperature,), theory; in units of J.
    """
    expected = theory(alpha, energy.temperature.values)
    above = energy.temperature > 1 + alpha**0.5
    error = statistics.disorder(energy)["error"]
    series, glass, line = (_intercept(energy, error, p) for p in ((1, 2), (2 / 3,), (1,)))
    name = "Energy per neuron for N -> infinity"
    return xr.Dataset(
        {
            "energy": series.where(above, glass).assign_attrs(long_name=name, units="J"),
            "line": line.assign_attrs(long_name=f"{name}, by a line in 1/N", units="J"),
            "paramagnet": expected.energy_rs.where(above),
            "rs": expected.energy_rs,
            "one_step": expected.energy_1rsb,
        },
        attrs={"T_g": 1 + alpha**0.5},
    )


def _intercept(energy: xr.DataArray, error: xr.DataArray, powers: tuple) -> xr.DataArray:
    """The constant of a fit with the given powers of 1/N, for each realisation."""
    N = energy.n_neurons.values.astype(float)
    design = np.stack([N**-p for p in (0, *powers)], axis=1)

    def constant(e: np.ndarray, error: np.ndarray) -> float:
        """Of e (n_neurons,)."""
        if not np.all(np.isfinite(e / error)):
            return np.nan
        weighted = design / error[:, None]
        return (np.linalg.pinv(weighted) @ (e / error))[0]

    over = [["n_neurons"]]
    error = error.where(error > 0)
    return xr.apply_ufunc(constant, energy, error, input_core_dims=2 * over, vectorize=True)


def binder(found: xr.Dataset) -> xr.Dataset:
    """U = 1 - [<q^4>] / (3 [<q^2>]^2) of the overlap of two replicas: jackknife over realisations.

    found: `q_moment_2`, `q_moment_4`. Returns `estimate`, `error` (n_neurons, temperature) and `n`.
    """

    def ratio(q2: xr.DataArray, q4: xr.DataArray) -> xr.DataArray:
        """U from the mean moments."""
        return (1 - q4 / (3 * q2**2)).assign_attrs(long_name="Binder ratio of q12", units="1")

    return statistics.jackknife(ratio, found.q_moment_2, found.q_moment_4)


def glass_susceptibility(found: xr.Dataset, alpha: float) -> xr.Dataset:
    """chi_SG = N [<q12^2>]; above T_g theory has chi_SG = 1 / (1 - alpha / (T - 1)^2).

    The inverse of that is the replicon eigenvalue of the paramagnet; it vanishes at T_g.

    found: `q_moment_2`. Returns `susceptibility` (n_neurons, realisation, temperature), `limit`
    (realisation, temperature), by 1/N and 1/N^2 as in `limit`, and `theory` (temperature,), the
    last two NaN below T_g; no unit.
    """
    values = found.q_moment_2 * found.n_neurons
    above = found.temperature > 1 + alpha**0.5
    error = statistics.disorder(values)["error"]
    replicon = hopfield.paramagnet(alpha, found.temperature.values).replicon.squeeze()
    name = "Spin-glass susceptibility N <q12^2>"
    described = {"long_name": name, "units": "1"}
    return xr.Dataset(
        {
            "susceptibility": values.assign_attrs(described),
            "limit": _intercept(values, error, (1, 2)).where(above).assign_attrs(described),
            "theory": (1 / replicon).where(above).reset_coords(drop=True).assign_attrs(described),
        }
    )


def energy_table(found: xr.Dataset, limits: xr.Dataset) -> str:
    """One line a temperature: energies of the largest size and of N -> infinity, and theory.

    found: the store; limits: from `limit`.
    """
    e = statistics.disorder(adjusted(found).isel(n_neurons=-1))
    rs, one_step = (comparison.z_scores(limits.energy, limits[k]) for k in ("rs", "one_step"))
    line = statistics.disorder(limits.line)["mean"]
    n_neurons = int(found.n_neurons[-1])
    lines = [
        "e_inf: N -> infinity, by 1/N and 1/N^2 above T_g, by N^-2/3 below; line: by 1/N alone",
        f"     T        e (N = {n_neurons})             e_inf     line     e_RS   z_RS   e_1RSB  "
        "z_1RSB  equilibrated",
    ]
    cells = found.equilibrated.stack(cell=("realisation", "n_neurons"))
    for T in found.temperature.values:
        at = {"temperature": T}
        a, b, c, d, good = (x.sel(at) for x in (e, rs, one_step, line, cells))
        share = f"{int(good.sum())} / {good.size}"
        lines.append(
            f"{T:6.4g}  {float(a['mean']):.4f} ± {float(a.error):.4f}  "
            f"{float(b['mean']):.4f} ± {float(b.error):.4f}  {float(d):.4f}  "
            f"{float(b.predicted):.4f}  {float(b.z):5.2f}  {float(c.predicted):.4f}  "
            f"{float(c.z):6.2f}  {share:>12}"
            + "  (close to T_g)"
            * bool(abs(T / limits.attrs["T_g"] - 1) < CLOSE)
        )
    lines.append(
        "Below T_g RS theory is unstable, and each step of breaking raises its energy: one step is "
        "closer."
    )
    return "\n".join(lines)


def size_table(found: xr.Dataset) -> str:
    """One line a size: exchange rates, round trips of the walkers, how much had equilibrated.

    found: the store.
    """
    lines = ["     N  exchange rate  round trips  fewest  equilibrated"]
    for k, n_neurons in enumerate(found.n_neurons.values):
        one = found.isel(n_neurons=k)
        rates = one.exchange_rate.mean("realisation")
        lines.append(
            f"{n_neurons:6d}    {float(rates.min()):.2f} - {float(rates.max()):.2f}  "
            f"{float(one.round_trips.mean()):11.1f}  {int(one.fewest_round_trips.min()):6d}  "
            f"{int(one.equilibrated.sum()):6d} / {one.equilibrated.size}"
        )
    return "\n".join(lines)

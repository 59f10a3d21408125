"""TAP equations against Monte Carlo in the same networks, and against replica theory.

A store of `experiments.tap` is that of one P, with the dims (n_neurons, reduced_load,
relative_temperature, realisation) and the coordinate temperature.
"""

from __future__ import annotations

from math import factorial

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from analysis import comparison
from analysis.predictions.style import COLOURS, DASHES, MARKERS, OVERLAP, TEMPERATURE
from hopfield_sim import statistics
from hopfield_sim.theory import dense, hopfield

PAIRS = {"m": "overlap", "q": "replica_overlap", "energy": "energy"}
"""What TAP calls it: what Monte Carlo calls it."""


def compared(found: xr.Dataset, interaction: int) -> xr.Dataset:
    """Differences network by network, theory, and both for N -> infinity.

        d(N) = d_inf + a / N, by least squares, the same for every realisation

    d_inf is a linear combination of the sizes, so that realisations give its error.

    Returns `tap_m`, `tap_q`, `tap_energy` (TAP minus Monte Carlo), `naive_m` (first order minus
    Monte Carlo), each on the dims of the store, and the same with `_limit` without n_neurons; `rs`,
    m of RS theory at the load as simulated (n_neurons, reduced_load, relative_temperature), and
    `from_rs_limit`, TAP minus that for N -> infinity. NaN where no replica stayed.
    """
    result = {f"tap_{name}": found[f"tap_{name}"] - found[mc] for name, mc in PAIRS.items()}
    result["naive_m"] = found.naive_m - found.overlap
    theory = rs(found, interaction)
    limits = {f"{name}_limit": limit(values) for name, values in result.items()}
    limits["from_rs_limit"] = limit(found.tap_m - theory)
    return xr.Dataset(result | limits | {"rs": theory})


def rs(found: xr.Dataset, interaction: int) -> xr.DataArray:
    """m of RS theory for the whole numbers of patterns of the store."""
    N, power = found.n_neurons.astype(float), interaction - 1
    K = np.rint(found.reduced_load * N**power / factorial(power))
    alpha = (K / N**power).drop_vars(["n_neurons", "reduced_load"])
    T = found.temperature.reset_coords(drop=True).drop_vars(found.temperature.dims)
    if interaction == 2:
        theory = hopfield.retrieval(alpha, T).m
    else:
        theory = dense.retrieval(interaction, alpha, T).m
    at = ("n_neurons", "reduced_load", "relative_temperature")
    theory = theory.reset_coords(drop=True).transpose(*at)
    return theory.assign_coords({name: found[name] for name in at})


def limit(values: xr.DataArray) -> xr.DataArray:
    """The constant of a straight line in 1/N through the sizes, for each realisation."""
    N = values.n_neurons.astype(float)
    design = np.stack([np.ones(N.size), 1 / N.values], axis=1)
    share = xr.DataArray(np.linalg.pinv(design)[0], dims="n_neurons", coords={"n_neurons": N})
    return (values * share).sum("n_neurons", skipna=False)


def left_out(found: xr.Dataset, theory: xr.DataArray, fewest_wrong: int) -> dict:
    """Cells that cannot test a limit, by reason: name -> bool (reduced_load, ...).

    fewest_wrong: neurons in all realisations that must be wrong on average, below which m counts
    rare events and is not Gaussian.
    """
    wrong = found.n_neurons * found.sizes["realisation"] * (1 - theory) / 2
    over = ("n_neurons", "realisation")
    return {
        f"with fewer than {fewest_wrong} wrong neurons in all": (wrong < fewest_wrong).any(
            "n_neurons"
        ),
        "from which replicas left": (found.n_left > 0).any(over),
        "not equilibrated": ~found.equilibrated.all(over),
        "where TAP did not converge": ~found.tap_converged.all(over),
    }


def verdicts(found: dict, differences: dict, fewest_wrong: int) -> list[str]:
    """The verdict lines over all P together; P and load are the columns. P -> Dataset each."""
    masks = {P: left_out(found[P], differences[P].rs, fewest_wrong) for P in found}
    masks = {name: _flat({P: m[name] for P, m in masks.items()}) for name in masks[min(masks)]}
    lines = []
    for name, text in (
        ("tap_m", "TAP against Monte Carlo, N -> infinity, m"),
        ("tap_q", "TAP against Monte Carlo, N -> infinity, q"),
        ("tap_energy", "TAP against Monte Carlo, N -> infinity, energy"),
        ("from_rs", "TAP against RS theory, N -> infinity, m"),
        ("naive_m", "without Onsager's reaction (no theory of these networks), m"),
    ):
        values = _flat({P: d[f"{name}_limit"] for P, d in differences.items()})
        scores = comparison.z_scores(values, 0 * values.isel(realisation=0, drop=True))
        verdict = comparison.verdict(scores, columns=("interaction", "reduced_load"), reasons=masks)
        lines.append(f"{text}: {verdict}")
    return lines


def _flat(values: dict) -> xr.DataArray:
    """Arrays of several P, whose loads differ, as one along `cell`, with interaction as number."""
    parts = []
    for P, one in values.items():
        dims = [name for name in one.dims if name != "realisation"]
        one = one.reset_coords(drop=True).stack(cell=dims).reset_index("cell")
        parts.append(one.assign_coords(interaction=("cell", np.full(one.sizes["cell"], P))))
    return xr.concat(parts, "cell").transpose("cell", ...)


def table(found: xr.Dataset, differences: xr.Dataset, interaction: int) -> str:
    """One line a load, temperature and size: m of all four, and the differences of the networks."""
    lines = [
        f"P = {interaction}; m, differences network by network",
        "    ahat      T      N       RS           TAP       Monte Carlo        TAP - MC"
        "         naive - MC   left  steps",
    ]
    mean = {
        name: statistics.disorder(values)
        for name, values in {
            "tap": found.tap_m,
            "mc": found.overlap,
            "difference": differences.tap_m,
            "naive": differences.naive_m,
        }.items()
    }
    for k, load in enumerate(found.reduced_load.values):
        for j in range(found.sizes["relative_temperature"]):
            for i, n_neurons in enumerate(found.n_neurons.values):
                at = {"reduced_load": k, "relative_temperature": j, "n_neurons": i}
                numbers = {name: one.isel(at) for name, one in mean.items()}
                tap, mc, difference, naive = (
                    f"{float(one['mean']):.4f} ± {float(one['error']):.4f}"
                    if name in ("tap", "mc")
                    else f"{float(one['mean']):+.5f} ± {float(one['error']):.5f}"
                    for name, one in numbers.items()
                )
                here = found.isel(at)
                lines.append(
                    f"{load:8.4g}  {float(here.temperature):.3f}  {n_neurons:5d}  "
                    f"{float(differences.rs.isel(at)):.4f}  {tap}  {mc}  {difference}  {naive}  "
                    f"{int(here.n_left.sum()):4d}  {float(here.tap_iterations.mean()):5.1f}"
                )
    return "\n".join(lines)


def time_table(races: list[dict], precision: float) -> str:
    """CPU seconds of TAP and of Monte Carlo, and their ratio at a given thermal error of m.

    races: one a P, with `interaction`, `n_neurons`, `n_patterns`, seconds `tap` and `mc`,
    `iterations`, thermal `error` of m, and the share `warmup` of the sweeps, which is needed at any
    error; the others go with 1 / error^2.
    """
    lines = [
        "   P      N        K  TAP (s)  steps  Monte Carlo (s)  its thermal error  ratio  "
        f"ratio at {precision:g}"
    ]
    for one in races:
        ratio, warmup = one["mc"] / one["tap"], one["warmup"]
        at = ratio * (warmup + (1 - warmup) * (one["error"] / precision) ** 2)
        lines.append(
            f"{one['interaction']:4d}  {one['n_neurons']:5d}  {one['n_patterns']:7d}  "
            f"{one['tap']:7.3f}  {one['iterations']:5.1f}  {one['mc']:15.3f}  "
            f"{one['error']:17.1e}  {ratio:5.1f}  {at:14.2g}"
        )
    lines.append(
        "(CPU time, one network at all temperatures of one load; TAP has no thermal error)"
    )
    return "\n".join(lines)


def drawn(found: dict, differences: dict, n_realisations: int) -> Figure:
    """Overlaps over T, and differences network by network: two rows, one column a P."""
    figure = Figure(figsize=(4.4 * len(found), 7.4), layout="constrained")
    axes = figure.subplots(2, len(found), squeeze=False)
    for column, P in enumerate(found):
        _overlaps(axes[0, column], found[P], P)
        _differences(axes[1, column], found[P], differences[P])
        axes[1, column].set_xlabel(TEMPERATURE)
        for one in axes[:, column]:
            one.grid(alpha=0.25)
    axes[0, 0].set_ylabel(OVERLAP)
    axes[1, 0].set_ylabel(r"$m - m_{\rm Monte\ Carlo}$, same networks")
    figure.suptitle(
        f"TAP equations against Monte Carlo and RS theory, {n_realisations} networks a point",
        fontsize=11,
    )
    return figure


def _overlaps(axes, found: xr.Dataset, interaction: int) -> None:
    """m of the largest networks, with the line of RS theory up to its spinodal."""
    largest = found.isel(n_neurons=-1)
    N, power = int(largest.n_neurons), interaction - 1
    for k, load in enumerate(found.reduced_load.values):
        here = largest.isel(reduced_load=k)
        T = here.temperature.values
        fine = np.linspace(0.8 * T[0], float(T[-1] / found.relative_temperature[-1]), 80)
        if interaction == 2:
            m = hopfield.retrieval(load, fine).m
        else:
            m = dense.retrieval(interaction, load / factorial(power), fine).m
        colour = COLOURS[k % len(COLOURS)]
        name = r"\alpha" if interaction == 2 else r"\hat\alpha"
        axes.plot(fine, np.ravel(m), color=colour, ls=DASHES[k % len(DASHES)], lw=1.2)
        mc, tap = statistics.disorder(here.overlap), statistics.disorder(here.tap_m)
        axes.errorbar(
            T, mc["mean"], mc["error"], ls="none", color=colour, marker=MARKERS[k % len(MARKERS)],
            ms=5, capsize=2, label=f"${name} = {load:g}$",
        )  # fmt: skip
        axes.plot(T, tap["mean"], ls="none", color=colour, mfc="none", marker="o", ms=11)
    axes.plot([], [], color="0.4", lw=1.2, label="RS theory")
    axes.plot([], [], color="0.4", ls="none", marker="o", mfc="none", ms=11, label="TAP")
    axes.plot([], [], color="0.4", ls="none", marker="o", ms=5, label="Monte Carlo")
    axes.set_title(f"P = {interaction}, N = {N}", fontsize=10)
    axes.legend(fontsize=8, loc="lower left")


def _differences(axes, found: xr.Dataset, differences: xr.Dataset) -> None:
    """TAP and the naive mean field minus Monte Carlo, largest networks without escapes."""
    largest = found.isel(n_neurons=-1)
    stayed = (largest.n_left == 0).all("realisation")
    for name, fill, label in (("tap_m", None, "TAP"), ("naive_m", "white", "naive mean field")):
        for k in range(found.sizes["reduced_load"]):
            here = statistics.disorder(differences[name].isel(n_neurons=-1, reduced_load=k))
            at = stayed.isel(reduced_load=k).values
            colour = COLOURS[k % len(COLOURS)]
            axes.errorbar(
                largest.temperature.isel(reduced_load=k).values[at],
                here["mean"].values[at],
                here["error"].values[at],
                ls="none",
                color=colour,
                mfc=fill or colour,
                marker=MARKERS[k % len(MARKERS)],
                ms=5,
                capsize=2,
            )
        axes.plot([], [], color="0.4", mfc=fill or "0.4", marker="o", ls="none", label=label)
    axes.axhline(0, color="0.4", lw=0.8)
    axes.set_yscale("symlog", linthresh=1e-3)
    axes.legend(fontsize=8, loc="lower left", ncols=2)

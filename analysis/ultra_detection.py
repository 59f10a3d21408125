"""Dense networks with noisy couplings: scaling of the noise; theory against simulation."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from scipy.special import erfinv

from analysis import comparison
from analysis.predictions.style import COLOURS, DASHES, MARKERS
from hopfield_sim import statistics
from hopfield_sim.theory import dense, ultra_detection

_FEWEST_WRONG = 50  # wrong neurons expected in all; below, m1 is a count of rare events
_HALF = 0.5  # the overlap m1 at which noise strengths of different sizes are compared


def update_scores(update: xr.Dataset, numbers: dict) -> xr.Dataset:
    """`comparison.z_scores` of m1 against the Gaussian formula of the finite network.

    update: `overlap` over (interaction, exponent, n_neurons, scaled_noise, realisation); numbers:
    (P, b, N) -> K. Adds `coupling_noise` omega, `n_wrong`, the wrong neurons that are expected of
    one update of one network, and `found`, the overlaps as they are.
    """
    cells = update.overlap.isel(realisation=0, drop=True)
    predicted = xr.full_like(cells, np.nan)
    omega = xr.full_like(cells, np.nan)
    scaled = cells.scaled_noise.values
    for (P, b, N), K in numbers.items():
        if b < P:
            at = {"interaction": P, "exponent": b, "n_neurons": N}
            noise = scaled * N ** ((P - 1 - b) / 2)
            found = ultra_detection.noisy_load(N, K, P, noise)
            predicted.loc[at], omega.loc[at] = found.overlap_finite.values, noise
    scores = comparison.z_scores(update.overlap, predicted)
    described = {"long_name": "amplitude omega of the noise of a coupling", "units": "1"}
    return scores.assign(
        coupling_noise=omega.assign_attrs(described),
        n_wrong=(cells.n_neurons * (1 - predicted) / 2).assign_attrs(
            long_name="wrong neurons of a network in theory", units="1"
        ),
        found=update.overlap,
    )


def growth(scores: xr.Dataset) -> xr.Dataset:
    """omega at which m1 = 1/2, and its exponent: ln omega = slope ln N + constant.

    From 1/(2 erfinv(m1)^2), the load, which is a line in the square of the scaled noise, between
    the two noises around; jackknife over the realisations.

    scores: what `update_scores` returned. Returns over (interaction, exponent): `slope`,
    `slope_error`, `slope_finite` of the formula of these finite networks, `limit` = (P-1-b)/2; and
    `log_noise`, `log_error` over n_neurons too.
    """
    squares = scores.scaled_noise.values**2
    wanted = 1 / (2 * erfinv(_HALF) ** 2)
    power = (scores.interaction - 1 - scores.exponent) / 2

    def crossing(overlap: np.ndarray) -> float:
        """Square of the scaled noise at which m1 falls through 1/2, from m1 (scaled_noise,)."""
        down = np.flatnonzero((overlap[:-1] >= _HALF) & (overlap[1:] < _HALF))
        if not down.size:
            return np.nan
        pair = slice(down[0], down[0] + 2)
        load = 1 / (2 * erfinv(np.clip(overlap[pair], 1e-6, 1 - 1e-9)) ** 2)
        share = (wanted - load[0]) / (load[1] - load[0])
        return squares[pair][0] + share * (squares[pair][1] - squares[pair][0])

    def log_noise(overlap: xr.DataArray) -> xr.DataArray:
        """ln omega at m1 = 1/2 from m1 (..., scaled_noise)."""
        square = xr.apply_ufunc(
            crossing, overlap, input_core_dims=[["scaled_noise"]], vectorize=True
        )
        return np.log(square) / 2 + power * np.log(square.n_neurons)

    found = statistics.jackknife(log_noise, scores.found.fillna(0))
    line = comparison.exponent(found.estimate, found.error)
    finite = comparison.exponent(log_noise(scores["predicted"].fillna(0)), found.error).slope
    labels = {
        "slope": (line.slope, "exponent of the noise at which m1 = 1/2"),
        "slope_finite": (finite, "the same of the formula of finite networks"),
        "slope_error": (line.slope_error, "its standard error"),
        "limit": (power.where(line.n_sizes > 1), "exponent in theory"),
        "log_noise": (found.estimate, "ln of the noise at which m1 = 1/2"),
        "log_error": (found.error, "its standard error"),
    }
    return xr.Dataset(
        {
            k: v.drop_attrs().assign_attrs(long_name=name, units="1")
            for k, (v, name) in labels.items()
        }
    )


def growth_table(scores: xr.Dataset) -> str:
    """The exponents of the noise, measured and in theory: text."""
    found = growth(scores)
    lines = ["noise omega at which one update leaves m1 = 1/2, K ~ N^b patterns:"]
    lines.append("P  b  omega at the sizes " + " ".join(f"{n:>9d}" for n in found.n_neurons.values))
    lines[-1] += "   exponent         finite N  N -> inf"
    for P in found.interaction.values:
        for b in found.exponent.values:
            at = found.sel(interaction=P, exponent=b)
            if np.isnan(at.slope):
                continue
            noises = " ".join(f"{float(np.exp(v)):9.3g}" for v in at.log_noise)
            lines.append(
                f"{P}  {b}                       {noises}   {float(at.slope):.4f} ± "
                f"{float(at.slope_error):.4f}  {float(at.slope_finite):.4f}    "
                f"{float(at.limit):.1f}"
            )
    return "\n".join(lines)


def thermal_scores(thermal: xr.Dataset, temperature: float) -> xr.Dataset:
    """m and q against replica-symmetric theory at A, and the line in 1/N of their difference.

    thermal: `overlap` and `replica_overlap` over (n_neurons, reduced_load, realisation).
    Returns for name in m, q: `name`, `name_error`, `name_rs` and over (reduced_load) the limit
    N -> infinity of the difference, `name_limit`, `name_limit_error`, `name_chi2`; and `n_left`,
    the number of replicas that left the pattern, and the mean `drift` of the others with its error.
    """
    load = thermal.reduced_load
    theory = dense.retrieval(3, load.values / 2, temperature)
    out = {}
    for name, variable in (("m", "overlap"), ("q", "replica_overlap")):
        predicted = xr.DataArray(theory[name].values.ravel(), dims="reduced_load")
        predicted = predicted.assign_coords(reduced_load=load)
        scores = comparison.z_scores(thermal[variable], predicted)
        line = comparison.finite_size(scores["difference"], scores["error"])
        out |= {
            name: scores["mean"],
            f"{name}_error": scores["error"],
            f"{name}_rs": scores["predicted"].isel(n_neurons=0, drop=True),
            f"{name}_limit": line.intercept,
            f"{name}_limit_error": line.intercept_error,
            f"{name}_slope": line.slope,
            f"{name}_chi2": line.chi2,
        }
    out["n_left"] = thermal.n_left.sum("realisation")
    drift = statistics.disorder(thermal["drift"])
    out["drift"], out["drift_error"] = drift["mean"], drift["error"]
    found = xr.Dataset(out).assign_attrs(
        temperature=temperature, n_realisations=thermal.sizes["realisation"]
    )
    for name, variable in found.data_vars.items():
        variable.attrs = {"long_name": name.replace("_", " "), "units": "1"}
    return found


def thermal_table(scores: xr.Dataset) -> str:
    """Overlaps at T > 0 at each size, extrapolated, and in RS theory: text."""
    lines = [f"P = 3, K = N/4, noise omega ~ sqrt(N), T = {scores.attrs['temperature']:g}:"]
    for load in scores.reduced_load.values:
        at = scores.sel(reduced_load=load)
        sizes = ", ".join(
            f"{float(at.m.sel(n_neurons=n)):.4f} ± {float(at.m_error.sel(n_neurons=n)):.4f}"
            for n in scores.n_neurons.values
        )
        limits = ", ".join(
            f"{name} - {name}_RS = {float(at[f'{name}_limit']):+.4f} ± "
            f"{float(at[f'{name}_limit_error']):.4f}"
            for name in "mq"
        )
        lines.append(
            f"  A = {load:g}: m = {sizes} at N = {', '.join(map(str, scores.n_neurons.values))}; "
            f"m_RS = {float(at.m_rs):.4f}; N -> infinity: {limits}; "
            f"{int(at.n_left.sum())} replicas left, drift "
            + ", ".join(
                f"{float(at['drift'].sel(n_neurons=n)):+.4f} ± "
                f"{float(at.drift_error.sel(n_neurons=n)):.4f}"
                for n in scores.n_neurons.values
            )
        )
    return "\n".join(lines)


def pair_scores(pairs: xr.Dataset) -> xr.Dataset:
    """m1 with noisy pairs against the formula of the finite network, and what is left of it.

    pairs: `overlap` over (alpha, n_neurons, pair_noise, realisation). Returns what `z_scores`
    returns, with `limit`, `limit_error` over (alpha, pair_noise): the difference for N -> infinity
    by a line in 1/N, and `overlap_limit`, the formula for N -> infinity.
    """
    alpha, n_neurons, s = pairs.alpha, pairs.n_neurons, pairs.pair_noise
    number = np.rint(alpha * n_neurons).astype(int)
    grid = xr.broadcast(n_neurons, number, s * np.sqrt(n_neurons))
    bare = [one.drop_vars(list(one.coords)) for one in grid]
    predicted = ultra_detection.pair_noise_finite(*bare).overlap.reset_coords(drop=True)
    predicted = predicted.assign_coords(alpha=alpha, n_neurons=n_neurons, pair_noise=s)
    scores = comparison.z_scores(pairs.overlap, predicted)
    line = comparison.finite_size(scores["difference"], scores["error"])
    limit = ultra_detection.pair_noise(alpha.values, s.values).overlap
    limit = xr.DataArray(limit.values, dims=("alpha", "pair_noise"))
    return scores.assign(
        limit=line.intercept, limit_error=line.intercept_error, overlap_limit=limit
    )


def verdicts(first: xr.Dataset, heated: xr.Dataset, paired: xr.Dataset, updates: int) -> str:
    """One line of verdict for each part; every cell is a column, as each has its own networks."""
    n_updated = updates * float(first["n"].max())
    few = first.n_wrong / first.n_neurons * n_updated < _FEWEST_WRONG
    reason = f"with fewer than {_FEWEST_WRONG} wrong neurons expected in all"
    lines = [
        "one update, finite-N formula: "
        + str(_judged(first, {reason: few}, ("interaction", "exponent", "n_neurons")))
    ]
    wrong = (1 - paired["predicted"]) / 2 * updates * float(paired["n"].max())
    few = (wrong < _FEWEST_WRONG).any("n_neurons")
    left = _limits(paired.limit, paired.limit_error, paired.overlap_limit, paired["n"])
    lines.append(
        "one update with noisy pairs, N -> infinity: "
        + str(_judged(left, {reason: few}, ("alpha",)))
    )
    number = xr.full_like(heated.m, heated.attrs["n_realisations"])
    gone = (heated.n_left > 0).any("n_neurons")
    parts = []
    for name in "mq":
        left = _limits(
            heated[f"{name}_limit"], heated[f"{name}_limit_error"], heated[f"{name}_rs"], number
        )
        judged = _judged(left, {"from which replicas left": gone}, ("reduced_load",))
        parts.append(f"{name} at T > 0, N -> infinity, RS theory: {judged}")
    return "\n".join(lines + parts)


def _judged(scores: xr.Dataset, reasons: dict, columns: tuple[str, ...]) -> comparison.Verdict:
    reasons = {name: mask.reset_coords(drop=True) for name, mask in reasons.items()}
    return comparison.verdict(scores, columns=columns, reasons=reasons)


def _limits(limit, error, predicted, number) -> xr.Dataset:
    """An extrapolated difference and its error as scores; sizes times realisations are many."""
    return xr.Dataset(
        {
            "z": limit / error.where(error > 0),
            "predicted": predicted.broadcast_like(limit),
            "n": number.isel(n_neurons=0, drop=True).broadcast_like(limit),
        }
    )


def drawn(
    first: xr.Dataset, heated: xr.Dataset, paired: xr.Dataset, crosstalk: float, title: str
) -> Figure:
    """Four panels: m1 against omega, against the scaled noise, with noisy pairs; m at T > 0.

    first, heated, paired: `update_scores`, `thermal_scores`, `pair_scores`. crosstalk: of part 1.
    """
    figure = Figure(figsize=(10.6, 8.4), layout="constrained")
    axes = figure.subplots(2, 2)
    _noises(axes[0, 0], first, scaled=False)
    _noises(axes[0, 1], first, scaled=True)
    _masters(axes[0, 1], first, crosstalk)
    _pairs(axes[1, 0], paired)
    _thermal(axes[1, 1], heated)
    figure.suptitle(title, fontsize=11)
    return figure


def _noises(axes, first: xr.Dataset, scaled: bool) -> None:
    place = 0
    for P in first.interaction.values:
        for b in first.exponent.values:
            each = first.sel(interaction=P, exponent=b)
            if each["mean"].isnull().all():
                continue
            for step, n_neurons in enumerate(first.n_neurons.values):
                one = each.sel(n_neurons=n_neurons)
                some = (one.scaled_noise > 0).values
                x = one.scaled_noise if scaled else one.coupling_noise
                label = f"P = {P}, b = {b}" if step == 0 else None
                colour, marker = COLOURS[place % 7], MARKERS[place % 7]
                shade = 0.35 + 0.65 * step / max(1, first.n_neurons.size - 1)
                if not scaled:
                    axes.plot(x[some], one.predicted[some], color=colour, lw=0.9, alpha=shade)
                axes.errorbar(
                    x[some],
                    one["mean"][some],
                    one["error"][some],
                    color=colour,
                    marker=marker,
                    ms=3 + step,
                    mfc="white",
                    ls="none",
                    capsize=1.5,
                    lw=0.9,
                    alpha=shade,
                    label=label,
                )
            place += 1
    sizes = ", ".join(map(str, first.n_neurons.values))
    power = r"\omega/N^{(P-1-b)/2}"
    axes.set(
        xscale="linear" if scaled else "log",
        xlabel=f"scaled noise ${power}$" if scaled else r"noise of a coupling $\omega$ (signal 1)",
        ylabel=r"overlap $m_1$ after one update",
        ylim=(0, 1.05),
    )
    if not scaled:
        axes.set_title(f"$K \\sim N^b$; N = {sizes} (light to dark), lines: finite N", fontsize=10)
        axes.legend(fontsize=8, loc="lower left")
    axes.grid(alpha=0.25)


def _masters(axes, first: xr.Dataset, crosstalk: float) -> None:
    from scipy.special import erf

    u = np.linspace(1e-3, float(first.scaled_noise.max()), 300)
    label = r"ultra-detection, $b < P - 1$"
    axes.plot(u, erf(1 / np.sqrt(2 * crosstalk * u**2)), color="black", lw=1.4, label=label)
    label = r"ultra-storage, $b = P - 1$"
    y = erf(1 / np.sqrt(2 * crosstalk * (1 + u**2)))
    axes.plot(u, y, color="black", ls=DASHES[1], lw=1.4, label=label)
    axes.set_title(r"the same, scaled; lines: $N \to \infty$", fontsize=10)
    axes.legend(fontsize=8, loc="upper right")


def _pairs(axes, paired: xr.Dataset) -> None:
    s = np.linspace(1e-3, float(paired.pair_noise.max()) * 1.03, 200)
    for row, alpha in enumerate(paired.alpha.values):
        colour = COLOURS[row % 7]
        curve = ultra_detection.pair_noise(float(alpha), s).overlap
        axes.plot(s, curve, color=colour, ls=DASHES[row % 7], lw=1.4)
        for step, n_neurons in enumerate(paired.n_neurons.values):
            one = paired.sel(alpha=alpha, n_neurons=n_neurons)
            axes.errorbar(
                one.pair_noise * (1 + 0.015 * (step - 1)),  # beside each other
                one["mean"],
                one["error"],
                color=colour,
                marker=MARKERS[step % 7],
                ms=4.5,
                mfc="white",
                ls="none",
                capsize=2,
                lw=0.9,
                label=f"N = {n_neurons}" if row == 0 else None,
            )
        label = rf"theory, $\alpha = K/N = {alpha:g}$"
        axes.plot([], [], color=colour, ls=DASHES[row % 7], lw=1.4, label=label)
    axes.set(
        xlabel=r"noise of a pair $s = \omega/\sqrt{N}$",
        ylabel=r"overlap $m_1$ after one update",
        ylim=(0, 1.05),
    )
    axes.set_title("P = 4, coupling = product of two noisy pairs", fontsize=10)
    axes.legend(fontsize=8)
    axes.grid(alpha=0.25)


def _thermal(axes, heated: xr.Dataset) -> None:
    fine = np.linspace(0.005, float(heated.reduced_load.max()) * 1.05, 120)
    temperature = heated.attrs["temperature"]
    theory = dense.retrieval(3, fine / 2, temperature)
    for row, (name, text) in enumerate((("m", "overlap $m$"), ("q", "replica overlap $q$"))):
        colour = COLOURS[row]
        curve = theory[name].values.ravel()
        axes.plot(fine, curve, color=colour, ls=DASHES[row], lw=1.4, label=f"{text}, RS theory")
        limit = heated[f"{name}_rs"] + heated[f"{name}_limit"]
        for step, n_neurons in enumerate(heated.n_neurons.values):
            one = heated.sel(n_neurons=n_neurons)
            axes.errorbar(
                one.reduced_load + 0.0015 * (step - heated.n_neurons.size / 2),
                one[name],
                one[f"{name}_error"],
                color=colour,
                marker=MARKERS[step % 7],
                ms=4,
                mfc="white",
                ls="none",
                capsize=2,
                alpha=0.5,
                label=f"N = {n_neurons}" if row == 0 else None,
            )
        axes.errorbar(
            heated.reduced_load + 0.0015 * heated.n_neurons.size / 2,
            limit,
            heated[f"{name}_limit_error"],
            color=colour,
            marker=MARKERS[4],
            ms=5,
            ls="none",
            capsize=2,
            label=r"$N \to \infty$" if row == 0 else None,
        )
    axes.set(
        xlabel=r"load $A = 2 K (1 + \omega^2)/N^2$",
        ylabel="overlap",
    )
    axes.set_title(f"P = 3, K = N/4, heat bath at T = {temperature:g}", fontsize=10)
    axes.legend(fontsize=8, loc="lower left")
    axes.grid(alpha=0.25)

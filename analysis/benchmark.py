"""What the rounds of a benchmark say: ratios with intervals, verdicts, table, figure.

A dataset of `experiments.benchmark` holds, for every contestant of every duel, the cost of a unit
of work in each round, and the processor's peak before and after each round. A ratio is taken inside
a round. Rounds whose two probes differ by more than a quarter are dropped; where fewer than two
thirds are left, nothing is concluded. The value is the median of the ratios, its interval the
central 95 % of the bootstrap. A goal is missed or met only when the whole interval is on one side
of its bound.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

LARGEST_CHANGE = 1.25
"""Of the probes around a round that counts."""
LEAST_KEPT = 2 / 3
"""Share of the rounds that must count for a verdict."""
MET, MISSED, UNDECIDED, SILENT = "met", "missed", "undecided", "no verdict"

_RESAMPLES = 2000
# colours that stay apart without colour vision; markers and dashes that stay apart in grey
_COLOURS = ("#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", "*", "h", ">")
_DASHES = {"ours": "solid", "naive": (0, (5, 2)), "peer": (0, (1, 1.2))}


@dataclass(frozen=True)
class Goal:
    """A bound on a ratio. number: in the list of goals; sense: "<=" or ">="."""

    number: int
    what: str
    bound: float
    sense: str

    def verdict(self, low: float, high: float, n_kept: int, n_rounds: int) -> str:
        """What an interval, found in `n_kept` of `n_rounds` rounds, says about this goal."""
        if n_kept < LEAST_KEPT * n_rounds or not np.isfinite([low, high]).all():
            return SILENT
        right = (high <= self.bound) if self.sense == "<=" else (low >= self.bound)
        wrong = (low > self.bound) if self.sense == "<=" else (high < self.bound)
        return MET if right else MISSED if wrong else UNDECIDED


def counts(probes: np.ndarray) -> np.ndarray:
    """Which rounds count: bool (round,). probes: the peaks before and after each, (round, 2)."""
    low, high = np.min(probes, axis=1), np.max(probes, axis=1)
    return high <= LARGEST_CHANGE * low  # NaN, a round that was not made, does not count


def interval(values: np.ndarray, statistic=np.median) -> tuple[float, float, float]:
    """The statistic of some rounds and the central 95 % of its bootstrap; NaN of no rounds.

    values: (..., round), resampled by round. statistic: of (..., round) along the last axis.
    """
    n_rounds = np.shape(values)[-1]
    if not n_rounds:
        return (np.nan,) * 3
    chosen = np.random.default_rng(0).integers(0, n_rounds, (_RESAMPLES, n_rounds))
    samples = statistic(np.asarray(values)[..., chosen], axis=-1)
    low, high = np.quantile(samples, (0.025, 0.975))
    return float(statistic(values, axis=-1)), float(low), float(high)


def ratio_of_best(costs: np.ndarray, axis: int = -1) -> float:
    """The smallest of the first row over the smallest of the second: costs (2, round)."""
    return np.divide(*np.min(costs, axis=axis))


def verdicts(found: xr.Dataset) -> xr.Dataset:
    """Every goal of a dataset: `ratio`, `low`, `high`, `kept`, `made` rounds, `verdict` (claim).

    found: as `experiments.benchmark` stores it.
    """
    rows = []
    for k in range(found.sizes["claim"]):
        claim = found.isel(claim=k)
        numerator = int(claim.numerator)
        duel = int(found.duel_of_entry[numerator])
        probes = found.probe.isel(duel=duel).values
        made = np.isfinite(found.cost.isel(entry=numerator).values)
        kept = counts(probes) if bool(found.steady[duel]) else made
        costs = found.cost.values[:, kept]
        above = costs[numerator]
        others = np.flatnonzero(claim.denominators.values)
        below = np.ones_like(above)
        if others.size and kept.any():
            below = costs[others[np.argmin(np.median(costs[others], axis=1))]]
        if str(claim.statistic.values) == "best":
            value = interval(np.stack([above, below]), ratio_of_best)
        else:
            value = interval(above / below)
        goal = Goal(
            int(claim.goal), str(claim.what.values), float(claim.bound), str(claim.sense.values)
        )
        verdict = goal.verdict(*value[1:], int(kept.sum()), int(made.sum()))
        rows.append((*value, int(kept.sum()), int(made.sum()), verdict))
    columns = zip(*rows, strict=True) if rows else [()] * 6
    names = ("ratio", "low", "high", "kept", "made", "verdict")
    data = {name: ("claim", list(c)) for name, c in zip(names, columns, strict=True)}
    described = {name: found[name].variable for name in ("goal", "what", "bound", "sense")}
    return xr.Dataset(described | data)


def table(found: xr.Dataset) -> str:
    """Goal by goal: what, bound, ours with its interval, verdict, rounds that count."""
    judged = verdicts(found)
    lines = [f"goal  {'what':<56}  {'bound':<8}  {'ours [95 %]':<25}  {'verdict':<10}  rounds"]
    order = np.argsort(judged.goal.values, kind="stable") if judged.sizes["claim"] else []
    for k in order:
        row = judged.isel(claim=int(k))
        value = f"{_short(row.ratio)} [{_short(row.low)}, {_short(row.high)}]"
        bound = f"{row.sense.item()} {float(row.bound):.4g}"
        lines.append(
            f"{int(row.goal):>4}  {row.what.item():<56}  {bound:<8}  {value:<25}  "
            f"{row.verdict.item():<10}  {int(row.kept)}/{int(row.made)}"
        )
    return "\n".join(lines)


def costs(found: xr.Dataset) -> xr.Dataset:
    """Nanoseconds of a unit, contestant by contestant: `cost`, `low`, `high` (entry)."""
    rows = []
    for entry in range(found.sizes["entry"]):
        duel = int(found.duel_of_entry[entry])
        kept = counts(found.probe.isel(duel=duel).values)
        made = np.isfinite(found.cost.isel(entry=entry).values)
        # without quiet rounds: all of them, for the figure says nothing about a goal
        values = found.cost.isel(entry=entry).values[kept if kept.any() else made]
        rows.append([1e9 * v for v in interval(values)])
    columns = np.array(rows).reshape(-1, 3).T
    data = {n: ("entry", c) for n, c in zip(("cost", "low", "high"), columns, strict=True)}
    return found.drop_vars(("cost", "probe")).drop_dims("claim").assign(data)


def cost_table(found: xr.Dataset) -> str:
    """Every contestant: its duel, nanoseconds of a unit with interval, fraction accepted."""
    lines = [f"{'one core':<47}  {'contestant':<26}  {'ns [95 %]':<27}  accepted"]
    costed = costs(found)
    for k in range(costed.sizes["entry"]):
        row = costed.isel(entry=k)
        duel = int(row.duel_of_entry)
        if str(found.cost_unit[duel].values) != "s":
            continue
        what = f"{found.duel[duel].item()}, a {found.unit[duel].item()}"
        value = f"{_short(row.cost)} [{_short(row.low)}, {_short(row.high)}]"
        rate = f"{float(row.accepted):.4f}" if np.isfinite(row.accepted) else ""
        lines.append(f"{what:<47}  {row.contestant.item():<26}  {value:<27}  {rate}")
    return "\n".join(lines)


def lines(found: xr.Dataset) -> Figure:
    """Nanoseconds of one core for an attempted flip against N: forms, peers, and the limit.

    One panel for each (temperature, start); logarithmic axes; bars are the 95 % intervals.
    """
    shown = costs(found)
    shown = shown.isel(entry=np.flatnonzero(shown.drawn.values))
    duel = shown.duel_of_entry.values
    panels = sorted({(float(found.temperature[d]), str(found.start[d].values)) for d in duel})
    names = list(dict.fromkeys(shown.contestant.values.tolist()))
    figure = Figure(figsize=(3.6 * max(len(panels), 1) + 1.9, 4.6), layout="constrained")
    axes = figure.subplots(1, max(len(panels), 1), sharey=True, squeeze=False)[0]
    handles = {}
    for panel, (temperature, start) in zip(axes, panels, strict=False):
        here = (found.temperature[duel].values == temperature) & (found.start[duel].values == start)
        for name in names:
            line = shown.isel(entry=np.flatnonzero(here & (shown.contestant.values == name)))
            if not line.sizes["entry"]:
                continue
            handles[_label(line)] = _line(panel, found, line, names.index(name))
        panel.set(xscale="log", yscale="log", xlabel="neurons $N$ (patterns $P = N/10$)")
        where = "from the stored pattern" if start == "pattern" else "from random spins"
        panel.set_title(f"$T = {temperature:g}\\,J$, {where}", fontsize=10)
        sizes = np.unique(found.n_neurons[duel].values)
        panel.set_xticks(sizes, [f"{n}" for n in sizes], fontsize=8)
        panel.set_xlim(sizes[0] / 1.25, sizes[-1] * 1.25)
        panel.minorticks_off()
        panel.grid(alpha=0.25)
    axes[0].set_ylabel("one core, ns per attempted flip")
    figure.legend(
        handles.values(),
        handles.keys(),
        loc="outside right upper",
        fontsize=8,
        title="bars: 95 % intervals",
        title_fontsize=8,
    )
    about = f"{found.attrs['processor']} ({found.attrs['vector_code']})"
    figure.suptitle(f"Sequential heat bath on stored patterns, one core of {about}", fontsize=11)
    return figure


def _label(line: xr.Dataset) -> str:
    """A contestant in words."""
    name, family = str(line.contestant.values[0]), str(line.family.values[0])
    if family == "limit":
        return "limit of forms by overlaps:\n1.5 P integer products\nat the probes' rate"
    if family == "naive":
        return f"naive Numba,\n{name}"
    if family == "ours":
        replicas = int(line.replicas[0])
        chains = "one chain" if replicas == 1 else f"{replicas} replicas"
        return f"ours: {name.split()[0]}, {chains}"
    return f"{name} (T = 0)" if name == "hopfieldnetwork" else name


def _line(panel, found: xr.Dataset, line: xr.Dataset, index: int):
    n_neurons = found.n_neurons[line.duel_of_entry.values].values
    order = np.argsort(n_neurons)
    x, y = n_neurons[order], line.cost.values[order]
    family = str(line.family.values[0])
    if family == "limit":
        return panel.plot(x, y, color="0.55", lw=5, alpha=0.6, solid_capstyle="butt", zorder=0)[0]
    spread = np.abs(np.stack([line.low.values[order], line.high.values[order]]) - y)
    return panel.errorbar(
        x,
        y,
        spread,
        color=_COLOURS[index % len(_COLOURS)],
        marker=_MARKERS[index % len(_MARKERS)],
        mfc="white" if family != "ours" else None,
        ls=_DASHES[family],
        lw=1.4,
        ms=5,
        capsize=2,
    )


def _short(value) -> str:
    value = float(value)
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"

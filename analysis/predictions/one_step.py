"""Figure of the errors at the first update."""

from __future__ import annotations

import xarray as xr
from matplotlib.figure import Figure

from analysis.predictions import style


def draw(group: xr.DataTree) -> Figure:
    """Pairwise: error against load and size. Dense: error against the number of patterns."""
    figure, (pairwise, orders, forms) = style.panels(3)
    lines = group["lines"]
    sizes = sorted(int(name.split("_")[1]) for name in lines.children if name.startswith("exact"))
    for place, size in enumerate(sizes):
        one = lines[f"exact_{size}"].to_dataset()
        pairwise.plot(
            one.n_patterns / size, one.error, label=f"$N = {size}$, exact", **style.line(place + 2)
        )
    for place, (name, text) in enumerate(
        (
            ("no_diagonal", r"$N \to \infty$, $J_{ii} = 0$"),
            ("diagonal", r"$N \to \infty$, $J_{ii} = \alpha$"),
        )
    ):
        one = lines[name].to_dataset()
        pairwise.plot(one.alpha, one.error, label=text, **style.line(place))
    pairwise.set(xlabel=style.LOAD, title="pairwise network", xlim=(0, 0.6), ylim=(1e-6, 0.2))
    pairwise.legend(fontsize=8)
    dense = group["dense"]
    kinds = (
        ("full", "$x^n$"),
        ("rectified", r"$\max(x, 0)^n$"),
        ("distinct", "distinct indices"),
    )
    numbers = sorted({int(name.split("_")[1]) for name in dense.children})
    for place, order in enumerate(numbers):
        for form, text in (("exact", "exact"), ("gaussian", "Gaussian")):
            one = dense[f"full_{order}/{form}"].to_dataset()
            width = {"lw": 1.6 if form == "exact" else 0.8}
            orders.plot(
                one.n_patterns,
                one.error,
                label=f"$n = {order}$, {text}",
                **style.line(2 * place + (form != "exact")) | width,
            )
    N = int(one.n_neurons)
    orders.set(title=f"dense network $x^n$, $N = {N}$")
    middle = numbers[len(numbers) // 2]
    for place, (kind, text) in enumerate(kinds):
        one = dense[f"{kind}_{middle}/exact"].to_dataset()
        forms.plot(one.n_patterns, one.error, label=text, **style.line(place))
    forms.set(title=f"$n = {middle}$, $N = {N}$, exact")
    for axes in (orders, forms):
        axes.set_xscale("log")
        axes.set(xlabel="number of patterns $K$", ylim=(1e-6, 0.5))
        axes.legend(fontsize=8)
    for axes in (pairwise, orders, forms):
        axes.set_yscale("log")
        axes.set_ylabel("error of the first update")
    return figure

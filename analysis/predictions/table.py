"""The table of the critical numbers of all theories."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import xarray as xr


def critical(found: xr.DataTree, theories) -> str:
    """The Datasets called "critical", a block a theory: names, values, what they are.

    found: the tree of `experiments.predictions`; theories: names of its groups, in order. Numbers
    along dimensions (the order of an interaction, say) stand in columns under the values of the
    last one; one that the theory does not have is a dash.
    """
    blocks = []
    for theory in theories:
        numbers = found[theory].get("critical")
        if numbers is not None:
            blocks.append("\n".join([theory, *_block(numbers.to_dataset())]))
    return "\n\n".join(blocks)


def _block(numbers: xr.Dataset):
    """Lines of one theory: neighbours with the same dimensions under one head."""
    variables = [numbers[name] for name in numbers.attrs["variables"].split()]
    for dims, group in groupby(variables, key=lambda variable: variable.dims):
        rows = [row for variable in group for row in _rows(variable)]
        if dims:
            columns = [_shown(value) for value in numbers[dims[-1]].values]
            rows.insert(0, (dims[-1], columns, ""))
        names = max(len(name) for name, _, _ in rows)
        widths = [max(map(len, column)) for column in zip(*(row[1] for row in rows), strict=True)]
        for name, values, about in rows:
            cells = "  ".join(v.rjust(w) for v, w in zip(values, widths, strict=True))
            yield f"  {name.ljust(names)}  {cells}  {about}".rstrip()


def _rows(variable: xr.DataArray):
    """(name, values along the last dimension, what it is), one for each place along the others."""
    about = variable.attrs.get("long_name", "")
    for place in np.ndindex(variable.shape[:-1]):
        row = variable[place]
        where = [f"{d}={_shown(row[d].values[()])}" for d in variable.dims[:-1]]
        name = f"{variable.name} ({', '.join(where)})" if where else str(variable.name)
        yield name, [_shown(value) for value in np.atleast_1d(row.values)], about


def _shown(value) -> str:
    if isinstance(value, float | np.floating):
        return "-" if np.isnan(value) else f"{value:.8g}"
    return str(value)

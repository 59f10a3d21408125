"""Plain numbers, arrays or DataArrays in; one labelled Dataset on their common grid out.

What every function of a theory has in common: its parameters are checked against `PARAMETERS` at
the border, spread over their common grid, handed as flat arrays to the equations, and what these
return is put back on the grid under its names.
"""

from typing import NamedTuple

import numpy as np
import xarray as xr


class Domain(NamedTuple):
    """What a parameter is and which values it may have."""

    long_name: str
    lowest: float
    highest: float
    closed: tuple[bool, bool]  # whether the lowest and the highest value are themselves allowed
    allowed: str
    whole: bool = False

    def contains(self, values):
        """Entry by entry whether the values are allowed (undefined ones are not)."""
        above = values >= self.lowest if self.closed[0] else values > self.lowest
        below = values <= self.highest if self.closed[1] else values < self.highest
        return above & below & ((values == np.floor(values)) | (not self.whole))


def _positive(long_name):
    return Domain(long_name, 0, np.inf, (False, False), "a finite number > 0")


def _at_least(long_name, lowest):
    return Domain(long_name, lowest, np.inf, (True, False), f"a finite number >= {lowest}")


def _whole(long_name, lowest):
    allowed = f"a whole number >= {lowest}"
    return Domain(long_name, lowest, np.inf, (True, False), allowed, whole=True)


PARAMETERS = {
    "alpha": _positive("patterns per neuron, P/N"),
    "reduced_load": _positive("variance of the cross-talk field of a frozen state"),
    "temperature": _at_least("temperature in units of the coupling J, k_B = 1", 0),
    "self_coupling": _at_least("self-coupling J_ii in units of J", 0),
    "interaction": _whole("order P of the interaction", 2),
    "quality": Domain("quality r of an example", 0, 1, (False, True), "in (0, 1]"),
    "n_examples": _whole("number M of examples of an archetype", 1),
    "dataset_entropy": _at_least("rho = (1 - r^2)/(M r^2)", 0),
    "dilution": Domain(
        "fraction d of blank entries of a pattern", 0, 1, (True, False), "in [0, 1)"
    ),
    "n_patterns": _whole("number of patterns", 1),
    "n_neurons": _whole("number of neurons N", 1),
    "n_inputs": _whole("number c of inputs of a neuron", 1),
    "n_active": _whole("number M of active units of a pattern", 1),
    "n_cued": _whole("number c of units of the cue", 1),
    "spurious": _positive("mean number of units that fire by mistake"),
    "n_clusters": _whole("number c of clusters", 2),
    "n_units": _whole("number l of units of a cluster", 2),
    "n_erased": _whole("number e of erased clusters", 1),
    "dreaming_time": Domain("dreaming time t", 0, np.inf, (True, True), "a number >= 0, or inf"),
    "start_overlap": Domain("overlap at the start", -1, 1, (True, True), "in [-1, 1]"),
    "overlap": Domain("overlap that is asked for", 0, 1, (False, False), "in (0, 1)"),
    "stability": Domain("stability kappa", -np.inf, np.inf, (False, False), "a finite number"),
    "bias": Domain("mean of a pattern's entries", -1, 1, (False, False), "in (-1, 1)"),
    "activity": Domain("fraction a of active neurons", 0, 1, (False, False), "in (0, 1)"),
    "threshold": Domain("threshold of a neuron", -np.inf, np.inf, (False, False), "finite"),
    "n_flipped": _whole("number of flipped neurons of the cue", 0),
    "bit_error": Domain("wrong fraction of the neurons", 0, 0.5, (False, False), "in (0, 1/2)"),
    "dimension": _whole("dimension d of the patterns", 2),
    "inverse_temperature": _positive("inverse temperature beta of the softmax"),
    "log_n_patterns": _at_least("ln of the number M of patterns", 0),
    "self_overlap": _positive("beta |x|^2, exponent of a pattern's overlap with itself"),
    "entmax_order": _at_least("order a of the entmax: 1 softmax, 2 sparsemax", 1),
    "cluster_overlap": Domain(
        "overlap c = x.x'/|x|^2 of two patterns of a cluster", 0, 1, (True, False), "in [0, 1)"
    ),
    "norm_difference": Domain(
        "|x_1|^2 - |x_2|^2 of two patterns", -np.inf, np.inf, (False, False), "a finite number"
    ),
    "largest_norm": _positive("largest norm M of the patterns"),
    "separation": Domain(
        "separation Delta of a pattern", -np.inf, np.inf, (False, False), "finite"
    ),
    "distance": _at_least("largest distance of the pattern from the state or fixed point", 0),
    "radius": _positive("radius of the patterns over sqrt(d - 1)"),
    "failure": Domain("probability p of failure", 0, 1, (False, True), "in (0, 1]"),
    "sharpness": _positive("inverse width lambda of the separation function"),
    "coupling_noise": _at_least("amplitude omega of the noise of a coupling", 0),
    "scaled_noise": _at_least("amplitude of the noise of a pair over sqrt(N)", 0),
}
_HINTS = {
    "alpha": "a finite number of patterns, alpha -> 0, has functions of its own: low_load",
}


def parameter(values, name, long_name=None):
    """One parameter of a theory as a DataArray, checked.

    Args:
        values: a number, a 1-D array (it gets a dimension called `name`), or a DataArray, which
            keeps its dimensions and coordinates.
        name: a key of `PARAMETERS`.
        long_name: replaces that of the table, where a theory means something more special.

    Returns:
        xarray.DataArray called `name`, of floats, or of integers for numbers that count (floats
        again from 2^63 on, where integers end: K = N^(P-1) gets there).

    Raises:
        ValueError: entries outside the domain of the parameter (undefined ones are), and plain
            arrays of two or more dimensions, whose axes have no names.
    """
    domain = PARAMETERS[name]
    if np.asarray(values).dtype == bool:
        raise ValueError(f"{name} = {values!r} is not a number; it must be {domain.allowed}")
    if isinstance(values, xr.DataArray):
        array = values.astype(float)
    else:
        try:
            plain = np.asarray(values, dtype=float)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{name} = {values!r} is not a number; it must be {domain.allowed}"
            ) from error
        if plain.ndim > 1:
            raise ValueError(
                f"{name} is a plain array of {plain.ndim} dimensions without names; "
                "give a number, a 1-D array, or an xarray.DataArray with named dimensions"
            )
        array = xr.DataArray(plain, dims=(name,) if plain.ndim else ())
        if plain.ndim:
            array = array.assign_coords({name: plain})
    bad = ~domain.contains(array.values)
    if bad.any():
        value = array.values[bad].flat[0]
        hint = "drop undefined entries first" if np.isnan(value) else _HINTS.get(name)
        raise ValueError(
            f"{name} = {value:g} is not allowed; it must be {domain.allowed}"
            + (f" ({hint})" if hint else "")
        )
    if domain.whole and (array.values < 2.0**63).all():
        array = array.astype(int)
        if name in array.coords:
            array = array.assign_coords({name: array[name].astype(int)})
    array.name = name
    array.attrs = {"long_name": long_name or domain.long_name, "units": "1"}
    return array


def common_grid(long_names=None, **parameters):
    """Parameters as DataArrays on their common grid, in the order given.

    Dimensions are matched by name: two plain 1-D arrays span the grid in that order, two
    DataArrays along one shared dimension are paired.

    Args:
        long_names: name -> what the parameter means here, where that is more special than in
            `PARAMETERS` (the load of a P-body network, say).
        parameters: name -> values, as for `parameter`.

    Raises:
        ValueError: as `parameter`; or a shared dimension with different labels.
    """
    long_names = long_names or {}
    checked = [parameter(values, name, long_names.get(name)) for name, values in parameters.items()]
    try:
        return list(xr.align(*checked, join="exact"))
    except ValueError as error:
        raise ValueError(
            f"{' and '.join(parameters)} share a dimension but not its labels; give them on the "
            f"same coordinate, or as plain arrays to span a grid ({error})"
        ) from error


def dataset(
    parameters,
    variables,
    title,
    extra_dims=None,
    *,
    convention=None,
    source=None,
    branch=None,
    coords=None,
):
    """A Dataset on the common grid of the parameters.

    Args:
        parameters: DataArrays from `parameter` or `common_grid`; they become the coordinates.
            None at all for a Dataset of single numbers.
        variables: name -> (values, long_name). Values have the broadcast shape of the
            parameters, followed by the dimensions in `extra_dims[name]`.
        title: what the Dataset is, in a few words; becomes its attribute `title`.
        extra_dims: name -> names of further dimensions of that variable.
        convention: H, load and units that the numbers are in; becomes an attribute.
        source: author and year of the equations, or that they were derived here; likewise.
        branch: which of several solutions this is; becomes a scalar coordinate, along which
            Datasets can be concatenated.
        coords: name -> (values, long_name) of 1-D coordinates of the extra dimensions.

    Returns:
        xarray.Dataset; every variable carries long_name and units.
    """
    extra_dims = extra_dims or {}
    dims = xr.broadcast(*parameters)[0].dims if parameters else ()
    attributes = {"title": title, "convention": convention, "source": source}
    found = xr.Dataset(attrs={name: text for name, text in attributes.items() if text})
    for given in parameters:
        found = found.assign_coords({given.name: given}).assign_coords(given.coords)
    for given in parameters:  # last, as one may carry another as a bare coordinate
        found[given.name].attrs = given.attrs | found[given.name].attrs
    for name, (values, long_name) in (coords or {}).items():
        described = {"long_name": long_name, "units": "1"}
        found = found.assign_coords({name: xr.Variable(name, values, described)})
    for name, (values, long_name) in variables.items():
        found[name] = xr.Variable(
            (*dims, *extra_dims.get(name, ())),
            values,
            {"long_name": long_name, "units": "1"},
        )
    if branch is not None:
        described = {"long_name": "solution", "units": "1"}
        found = found.assign_coords(branch=xr.Variable((), branch, described))
    return found


def on_grid(parameters):
    """The values of the parameters as flat arrays over their common grid, and its shape."""
    grids = xr.broadcast(*parameters)
    return [grid.values.ravel() for grid in grids], grids[0].shape


def evaluated(parameters, equations, long_names, title, **described):
    """The Dataset of what `equations` finds at every point of the common grid.

    Args:
        parameters: DataArrays from `common_grid`.
        equations: called with the parameters as flat arrays (point,), returns
            name -> array (point,) or (point, ...); NaN where there is no such solution.
        long_names: name -> what the variable is; these variables are kept, in this order.
        title, described: as for `dataset`.

    Returns:
        xarray.Dataset.
    """
    flat, shape = on_grid(parameters)
    found = equations(*flat)
    variables = {
        name: (np.reshape(found[name], (*shape, *np.shape(found[name])[1:])), long_name)
        for name, long_name in long_names.items()
    }
    return dataset(parameters, variables, title, **described)


def branches(found, names, title=None):
    """Datasets of several solutions side by side, with `branch` as their first dimension.

    Args:
        found: one Dataset a solution, on the same grid.
        names: of the solutions, in that order.
        title: of all together; none: theirs, where they agree.

    Returns:
        xarray.Dataset with the attributes that all of them share.
    """
    labels = xr.Variable("branch", list(names), {"long_name": "solution", "units": "1"})
    together = xr.concat(
        [one.drop_vars("branch", errors="ignore") for one in found],
        dim=labels,
        combine_attrs="drop_conflicts",
    )
    return together.assign_attrs({"title": title} if title else {})

"""Plain numbers, arrays or DataArrays in; one labelled Dataset on their common grid out."""

import numpy as np
import xarray as xr

LONG_NAMES = {
    "alpha": "patterns per neuron, P/N",
    "temperature": "temperature in units of the coupling J, k_B = 1",
}


def parameter(values, name):
    """One parameter of a theory as a DataArray, checked.

    Args:
        values: a number, a 1-D array (it gets a dimension called `name`), or a DataArray, which
            keeps its dimensions and coordinates.
        name: "alpha" or "temperature".

    Returns:
        xarray.DataArray of floats called `name`.

    Raises:
        ValueError: entries that are negative, infinite or undefined, and plain arrays of two or
            more dimensions, whose axes have no names.
    """
    if isinstance(values, xr.DataArray):
        array = values.astype(float)
    else:
        plain = np.asarray(values, dtype=float)
        if plain.ndim > 1:
            raise ValueError(
                f"{name} is a plain array of {plain.ndim} dimensions without names; "
                "give a number, a 1-D array, or an xarray.DataArray with named dimensions"
            )
        array = xr.DataArray(plain, dims=(name,) if plain.ndim else ())
        if plain.ndim:
            array = array.assign_coords({name: plain})
    bad = ~(np.isfinite(array.values) & (array.values >= 0))
    if bad.any():
        raise ValueError(
            f"{name} = {array.values[bad].flat[0]} is not allowed; it must be a finite number >= 0 "
            "(drop undefined entries first)"
        )
    array.name = name
    array.attrs = {"long_name": LONG_NAMES[name], "units": "1"}
    return array


def common_grid(alpha, temperature):
    """alpha and temperature as DataArrays on their common grid.

    Dimensions are matched by name: two plain 1-D arrays span the grid (alpha, temperature), two
    DataArrays along one shared dimension are paired.

    Raises:
        ValueError: as `parameter`; or a shared dimension with different labels.
    """
    alpha, temperature = parameter(alpha, "alpha"), parameter(temperature, "temperature")
    try:
        alpha, temperature = xr.align(alpha, temperature, join="exact")
    except ValueError as error:
        raise ValueError(
            "alpha and temperature share a dimension but not its labels; give both on the same "
            f"coordinate, or as plain arrays to span a grid ({error})"
        ) from error
    return alpha, temperature


def dataset(parameters, variables, title, extra_dims=None):
    """A Dataset on the common grid of the parameters.

    Args:
        parameters: DataArrays from `parameter` or `common_grid`; they become the coordinates.
            None at all for a Dataset of single numbers.
        variables: name -> (values, long_name). Values have the broadcast shape of the
            parameters, followed by the dimensions in `extra_dims[name]`.
        title: what the Dataset is, in a few words; becomes its attribute `title`.
        extra_dims: name -> names of further dimensions of that variable.

    Returns:
        xarray.Dataset; every variable carries long_name and units.
    """
    extra_dims = extra_dims or {}
    dims = xr.broadcast(*parameters)[0].dims if parameters else ()
    found = xr.Dataset(attrs={"title": title})
    for given in parameters:
        found = found.assign_coords({given.name: given}).assign_coords(given.coords)
        described = {"long_name": LONG_NAMES[given.name], "units": "1"}
        found[given.name].attrs = described | found[given.name].attrs
    for name, (values, long_name) in variables.items():
        found[name] = xr.Variable(
            (*dims, *extra_dims.get(name, ())),
            values,
            {"long_name": long_name, "units": "1"},
        )
    return found


def on_grid(parameters):
    """The values of the parameters as flat float arrays over their common grid, and its shape."""
    grids = xr.broadcast(*parameters)
    return [grid.values.astype(float).ravel() for grid in grids], grids[0].shape

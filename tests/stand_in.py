"""A stand-in for CuPy where there is no GPU: its arrays refuse what arrays on a GPU refuse.

Code for continuous states is written with the module of its arrays. Whether it is, shows only with
arrays that are not NumPy's: those here hold numbers in main memory, but NumPy's functions, mixing
with NumPy's arrays and silent copies raise, as they do (or should not be) with CuPy.
"""

from __future__ import annotations

import contextlib
import sys
import types

import numpy as np

# What an operator (+, @, <, ...) or a method (.sum, .max, ...) of an array may call.
OPERATORS = {
    np.add, np.subtract, np.multiply, np.true_divide, np.floor_divide, np.power, np.square,
    np.negative, np.positive, np.absolute, np.matmul, np.remainder, np.sqrt, np.reciprocal,
    np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal,
    np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert, np.left_shift, np.right_shift,
    np.maximum, np.minimum, np.logical_and, np.logical_or,
}  # fmt: skip


class ndarray(np.ndarray):
    """An array "on the GPU"."""

    def __array_function__(self, function, kinds, arguments, options):
        raise TypeError(f"numpy.{function.__name__} was called with an array of the GPU")

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        if ufunc not in OPERATORS:
            raise TypeError(f"numpy.{ufunc.__name__} was called with an array of the GPU")
        for one in inputs:
            if isinstance(one, np.ndarray) and not isinstance(one, ndarray) and one.ndim:
                raise TypeError(f"{ufunc.__name__} of an array of the GPU and one of NumPy")
        out = options.pop("out", None)
        if out is not None:
            options["out"] = tuple(np.asarray(o.view(np.ndarray)) for o in out)
        found = getattr(ufunc, method)(*(_bare(one) for one in inputs), **options)
        return out[0] if out is not None else _dressed(found)

    def __setitem__(self, where, what):
        if isinstance(what, np.ndarray) and not isinstance(what, ndarray) and what.ndim:
            raise TypeError("an array of NumPy was written into one of the GPU")
        super().__setitem__(_bare(where), _bare(what))

    def __getitem__(self, where):
        return _dressed(self.view(np.ndarray)[_bare(where)])

    def get(self):
        """A copy in main memory."""
        return np.array(self.view(np.ndarray))


ndarray.__module__ = "cupy"


@contextlib.contextmanager
def cupy():
    """`import cupy` gives the stand-in here: yields the module."""
    module = types.ModuleType("cupy")
    module.__getattr__ = lambda name: _wrapped(getattr(np, name))
    module.linalg = types.SimpleNamespace(norm=_wrapped(np.linalg.norm))
    before = sys.modules.get("cupy")
    sys.modules["cupy"] = module
    try:
        yield module
    finally:
        sys.modules.pop("cupy")
        if before is not None:
            sys.modules["cupy"] = before


def _wrapped(function):
    if isinstance(function, type) or not callable(function):
        return function  # types, pi, inf

    def called(*arguments, **options):
        made = function.__name__ in ("asarray", "array", "ascontiguousarray")
        for one in arguments:
            if isinstance(one, np.ndarray) and not isinstance(one, ndarray) and not made:
                raise TypeError(f"cupy.{function.__name__} was called with an array of NumPy")
        return _dressed(
            function(*map(_bare, arguments), **{k: _bare(v) for k, v in options.items()})
        )

    return called


def _bare(value):
    if isinstance(value, ndarray):
        return value.view(np.ndarray)
    if isinstance(value, tuple | list):
        return type(value)(_bare(one) for one in value)
    return value


def _dressed(value):
    if isinstance(value, np.ndarray | np.generic):
        return np.asarray(value).view(ndarray)
    if isinstance(value, tuple):
        return tuple(_dressed(one) for one in value)
    return value

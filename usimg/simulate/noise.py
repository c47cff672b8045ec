"""Smooth random fields that can be evaluated anywhere: the irregularity of tissue.

A field is white Gaussian noise on a lattice, interpolated by cubic B-splines, so it is band-limited,
has no seams, and costs one `map_coordinates` call whatever the grid it is asked on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

# The mean over the unit cell of the squared cubic B-spline weights is 151/315 along one axis
# (Unser 1999, IEEE Signal Processing Magazine 16:22); two axes multiply, the SD is their root twice.
_SPLINE_SD_2D = 151.0 / 315.0
_SPLINE_SD_1D = _SPLINE_SD_2D**0.5


def smooth_noise(
    rng: np.random.Generator, u: FloatArray, v: FloatArray, scale_u: float, scale_v: float
) -> FloatArray:
    """Zero-mean, unit-variance noise at points (u, v), correlated over about one scale on each axis.

    Parameters
    ----------
    rng : numpy.random.Generator
        Consumed by one lattice; the lattice's size follows from the range of u and v.
    u, v : arrays of one shape
        Coordinates in mm.
    scale_u, scale_v : float
        Lattice spacing in mm.

    Returns
    -------
    array of that shape
    """
    if u.size == 0:
        return np.zeros(u.shape)
    at_u = u / scale_u
    at_v = v / scale_v
    low_u, low_v = np.floor(at_u.min()) - 2.0, np.floor(at_v.min()) - 2.0
    lattice = rng.standard_normal((int(at_u.max() - low_u) + 4, int(at_v.max() - low_v) + 4))
    if u.ndim == 2 and u.strides[0] == 0 and v.strides[1] == 0:
        # A rectangular grid: the spline is separable, first down, then across.
        columns = _spline(lattice.T, at_v[:, 0] - low_v)
        values = _spline(columns.T, at_u[0] - low_u).T
    else:
        at = [at_u - low_u, at_v - low_v]
        values = ndimage.map_coordinates(lattice, at, order=3, prefilter=False, mode="nearest")
    return np.asarray(values / _SPLINE_SD_2D, dtype=np.float64)


def _spline(knots: FloatArray, at: FloatArray) -> FloatArray:
    """(N, M) cubic B-splines along the first axis of (K, M) knots, at N positions 1 .. K - 3.

    Sums of rows, not a matrix product: BLAS rounds by its number of threads, pictures must not.
    """
    below = np.floor(at).astype(int)
    t = (at - below)[:, None]
    weights = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    total = weights[0] * knots[below - 1]
    for k, weight in enumerate(weights[1:]):
        total += weight * knots[below + k]
    return np.asarray(total / 6.0, dtype=np.float64)


def smooth_noise_complex(
    rng: np.random.Generator, u: FloatArray, v: FloatArray, scale_u: float, scale_v: float
) -> ComplexArray:
    """Circular complex counterpart of `smooth_noise`, unit power."""
    real = smooth_noise(rng, u, v, scale_u, scale_v)
    imaginary = smooth_noise(rng, u, v, scale_u, scale_v)
    return np.asarray((real + 1j * imaginary) / np.sqrt(2.0), dtype=np.complex128)


def white_noise_complex(rng: np.random.Generator, shape: tuple[int, int]) -> ComplexArray:
    """Unit-power circular complex white noise: many unresolved scatterers in every cell."""
    parts = rng.standard_normal((2, *shape))
    return np.asarray((parts[0] + 1j * parts[1]) / np.sqrt(2.0), dtype=np.complex128)


def wavy_line(
    rng: np.random.Generator, amplitude_mm: float, wavelengths_mm: tuple[float, ...] = (42.0, 19.0, 8.5)
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Amplitudes, wave numbers and phases of a gently wavy fascia; shorter waves are flatter.

    Returns
    -------
    tuple of (K,) arrays
        Amplitude in mm, angular wave number in 1/mm, phase in rad.
    """
    lengths = np.array(wavelengths_mm) * rng.uniform(0.8, 1.25, len(wavelengths_mm))
    # A wave's height falls faster than its length, or the fascia would look crumpled.
    heights = amplitude_mm * (lengths / lengths[0]) ** 1.3 * rng.uniform(0.6, 1.0, len(lengths))
    return heights, 2.0 * np.pi / lengths, rng.uniform(0.0, 2.0 * np.pi, len(lengths))

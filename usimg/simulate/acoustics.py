"""From scatterers to grey levels: point-spread function, attenuation, gain, compression.

Tissue is given as the amplitude of its scatterers (dB) on the grid of beam samples. Unresolved
scatterers of random phase, seen through the pulse and the beam, sum to circular complex Gaussian
noise: its envelope is Rayleigh distributed, mean/SD = 1.91 (Wagner et al. 1983, IEEE Trans Sonics
Ultrason 30:156), and as large as the pulse is long and the beam wide.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from usimg.simulate.noise import ComplexArray, white_noise_complex

FloatArray = NDArray[np.float64]

SPEED_MM_PER_US = 1.54  # soft tissue, the speed every scanner assumes
_FWHM_TO_SD = 1.0 / 2.3548


@dataclass(frozen=True, slots=True)
class Scanner:
    """Probe, transmit and display settings that shape a B-mode picture.

    Attributes
    ----------
    frequency_mhz : float
        Centre frequency.
    f_number : float
        Of the transmit focus.
    focus_mm : float
        Depth of the transmit focus.
    defocus : float
        Beam width gained per mm away from the focus (mm/mm).
    looks : int
        Envelopes averaged (spatial compounding); 1 shows plain Rayleigh speckle.
    dynamic_range_db : float
        Amplitudes shown between black and white.
    gain_db : float
        Added before compression.
    gamma : float
        Grey map: above 1 darkens the low levels, as muscle presets do.
    noise_db : float
        Receiver noise at the face, in the same dB; time gain raises it with depth.
    tgc_db_per_mm : float
        What the time gain adds: as much as ordinary tissue takes on the way there and back.
    reverberation_db : float
        Strength of the echo that runs between probe and reflector twice.
    clutter_db : float
        Haze from side lobes and multiple scattering, against what lies within some 3 mm: why
        shadows and vessels are not quite black.
    """

    frequency_mhz: float = 10.0
    f_number: float = 2.6
    focus_mm: float = 18.0
    defocus: float = 0.02
    looks: int = 3
    dynamic_range_db: float = 62.0
    gain_db: float = 0.0
    gamma: float = 1.25
    noise_db: float = -92.0
    tgc_db_per_mm: float = 0.62
    reverberation_db: float = -31.0
    clutter_db: float = -24.0

    @property
    def wavelength_mm(self) -> float:
        """In soft tissue."""
        return SPEED_MM_PER_US / self.frequency_mhz

    @property
    def axial_sd_mm(self) -> float:
        """SD of the pulse's envelope: its full width at half maximum is about one wavelength."""
        return 1.15 * self.wavelength_mm * _FWHM_TO_SD

    def lateral_sd_mm(self, depth_mm: FloatArray) -> FloatArray:
        """SD of the beam profile: diffraction at the focus, geometry away from it."""
        at_focus = 1.2 * self.wavelength_mm * self.f_number * _FWHM_TO_SD
        return np.hypot(at_focus, self.defocus * (depth_mm - self.focus_mm))


@dataclass(frozen=True, slots=True)
class Echoes:
    """Tissue on the beam grid, (samples, lines) each.

    Attributes
    ----------
    level_db : float array
        Amplitude of the echo.
    attenuation_db : float array
        Both ways, per mm.
    coherence : float array
        0..1: how much of the echo comes from sheets (fascia, cortex) and not from random scatterers.
    sheets : complex array
        Unit-power field of those sheets, correlated along them.
    mirror : float array
        Amplitude of what reflects strongly enough to be seen twice.
    """

    level_db: FloatArray
    attenuation_db: FloatArray
    coherence: FloatArray
    sheets: ComplexArray
    mirror: FloatArray


def point_spread(
    scatterers: ComplexArray, sample_mm: float, line_mm: FloatArray, scanner: Scanner
) -> ComplexArray:
    """Scatterers seen through pulse and beam; a constant passes unchanged.

    Parameters
    ----------
    scatterers : (samples, lines) complex array
    sample_mm : float
        Between samples along the beam.
    line_mm : (samples,) array
        Between beams, at each sample.

    Returns
    -------
    (samples, lines) complex array
        The received baseband signal.
    """
    samples, lines = scatterers.shape
    depth = np.arange(samples, dtype=np.float64) * sample_mm
    width_px = scanner.lateral_sd_mm(depth) / line_mm
    pad = int(np.ceil(3.0 * width_px.max()))
    padded = np.pad(scatterers, ((0, 0), (pad, pad)), mode="reflect")
    # A Gaussian beam whose width differs from row to row is one multiplication per row in frequency.
    cycles = fft.fftfreq(padded.shape[1])
    transfer = np.exp(-2.0 * (np.pi * cycles[None, :] * width_px[:, None]) ** 2)
    across = fft.ifft(fft.fft(padded, axis=1) * transfer, axis=1)[:, pad : pad + lines]
    pulse_px = scanner.axial_sd_mm / sample_mm
    real = ndimage.gaussian_filter1d(across.real, pulse_px, axis=0, mode="reflect")
    imaginary = ndimage.gaussian_filter1d(across.imag, pulse_px, axis=0, mode="reflect")
    return np.asarray(real + 1j * imaginary, dtype=np.complex128)


def speckle_gain(sample_mm: float, line_mm: FloatArray, scanner: Scanner) -> FloatArray:
    """(samples, 1) factor that gives white scatterers unit power after `point_spread`."""
    depth = np.arange(len(line_mm), dtype=np.float64) * sample_mm
    width_px = scanner.lateral_sd_mm(depth) / line_mm
    pulse_px = scanner.axial_sd_mm / sample_mm
    # Sum of squares of a sampled Gaussian of SD s and sum 1 is 1 / (2 sqrt(pi) s).
    return np.asarray(np.sqrt(4.0 * np.pi * width_px * pulse_px)[:, None], dtype=np.float64)


def envelope(
    echoes: Echoes, sample_mm: float, line_mm: FloatArray, scanner: Scanner, rng: np.random.Generator
) -> FloatArray:
    """Received envelope after time gain, before compression.

    Parameters
    ----------
    echoes : Echoes
        Tissue on the beam grid.
    sample_mm : float
    line_mm : (samples,) array
    scanner : Scanner
    rng : numpy.random.Generator
        Draws the scatterers, anew for every look.

    Returns
    -------
    (samples, lines) float array
        Amplitude, 1 at 0 dB.
    """
    shape = echoes.level_db.shape
    depth = (np.arange(shape[0]) * sample_mm)[:, None]
    gain = speckle_gain(sample_mm, line_mm, scanner)
    amplitude = 10.0 ** (echoes.level_db / 20.0)
    amplitude *= _transmission(echoes, sample_mm, line_mm, scanner)
    haze = _smoothed_power(amplitude, sample_mm, line_mm) * 10.0 ** (scanner.clutter_db / 10.0)
    diffuse = np.sqrt(amplitude**2 * (1.0 - echoes.coherence) + haze) * gain
    sheets = amplitude * np.sqrt(echoes.coherence) * echoes.sheets
    twice = _twice(amplitude * echoes.mirror * echoes.sheets)
    sheets += twice * 10.0 ** (scanner.reverberation_db / 20.0)
    noise = 10.0 ** ((scanner.noise_db + scanner.tgc_db_per_mm * depth) / 20.0) * gain
    total = np.zeros(shape)
    for _ in range(scanner.looks):
        scatterers = diffuse * white_noise_complex(rng, shape) + sheets
        scatterers += noise * white_noise_complex(rng, shape)
        total += np.abs(point_spread(scatterers, sample_mm, line_mm, scanner))
    return total / scanner.looks


def _transmission(echoes: Echoes, sample_mm: float, line_mm: FloatArray, scanner: Scanner) -> FloatArray:
    """(samples, lines) amplitude that comes back, after the time gain, of an echo of 1."""
    depth = np.arange(len(line_mm))[:, None] * sample_mm
    lost = np.cumsum(echoes.attenuation_db, axis=0) * sample_mm - scanner.tgc_db_per_mm * depth
    passed = 10.0 ** (-lost / 20.0)
    # The aperture looks past an obstacle: a shadow has a core and a penumbra.
    step = float(line_mm.mean())
    core = ndimage.gaussian_filter1d(passed, 0.4 / step, axis=1, mode="nearest")
    penumbra = ndimage.gaussian_filter1d(passed, 2.0 / step, axis=1, mode="nearest")
    return np.asarray(0.5 * core + 0.5 * penumbra, dtype=np.float64)


def _smoothed_power(amplitude: FloatArray, sample_mm: float, line_mm: FloatArray) -> FloatArray:
    """(samples, lines) mean power within some millimetres, worked out on every eighth sample."""
    step_x = float(line_mm.mean())
    power = amplitude[::8] ** 2
    power = ndimage.gaussian_filter(power, (1.2 / (8 * sample_mm), 3.0 / step_x), mode="nearest")
    return np.repeat(power, 8, axis=0)[: amplitude.shape[0]]


def _twice(field: ComplexArray) -> ComplexArray:
    """What lies at depth d, moved to 2d."""
    half = np.arange(field.shape[0]) // 2
    return field[half]


def compress(amplitude: FloatArray, scanner: Scanner) -> FloatArray:
    """Log compression and grey map: grey levels 0-255, not yet rounded.

    Parameters
    ----------
    amplitude : float array
        1 at 0 dB, which is white at gain 0.
    """
    level_db = 20.0 * np.log10(np.maximum(amplitude, 1e-12)) + scanner.gain_db
    shown = np.clip(1.0 + level_db / scanner.dynamic_range_db, 0.0, 1.0)
    return np.asarray(255.0 * shown**scanner.gamma, dtype=np.float64)

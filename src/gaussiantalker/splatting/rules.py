"""Numbers that all rasterizers here share: the rules of gsplat 1.5, and harmonics signed as 3DGS does (Sloan 2013)."""

from math import e, log2, pi, sqrt

MIN_ALPHA, MAX_ALPHA = 1 / 255, 0.999  # a splat counts from the first on, and hides no more than the second
MIN_TRANSMITTANCE = 1e-4  # a pixel is finished before the splat that would leave this much or less
MARGIN = 0.15  # of the picture, beyond each edge: as far off the perspective is linearised

# What the tiled rasterizers keep powers of two with.
TILE = 16  # pixels
LOG_MIN_ALPHA = log2(MIN_ALPHA)
SCALE = sqrt(0.5 * log2(e))  # of u and v, so that they stand for powers of two

HARMONICS = (
    (sqrt(1 / (4 * pi)),),
    (sqrt(3 / (4 * pi)),),
    (sqrt(15 / (4 * pi)), sqrt(5 / (16 * pi)), sqrt(15 / (16 * pi))),
    (sqrt(35 / (32 * pi)), sqrt(105 / (4 * pi)), sqrt(21 / (32 * pi)), sqrt(7 / (16 * pi)), sqrt(105 / (16 * pi))),
)
"""Factors of the real spherical harmonics, by degree, in the order in which its functions first use them."""

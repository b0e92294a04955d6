"""The numbers in a capture's labels: what each pixel shows."""

BACKGROUND, HEAD, NECK, TORSO = range(4)

"""What a film says of its making: a signed manifest, an invisible mark, a visible label. Knows pixels, no heads."""

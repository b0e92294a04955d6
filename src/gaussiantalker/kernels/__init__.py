"""A language for CPU kernels in numba: vectors, small products, blocks of columns, loops over threads."""

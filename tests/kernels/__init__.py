"""Real kernels of several ipykernel versions, driven by messages as a front end sends them. No browser."""

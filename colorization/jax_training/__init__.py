"""Training of the generator with JAX, for one GPU that holds all photos; no TensorFlow is needed."""

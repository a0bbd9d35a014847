"""The page without a server: the browser runs the model."""

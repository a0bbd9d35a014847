"""The server: TensorFlow Serving's protocol, a plain API and a web page, in front of processes that run the model."""

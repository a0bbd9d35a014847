"""What the server counts, for Prometheus."""

import prometheus_client

_SECONDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


class Stats:
    """Counters of one server, in a registry of their own.

    Attributes:
      registry: holds them all.
      requests: answered, by interface and status.
      seconds: from request to answer, by interface.
      batch_size: requests that went to the model together.
      restarts: model processes that died and were replaced.
      model_version: that answers.
    """

    def __init__(self):
        """Starts all at zero."""
        self.registry = prometheus_client.CollectorRegistry()
        keywords = {"registry": self.registry}
        self.requests = prometheus_client.Counter(
            "colorization_requests", "Requests answered.", ["interface", "status"], **keywords
        )
        self.seconds = prometheus_client.Histogram(
            "colorization_request_seconds", "From request to answer.", ["interface"], buckets=_SECONDS, **keywords
        )
        self.batch_size = prometheus_client.Histogram(
            "colorization_batch_size", "Requests in a batch.", buckets=(1, 2, 4, 8, 16, 32), **keywords
        )
        self.restarts = prometheus_client.Counter(
            "colorization_model_process_restarts", "Model processes that died and were replaced.", **keywords
        )
        self.model_version = prometheus_client.Gauge(
            "colorization_model_version", "Version of the model that answers.", **keywords
        )

    def watch_queue(self, length) -> None:
        """Reports the queue's length, which `length()` returns whenever it is asked for."""
        gauge = prometheus_client.Gauge("colorization_queue_length", "Requests that wait.", registry=self.registry)
        gauge.set_function(length)

    def render(self) -> bytes:
        """The text that Prometheus reads."""
        return prometheus_client.generate_latest(self.registry)

"""What can go wrong with a request, in the words of gRPC; each has its HTTP status."""

import enum


class Code(enum.Enum):
    """Name of the gRPC status (`grpc.StatusCode`), and the HTTP status that stands for it."""

    INVALID_ARGUMENT = 400
    UNAUTHENTICATED = 401
    PERMISSION_DENIED = 403
    NOT_FOUND = 404
    RESOURCE_EXHAUSTED = 429
    INTERNAL = 500
    UNIMPLEMENTED = 501
    UNAVAILABLE = 503
    DEADLINE_EXCEEDED = 504


class ServingError(Exception):
    """A request that gets no result; the message is one line for the client, without paths.

    Attributes:
      code: what kind of failure it is.
      http_status: by default that of the code; 413 for what is too large, 408 for a body that does not arrive.
    """

    def __init__(self, code: Code, message: str, *, http_status: int | None = None):
        super().__init__(message)
        self.code = code
        self.http_status = code.value if http_status is None else http_status

    def __reduce__(self):
        """Pickles, which exceptions with arguments of their own don't by themselves."""
        return _restore, (self.code, str(self), self.http_status)


def _restore(code: Code, message: str, http_status: int) -> ServingError:
    return ServingError(code, message, http_status=http_status)

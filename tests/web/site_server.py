"""A web server as simple as they come, for the page without a server: it knows files and nothing else."""

import functools
import http.server
import io
import threading
from collections.abc import Iterable
from pathlib import Path

PATH = "/name/"  # not the root: GitHub Pages serves projects so


class SiteServer:
    """Serves a folder at `PATH`, like `python -m http.server`.

    Attributes:
      refused: names of files that it pretends not to have.
      halting: name of a file of which it sends the first half and then waits for `go_on`.
      requests: paths asked for, each with its method, in order.
    """

    def __init__(self, directory: Path, *, isolated: bool = False, refused: Iterable[str] = (), halting: str = ""):
        """Listens at once, at any free port.

        Args:
          directory: what it serves.
          isolated: send the headers that allow a page to use threads.
          refused: see the attribute.
          halting: see the attribute.
        """
        self.refused = set(refused)
        self.halting = halting
        self.go_on = threading.Event()
        self.requests: list[tuple[str, str]] = []
        handler = functools.partial(_Handler, self, isolated, directory=str(directory))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}{PATH}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(http.server.SimpleHTTPRequestHandler):
    def __init__(self, server: SiteServer, isolated: bool, *args, **options):
        self._site, self._isolated = server, isolated
        super().__init__(*args, **options)

    def do_GET(self):
        self._site.requests.append(("GET", self.path))
        if not self.path.startswith(PATH) or self.path.rpartition("/")[2] in self._site.refused:
            self.send_error(404)
            return
        self.path = self.path.removeprefix(PATH.rstrip("/"))
        super().do_GET()

    def copyfile(self, source, outputfile):
        if self.path.endswith(f"/{self._site.halting}") and self._site.halting:
            content = source.read()
            outputfile.write(content[: len(content) // 2])
            self._site.go_on.wait(60)
            source = io.BytesIO(content[len(content) // 2 :])
        super().copyfile(source, outputfile)

    def do_POST(self):
        self._site.requests.append(("POST", self.path))
        self.send_error(405)

    def end_headers(self):
        if self._isolated:
            self.send_header("Cross-Origin-Opener-Policy", "same-origin")
            self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def log_message(self, *args):
        pass

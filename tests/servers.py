"""A web server for tests, which behaves as badly as it is told to."""

import re
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STALL_S = 60  # then the connection ends


class Server:
    """Serves `content` at any address. plan: what to do with the next requests, see `Handler`.

    asked: (path, headers) of each request, in order. etag, modified: "" sends none.
    """

    def __init__(self, content):
        self.content, self.etag, self.modified = content, '"1"', ""
        self.plan, self.asked = [], []
        self.go_on = threading.Event()  # what stalls waits for it
        server = self

        class Bound(Handler):
            of = server

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Bound)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}/set.zip"

    @property
    def ranges(self):
        return [headers.get("Range", "") for _, headers in self.asked]


class Handler(BaseHTTPRequestHandler):
    """One request: a word of the plan, with numbers after it.

    ok · cut N: N bytes of what was promised, then the connection ends · stall N: N bytes, then
    nothing · short N: N bytes, and the range is said to end there · whole: a range is not
    understood · deaf: If-Range is not · chunks N: no length; cut after N bytes (0: not) ·
    status N · redirect
    """

    protocol_version = "HTTP/1.1"

    def do_GET(self):  # noqa: N802
        server = self.of
        server.asked.append((self.path, dict(self.headers)))
        word, *numbers = (server.plan.pop(0) if server.plan else "ok").split()
        number = int(numbers[0]) if numbers else None
        if word == "status":
            return self._head(number, 0)
        if word == "redirect":
            return self._head(302, 0, Location="/moved.zip")
        content, first, status = server.content, 0, 200
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        same = self.headers.get("If-Range") in (None, server.etag, server.modified)
        if wanted and word not in ("whole", "chunks") and (same or word == "deaf"):
            first, status = int(wanted[1]), 206
            if first >= len(content):
                return self._head(416, 0, **{"Content-Range": f"bytes */{len(content)}"})
        body = content[first:]
        if word == "short":
            body = body[:number]
        headers = {"ETag": server.etag, "Last-Modified": server.modified}
        if status == 206:
            last = first + len(body) - 1
            headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        if word == "chunks":
            self._head(200, None, **headers, **{"Transfer-Encoding": "chunked"})
            part = body[:number] if number else body
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            if number:
                return self._end()
            return self.wfile.write(b"0\r\n\r\n")
        self._head(status, len(body), **headers)
        if word in ("cut", "stall"):
            self.wfile.write(body[:number])
            self.wfile.flush()
            if word == "stall":
                server.go_on.wait(STALL_S)
            return self._end()
        self.wfile.write(body)

    def _head(self, status, length, **headers):
        self.send_response(status)
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _end(self):
        self.close_connection = True
        self.connection.close()

    def log_message(self, *args):
        pass

    def handle(self):
        with suppress(ConnectionError, ValueError):  # the other side, or we, hung up
            super().handle()


@contextmanager
def serving(content):
    server = Server(content)
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.go_on.set()
        server.http.shutdown()
        server.http.server_close()
        thread.join()

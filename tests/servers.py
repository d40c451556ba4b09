"""A web server for tests, which behaves as badly as it is told to."""

import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STALL_S = 60  # then the connection ends


class Server:
    """Serves `content` at any address. plan: what to do with the next requests, see `Handler`.

    asked: the paths of the requests, in order.
    """

    def __init__(self, content):
        self.content, self.plan, self.asked = content, [], []
        self.go_on = threading.Event()  # what stalls waits for it
        server = self

        class Bound(Handler):
            of = server

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Bound)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}/set.zip"


class Handler(BaseHTTPRequestHandler):
    """One request: a word of the plan, with a number after it.

    ok · cut N: N bytes of what was promised, then the connection ends · stall N: N bytes, then
    nothing · status N · redirect · unsized: no length is told
    """

    def do_GET(self):  # noqa: N802
        server = self.of
        server.asked.append(self.path)
        word, *numbers = (server.plan.pop(0) if server.plan else "ok").split()
        number = int(numbers[0]) if numbers else None
        if word in ("status", "redirect"):
            self.send_response(number or 302)
            self.send_header("Location", "/moved.zip")
            return self.end_headers()
        self.send_response(200)
        if word != "unsized":
            self.send_header("Content-Length", str(len(server.content)))
        self.end_headers()
        self.wfile.write(server.content[:number])
        self.wfile.flush()
        if word == "stall":
            server.go_on.wait(STALL_S)

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

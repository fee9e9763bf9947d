"""Serves the project with threads, and can write down what is said."""

import gzip
import io
import json
import threading

REQUEST_HEADERS = {
    "HTTP_AUTHORIZATION": "Authorization",
    "HTTP_X_MORANGO_CAPABILITIES": "X-Morango-Capabilities",
    "HTTP_USER_AGENT": "User-Agent",
    "HTTP_ACCEPT": "Accept",
    "HTTP_ACCEPT_ENCODING": "Accept-Encoding",
    "CONTENT_TYPE": "Content-Type",
    "CONTENT_LENGTH": "Content-Length",
}


def serve(port):
    """Serve on 127.0.0.1 in the background; the port that it became."""
    import waitress
    from django.core.wsgi import get_wsgi_application

    server = waitress.create_server(Recorder(get_wsgi_application()), host="127.0.0.1", port=port, threads=8)
    threading.Thread(target=server.run, name="server", daemon=True).start()
    return server.effective_port


class Recorder:
    """WSGI middleware that keeps each request and its answer while `exchanges` is a list."""

    exchanges = None

    def __init__(self, application):
        self.application = application

    def __call__(self, environ, start_response):
        if Recorder.exchanges is None:
            return self.application(environ, start_response)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        exchange = {
            "method": environ["REQUEST_METHOD"],
            "path": environ["PATH_INFO"],
            "query": environ["QUERY_STRING"],
            "headers": {name: environ[key] for key, name in REQUEST_HEADERS.items() if environ.get(key)},
            "body": readable(body, environ.get("CONTENT_TYPE", "")),
        }

        def note_and_start(status, headers, *more):
            exchange["status"] = int(status.split()[0])
            exchange["answer_headers"] = dict(headers)
            return start_response(status, headers, *more)

        answer = b"".join(self.application(environ, note_and_start))
        exchange["answer"] = readable(answer, exchange["answer_headers"].get("Content-Type", ""))
        Recorder.exchanges.append(exchange)
        return [answer]


def readable(body, content_type):
    """A body as the JSON value it is, or as text; None if there is none."""
    if not body:
        return None
    if content_type.startswith("application/gzip"):
        body = gzip.decompress(body)
    text = body.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except ValueError:
        return text

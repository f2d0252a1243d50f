"""A server on 127.0.0.1 that speaks as much of OpenAI's protocol as is asked of it."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    """answers: to each request, the last to all that follow: a text, a function from the last message's text to one,
    None for no choice, or a status with a message.
    """

    daemon_threads = True

    def __init__(self, *answers, models=("tiny",)):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.models, self.requests = list(answers), models, []
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send(200, {"object": "list", "data": [{"id": each, "object": "model"} for each in self.server.models]})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.path, self.headers["Authorization"], asked))
        answer = self.server.answers.pop(0) if len(self.server.answers) > 1 else self.server.answers[0]
        if isinstance(answer, tuple):
            status, message = answer
            self.send(status, {"error": {"message": message}})
            return
        if callable(answer):
            answer = answer(asked["messages"][-1]["content"])
        choices = [] if answer is None else [{"index": 0, "message": {"role": "assistant", "content": answer}}]
        self.send(200, {"id": "1", "object": "chat.completion", "model": asked["model"], "choices": choices})

    def send(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("retry-after-ms", "1")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

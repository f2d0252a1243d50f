"""What keeps the page its owner's: whose requests are heard, who may change anything, and what a browser may load."""

import hmac
import ipaddress
from collections.abc import Mapping
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from parataxis.errors import BadInput

BODY = 4096  # bytes of a request at most
TOKEN = 16  # characters of a token at least
SAFE = ("GET", "HEAD")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_wildcard(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def check_bind(host: str, token: str) -> None:
    """Beyond loopback only with a token that whoever runs the server has set."""
    if not is_loopback(host) and not token:
        raise BadInput(f"--host={host}: beyond this machine only with a token; set PARATAXIS_TOKEN")
    if token and (len(token) < TOKEN or not token.isascii() or not token.isprintable()):
        raise BadInput(f"PARATAXIS_TOKEN: has {len(token)} characters; expected at least {TOKEN}, of plain ASCII")


def cookie_name(netloc: str) -> str:
    """A browser gives one host's cookies to all its ports."""
    return f"parataxis-{netloc.rpartition(':')[2]}"


def may_change(headers: Mapping[str, str], cookies: Mapping[str, str], netloc: str, token: str) -> bool:
    given = cookies.get(cookie_name(netloc), "") or headers.get("authorization", "").removeprefix("Bearer ")
    return same(given, token)


def same(given: str, token: str) -> bool:
    """Compared in the same time wherever they differ."""
    return hmac.compare_digest(given.encode(), token.encode())


class Guard:
    """In front of every route: refuses strange hosts, foreign sites, and changes without the token.

    netloc: the host and port that the page is reached under. A request to another name is one that a strange site has
    pointed here.
    """

    def __init__(self, app: ASGIApp, netloc: str, token: str) -> None:
        self.app, self.netloc, self.token = app, netloc, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        refused = self._refused(Request(scope))
        if refused:
            status, why = refused
            await PlainTextResponse(f"{why}\n", status)(scope, receive, with_headers)
        else:
            await self.app(scope, receive, with_headers)

    def _refused(self, request: Request) -> tuple[int, str] | None:
        headers = request.headers
        if headers.get("host", "") != self.netloc:
            return 421, f"this page is at {self.netloc}"
        if request.method in SAFE:
            return None
        if request.method != "POST":
            return 405, "GET and POST only"
        if not self._from_here(headers):
            return 403, "only from the page itself"
        if not may_change(headers, request.cookies, self.netloc, self.token):
            return 403, "only with the token; `parataxis serve` prints the address that has it"
        return None

    def _from_here(self, headers: Headers) -> bool:
        """A browser says where a request comes from; what says nothing is no browser, and has the token to show."""
        origin = headers.get("origin", f"http://{self.netloc}")
        return origin.partition("://")[2] == self.netloc and headers.get("sec-fetch-site", "same-origin") in (
            "same-origin",
            "none",
        )


async def fields(request: Request) -> dict[str, str] | None:
    """The form that was sent, each field once; None if it is too long, or no such form."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY:
            return None
    try:
        found = parse_qs(body.decode("ascii"), strict_parsing=bool(body), max_num_fields=8, errors="strict")
    except ValueError:
        return None
    return {name: values[0] for name, values in found.items()} if all(len(v) == 1 for v in found.values()) else None

"""A small wiki in Bottle, called as a WSGI application: routes, cookies, Bottle's own templates."""

import io
from wsgiref.util import setup_testing_defaults

from bottle import Bottle, request, response, template

REQUESTS = 90_000
PAGE = """<h1>{{title}}</h1>
% for number, line in enumerate(lines):
<p id="{{number}}">{{line}}</p>
% end
<i>seen: {{seen}}</i>"""

app = Bottle()
pages: dict[str, list[str]] = {}


@app.get("/page/<title>")
def show(title: str) -> str:
    seen = int(request.get_cookie("seen", "0")) + 1
    response.set_cookie("seen", str(seen))
    return template(PAGE, title=title, lines=pages.get(title, []), seen=seen)


@app.post("/page/<title>")
def write(title: str) -> dict[str, int]:
    lines = pages.setdefault(title, [])
    lines.append(request.forms.get("line", ""))
    del lines[:-20]
    return {"lines": len(lines)}


@app.get("/number/<number:int>")
def number(number: int) -> str:
    return str(number * int(request.query.get("by", "1")))


def ask(path: str, body: str | None = None, query: str = "") -> int:
    data = (body or "").encode()
    environ = {"PATH_INFO": path, "QUERY_STRING": query, "HTTP_COOKIE": "seen=3", "wsgi.input": io.BytesIO(data)}
    setup_testing_defaults(environ)
    if body is not None:
        form = "application/x-www-form-urlencoded"
        environ |= {"REQUEST_METHOD": "POST", "CONTENT_LENGTH": str(len(data)), "CONTENT_TYPE": form}
    return sum(map(len, app(environ, lambda status, headers, exc_info=None: None)))


def main() -> None:
    size = 0
    for turn in range(REQUESTS // 4):
        size += ask(f"/page/p{turn % 30}", body=f"line={turn}")
        size += ask(f"/page/p{turn % 50}")
        size += ask(f"/number/{turn}", query="by=3")
        size += ask("/nowhere")
    print(REQUESTS, "requests,", size, "bytes")


main()

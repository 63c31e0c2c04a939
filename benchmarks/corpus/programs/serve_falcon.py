"""A small API in Falcon, asked in process through its test client: resources, middleware, media, error handlers."""

from typing import Any

import falcon
from falcon import testing

REQUESTS = 28_000


class Stamp:
    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        req.context.user = req.get_header("X-User") or "nobody"

    def process_response(self, req: falcon.Request, resp: falcon.Response, resource: Any, succeeded: bool) -> None:
        resp.set_header("X-Served", "yes" if succeeded else "no")


class Notes:
    def __init__(self) -> None:
        self.notes: list[dict[str, Any]] = []

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        limit = req.get_param_as_int("limit", min_value=1, max_value=100, default=10)
        resp.media = self.notes[-limit:]

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        note = req.get_media()
        self.notes.append({"id": len(self.notes), "by": req.context.user, "text": note["text"]})
        resp.status = falcon.HTTP_201
        resp.location = f"/notes/{len(self.notes) - 1}"


class Note:
    def __init__(self, notes: Notes) -> None:
        self.notes = notes

    def on_get(self, req: falcon.Request, resp: falcon.Response, number: int) -> None:
        if number >= len(self.notes.notes):
            raise falcon.HTTPNotFound(title="no such note")
        resp.media = self.notes.notes[number]


def lost(req: falcon.Request, resp: falcon.Response, error: KeyError, params: dict[str, Any]) -> None:
    raise falcon.HTTPBadRequest(title=f"missing: {error}")


def main() -> None:
    app = falcon.App(middleware=[Stamp()])
    notes = Notes()
    app.add_route("/notes", notes)
    app.add_route("/notes/{number:int}", Note(notes))
    app.add_error_handler(KeyError, lost)
    client = testing.TestClient(app, headers={"X-User": "tester"})
    size = 0
    for turn in range(REQUESTS // 4):
        size += len(client.simulate_post("/notes", json={"text": f"note {turn}"} if turn % 9 else {}).content)
        size += len(client.simulate_get(f"/notes/{turn}").content)
        size += len(client.simulate_get("/notes", params={"limit": turn % 120}).content)
        size += len(client.simulate_get("/nowhere").content)
    print(REQUESTS, "requests,", size, "bytes")


main()

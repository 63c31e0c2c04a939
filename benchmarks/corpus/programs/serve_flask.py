"""A small shop in Flask, asked in process: templates, JSON, sessions, redirects and errors."""

from flask import Flask, Response, abort, jsonify, redirect, render_template_string, request, session, url_for

REQUESTS = 6_000
PAGE = """<!doctype html><title>{{ title }}</title>
<ul>{% for item in items %}<li class="{{ loop.cycle('odd', 'even') }}">{{ item.name }}: {{ '%.2f' % item.price }}</li>
{% endfor %}</ul><p>{{ session.get('seen', 0) }} pages seen</p>"""
ITEMS = [{"id": number, "name": f"item <{number}>", "price": number * 1.25} for number in range(40)]

app = Flask(__name__)
app.secret_key = "for tests only"


@app.before_request
def count_the_visit() -> None:
    session["seen"] = session.get("seen", 0) + 1


@app.after_request
def no_store(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response


@app.get("/")
def shop() -> str:
    return render_template_string(PAGE, title="Shop", items=ITEMS)


@app.get("/item/<int:number>")
def item(number: int) -> Response:
    if number >= len(ITEMS):
        abort(404)
    return jsonify(ITEMS[number])


@app.post("/order")
def order() -> Response:
    amount = sum(ITEMS[number]["price"] for number in request.get_json()["items"])
    return redirect(url_for("total", amount=f"{amount:.2f}"))


@app.get("/total/<amount>")
def total(amount: str) -> str:
    return amount


@app.errorhandler(404)
def missing(error: Exception) -> tuple[Response, int]:
    return jsonify(error=str(error)), 404


def main() -> None:
    client = app.test_client()
    size = 0
    for number in range(REQUESTS // 6):
        size += len(client.get("/").data)
        size += len(client.get(f"/item/{number % 60}").data)
        size += len(client.get(f"/item/{number % 7}", headers={"Accept": "application/json"}).data)
        answer = client.post("/order", json={"items": [number % 40, number % 13]}, follow_redirects=True)
        size += len(answer.data)
        size += len(client.get("/nowhere").data)
    print(REQUESTS, "requests,", size, "bytes")


main()

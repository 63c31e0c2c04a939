"""A client of a web API, its answers mocked: requests-mock replaces requests' method in every test and puts it back."""

import requests
import requests_mock

TESTS = 5_000
BASE = "https://api.example"


class Client:
    def __init__(self) -> None:
        self.session = requests.Session()
        self.session.headers["Accept"] = "application/json"

    def pages(self, path: str) -> list[int]:
        found: list[int] = []
        url: str | None = f"{BASE}/{path}"
        while url:
            answer = self.session.get(url, timeout=1)
            answer.raise_for_status()
            body = answer.json()
            found += body["items"]
            url = body.get("next")
        return found


def main() -> None:
    total = 0
    for number in range(TESTS):
        with requests_mock.Mocker() as mocker:
            mocker.get(f"{BASE}/list", json={"items": [1, 2, number], "next": f"{BASE}/list?page=2"})
            mocker.get(f"{BASE}/list?page=2", json={"items": [4]}, status_code=500 if number % 10 == 0 else 200)
            try:
                total += sum(Client().pages("list"))
            except requests.HTTPError as error:
                total += error.response.status_code
            assert mocker.call_count == 2
    print(TESTS, "tests, total", total)


main()

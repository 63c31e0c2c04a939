"""A small API in FastAPI, asked in process through Starlette's test client: validation, dependencies, errors."""

from typing import Annotated

from fastapi import Depends, FastAPI, Header, HTTPException, Query
from fastapi.testclient import TestClient
from pydantic import BaseModel, Field

REQUESTS = 2_100


class Item(BaseModel):
    name: str = Field(min_length=2, max_length=40)
    price: float = Field(gt=0)
    tags: list[str] = []


class Stored(Item):
    id: int


app = FastAPI()
stored: dict[int, Stored] = {}


async def token(x_token: Annotated[str, Header()]) -> str:
    if not x_token.startswith("t"):
        raise HTTPException(403, "unknown token")
    return x_token


@app.post("/items", status_code=201)
async def add(item: Item, _: Annotated[str, Depends(token)]) -> Stored:
    number = len(stored)
    stored[number] = Stored(id=number, **item.model_dump())
    return stored[number]


@app.get("/items")
async def items(tag: str | None = None, limit: Annotated[int, Query(ge=1, le=50)] = 10) -> list[Stored]:
    return [item for item in stored.values() if tag is None or tag in item.tags][:limit]


@app.get("/items/{number}")
async def item(number: int) -> Stored:
    if number not in stored:
        raise HTTPException(404, "no such item")
    return stored[number]


def main() -> None:
    size = 0
    with TestClient(app) as client:
        for number in range(REQUESTS // 3):
            new = {"name": f"item {number}", "price": number - 1, "tags": ["even"] if number % 2 == 0 else []}
            size += len(client.post("/items", json=new, headers={"X-Token": f"t{number}"}).content)
            size += len(client.get(f"/items/{number % 500}").content)
            size += len(client.get("/items", params={"tag": "even", "limit": number % 60}).content)
    print(REQUESTS, "requests,", len(stored), "items,", size, "bytes")


main()

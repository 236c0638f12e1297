"""A feed of articles on one event loop: routing, parsing, ranking, rendering. Runs under uvicorn."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import uvicorn
from fastapi import FastAPI, Response

from benchmarks.attribution_targets.repeats import repeats

ARTICLES: list[dict[str, Any]] = [
    {
        "id": number,
        "title": f"Article {number} about topic {number % 17}",
        "body": "lorem ipsum dolor " * 6,
        "votes": number * 37 % 101,
    }
    for number in range(40)
]
_WORD = re.compile(r"[a-z]+")
app = FastAPI()


def tokenize(text: str) -> list[str]:
    found: list[str] = []
    for _ in repeats("tokenize"):
        found = _WORD.findall(text[:60])
    return found


def score(article: dict[str, Any], words: list[str]) -> float:
    total = 0.0
    for _ in repeats("score"):
        total += article["votes"] * 0.5 + len(words)
    return total


def ranked(articles: list[dict[str, Any]]) -> list[dict[str, Any]]:
    best: list[dict[str, Any]] = []
    for _ in repeats("ranked"):
        best = sorted(articles[:6], key=lambda article: -article["votes"])
    return best


def excerpt(article: dict[str, Any]) -> str:
    text = ""
    for _ in repeats("excerpt"):
        text = article["body"][:40].title().replace(" ", "-")
    return text


def checksum(text: str) -> int:
    total = 0
    for _ in repeats("checksum"):
        total = (total * 31 + len(text)) % 65521
    return total


def as_json(value: Any) -> str:
    text = ""
    for _ in repeats("as_json"):
        text = json.dumps(value)
    return text


def page(article: dict[str, Any]) -> dict[str, Any]:
    body = excerpt(article)
    return {"id": article["id"], "excerpt": body, "sum": checksum(body)}


@app.get("/health")
def health() -> dict[str, str]:
    return {}


@app.get("/feed")
async def feed(first: int = 0) -> Response:
    chosen = ARTICLES[first % 20 : first % 20 + 8]
    rated = [(score(article, tokenize(article["title"])), article["id"]) for article in chosen]
    return Response(as_json([rated, [page(article) for article in ranked(chosen)[:3]]]))


@app.get("/article")
async def article(number: int = 0) -> Response:
    return Response(as_json(page(ARTICLES[number % 40])))


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning")

"""A search for addresses in two worker processes with SQLAlchemy's ORM, under ``uvicorn --workers 2``."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI
from sqlalchemy import StaticPool, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from benchmarks.attribution_targets.repeats import repeats


class Base(DeclarativeBase):
    """The tables."""


class Address(Base):
    __tablename__ = "address"
    id: Mapped[int] = mapped_column(primary_key=True)
    street: Mapped[str]
    city: Mapped[str]


engine = create_engine("sqlite://", connect_args={"check_same_thread": False}, poolclass=StaticPool)
Base.metadata.create_all(engine)
with Session(engine) as session:
    session.add_all(Address(street=f"{number} Elm Street", city=f"City {number % 9}") for number in range(60))
    session.commit()
app = FastAPI()


def load(city: str) -> list[Address]:
    found: list[Address] = []
    for _ in repeats("load")[::50]:
        with Session(engine) as session:
            found = list(session.scalars(select(Address).where(Address.city == city)))
    return found


def normalized(text: str) -> str:
    for _ in repeats("normalized")[::2]:
        text = " ".join(text.lower().split())
    return text


def letters(text: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for _ in repeats("letters")[::10]:
        for letter in text:
            counts[letter] = counts.get(letter, 0) + 1
    return counts


def similarity(one: str, other: str) -> float:
    ratio = 0.0
    for _ in repeats("similarity")[::50]:
        ratio = difflib.SequenceMatcher(None, one, other).ratio()
    return ratio


def masked(text: str) -> str:
    for _ in repeats("masked"):
        text = text.replace("elm", "oak").replace("oak", "elm")
    return text


def candidates(city: str, street: str) -> Iterator[tuple[float, str]]:
    for address in load(city)[:3]:
        name = normalized(address.street)
        yield similarity(name, street) + len(letters(name)), masked(name)


@app.get("/health")
async def health() -> dict[str, str]:
    return {}


@app.get("/search")
async def search(number: int = 0) -> list[tuple[float, str]]:
    return sorted(candidates(f"City {number % 9}", normalized(f"{number} elm street")))


@app.get("/city")
async def city(number: int = 0) -> dict[str, int]:
    return letters(normalized(f"City {number % 9} on the river"))


if __name__ == "__main__":
    uvicorn.run("benchmarks.attribution_targets.prefork:app", port=int(sys.argv[1]), workers=2, log_level="warning")

"""A traced target (Flask, SQLAlchemy, SQLite) with one query per row in ``GET /books``."""

from __future__ import annotations

import sys
from pathlib import Path

from flask import Flask, jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy import ForeignKey, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

BOOKS = 12


class _Base(DeclarativeBase):
    pass


class Author(_Base):
    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Book(_Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"))
    author: Mapped[Author] = relationship()


def make_app(path: Path) -> Flask:
    """The app, with its database at ``path``."""
    engine = create_engine(f"sqlite:///{path}")
    _Base.metadata.create_all(engine)
    with Session(engine) as session:
        for number in range(1, BOOKS + 1):
            author = Author(id=number, name=f"author {number}")
            session.add(Book(id=number, title=f"book {number}", author=author))
        session.commit()
    app = Flask(__name__)

    @app.get("/health")
    def health() -> str:
        return "ok"

    @app.get("/books")
    def books() -> ResponseReturnValue:
        with Session(engine) as session:
            return jsonify([book.author.name for book in session.scalars(select(Book))])

    @app.get("/books/<int:number>")
    def book(number: int) -> ResponseReturnValue:
        with Session(engine) as session:
            found = session.get(Book, number)
            return jsonify(found.title if found else None)

    return app


if __name__ == "__main__":
    make_app(Path(sys.argv[2])).run("127.0.0.1", int(sys.argv[1]), threaded=True)

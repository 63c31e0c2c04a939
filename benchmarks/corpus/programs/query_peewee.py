"""Peewee on SQLite in memory: models, joins, prefetching, aggregates, transactions that are rolled back."""

from peewee import CharField, ForeignKeyField, IntegerField, Model, SqliteDatabase, fn, prefetch

AUTHORS, ROUNDS = 100, 450
database = SqliteDatabase(":memory:")


class Author(Model):
    name = CharField(index=True)

    class Meta:
        database = database


class Book(Model):
    author = ForeignKeyField(Author, backref="books")
    title = CharField()
    pages = IntegerField(default=0)

    class Meta:
        database = database


def main() -> None:
    database.create_tables([Author, Book])
    with database.atomic():
        for number in range(AUTHORS):
            author = Author.create(name=f"author {number}")
            for n in range(number % 6):
                Book.create(author=author, title=f"book {n} of {number}", pages=n * number)
    total = 0
    for turn in range(ROUNDS):
        total += sum(len(book.author.name) for book in Book.select(Book, Author).join(Author).order_by(Book.title))
        for author in prefetch(Author.select().where(Author.id % 4 == turn % 4), Book.select()):
            total += sum(book.pages for book in author.books)
        pages = fn.SUM(Book.pages).alias("pages")
        rows = Author.select(Author.name, pages).join(Book).group_by(Author.name).having(pages > turn)
        total += sum(row.pages for row in rows)
        with database.atomic() as transaction:
            for book in Book.select().where(Book.pages % 7 == turn % 7):
                book.pages += 1
                book.save()
            transaction.rollback()
    print(ROUNDS, "rounds, total", total)


main()

"""SQLAlchemy's ORM on SQLite in memory: relationships, joins, eager loading, aggregates, a unit of work."""

from sqlalchemy import ForeignKey, create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload

CUSTOMERS, ROUNDS = 300, 120


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    orders: Mapped[list["Order"]] = relationship(back_populates="customer", cascade="all, delete-orphan")


class Order(Base):
    __tablename__ = "order"
    id: Mapped[int] = mapped_column(primary_key=True)
    amount: Mapped[int]
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    customer: Mapped[Customer] = relationship(back_populates="orders")


def main() -> None:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        for number in range(CUSTOMERS):
            orders = [Order(amount=number * n % 97) for n in range(number % 5 + 1)]
            session.add(Customer(name=f"customer {number}", orders=orders))
        session.commit()
    total = 0
    for turn in range(ROUNDS):
        with Session(engine) as session:
            names = select(Customer).where(Customer.name.like(f"%{turn % 10}%")).options(selectinload(Customer.orders))
            for customer in session.scalars(names):
                total += sum(order.amount for order in customer.orders)
            amounts = select(Customer.name, func.sum(Order.amount)).join(Order).group_by(Customer.name)
            total += sum(amount for _, amount in session.execute(amounts.having(func.count(Order.id) > turn % 4)))
            for order in session.scalars(select(Order).where(Order.id % 20 == turn % 20)):
                order.amount += 1
                total += len(order.customer.name)
            session.commit()
    print(ROUNDS, "rounds, total", total)


main()

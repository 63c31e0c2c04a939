"""A calendar under test: freezegun replaces the clocks of all modules in every test and puts them back."""

import datetime
import time

from dateutil.relativedelta import relativedelta
from dateutil.rrule import DAILY, MO, rrule
from freezegun import freeze_time

TESTS = 1_500


class Subscription:
    def __init__(self, days: int) -> None:
        self.started = datetime.datetime.now()
        self.created = time.time()
        self.days = days

    def left(self) -> int:
        return self.days - (datetime.datetime.now() - self.started).days

    def expired(self) -> bool:
        return self.left() <= 0

    def reminders(self) -> list[datetime.datetime]:
        return list(rrule(DAILY, count=5, byweekday=MO, dtstart=datetime.datetime.now()))

    def renewed(self) -> datetime.date:
        return datetime.date.today() + relativedelta(months=1)


def main() -> None:
    total = 0
    for number in range(TESTS):
        start = datetime.datetime(2026, 1, 1) + datetime.timedelta(hours=7 * number)
        with freeze_time(start) as clock:
            subscriptions = [Subscription(days) for days in range(1, 20)]
            for _ in range(6):
                clock.tick(datetime.timedelta(days=3))
                total += sum(subscription.expired() for subscription in subscriptions)
            total += len(subscriptions[0].reminders()) + subscriptions[0].renewed().day
            assert time.time() - subscriptions[0].created == 18 * 86_400
    print(TESTS, "tests, total", total)


main()

"""SimPy simulates a port: ships that arrive, wait for berths and cranes, break down and are repaired."""

import random
from collections.abc import Generator

import simpy

SHIPS = 100_000


class Port:
    def __init__(self, environment: simpy.Environment, chance: random.Random) -> None:
        self.environment = environment
        self.chance = chance
        self.berths = simpy.PriorityResource(environment, capacity=4)
        self.cranes = simpy.PreemptiveResource(environment, capacity=3)
        self.store = simpy.Container(environment, capacity=10_000, init=0)
        self.waited = 0.0
        self.interrupted = 0

    def ship(self, load: int) -> Generator[simpy.Event, None, None]:
        arrived = self.environment.now
        with self.berths.request(priority=-load) as berth:
            patience = self.environment.timeout(40)
            yield berth | patience
            if not berth.triggered:
                return
            self.waited += self.environment.now - arrived
            left = float(load)
            while left > 0:
                with self.cranes.request(priority=1) as crane:
                    yield crane
                    began = self.environment.now
                    try:
                        yield self.environment.timeout(left)
                        left = 0
                    except simpy.Interrupt:
                        self.interrupted += 1
                        left -= self.environment.now - began
            yield self.store.put(load)

    def arrivals(self) -> Generator[simpy.Event, None, None]:
        for _ in range(SHIPS):
            yield self.environment.timeout(self.chance.expovariate(0.5))
            self.environment.process(self.ship(self.chance.randint(1, 9)))

    def repairs(self) -> Generator[simpy.Event, None, None]:
        while True:
            yield self.environment.timeout(self.chance.uniform(5, 30))
            with self.cranes.request(priority=0) as crane:
                yield crane
                yield self.environment.timeout(2)

    def trains(self) -> Generator[simpy.Event, None, None]:
        while True:
            yield self.store.get(30)
            yield self.environment.timeout(10)


def main() -> None:
    environment = simpy.Environment()
    port = Port(environment, random.Random(7))
    for process in (port.repairs, port.trains):
        environment.process(process())
    environment.run(environment.process(port.arrivals()))
    print(SHIPS, "ships waited", round(port.waited), "and were interrupted", port.interrupted, "times")


main()

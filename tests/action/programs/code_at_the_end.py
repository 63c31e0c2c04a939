import depwatch


class Code:
    def __call__(self, x):
        return "optimized"

    def __del__(self):
        print("gone")


def function(x):
    return "own"


depwatch.install(function, Code(), depwatch.Recorder("h").commit())


class Late:
    def __del__(self, f=function):
        print(f(1))


late = Late()
print(function(1))

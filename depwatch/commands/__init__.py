"""The commands of `depwatch`, a file each: arguments only; what they do is in depwatch.compare.

depwatch.compare needs packages that a plain install of depwatch does not have, so a command imports it when it runs:
its help needs the standard library alone.
"""

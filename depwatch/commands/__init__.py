"""The commands of `depwatch`, a file each: arguments only; what they do is in depwatch.compare."""

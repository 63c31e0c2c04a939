"""depwatch for the compilers and caches that people have. Each is imported by name; depwatch itself imports none."""

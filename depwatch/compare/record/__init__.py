"""Record: a program runs, and what an optimizer would rely on goes to a journal, from the program's own process."""

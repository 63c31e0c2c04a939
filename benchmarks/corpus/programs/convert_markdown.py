"""Markdown converts the language reference that pydoc carries, with extensions."""

from pydoc_data.topics import topics

import markdown

EXTENSIONS = ["tables", "fenced_code", "footnotes", "toc", "attr_list", "def_list", "smarty"]
ROUNDS = 5


def main() -> None:
    size = 0
    for turn in range(ROUNDS):
        converter = markdown.Markdown(extensions=EXTENSIONS)
        for name in sorted(topics):
            size += len(converter.reset().convert(f"# {name} {turn}\n\n{topics[name]}"))
    print(len(topics), "topics,", size, "characters")


main()

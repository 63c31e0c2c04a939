"""Jinja2 renders a site of inheriting templates, with macros, filters, loops and autoescaping."""

from jinja2 import DictLoader, Environment

PAGES = 9_000
TEMPLATES = {
    "base": "<title>{% block title %}site{% endblock %}</title>{% include 'menu' %}{% block body %}{% endblock %}",
    "menu": "<nav>{% for name in sections %}<a href='/{{ name|lower|replace(' ', '-') }}'>{{ name }}</a>"
    "{% endfor %}</nav>",
    "fields": "{% macro field(name, value='', kind='text') %}"
    "<input type={{ kind }} name={{ name }} value='{{ value }}'>{% endmacro %}",
    "article": "{% extends 'base' %}{% from 'fields' import field %}{% block title %}{{ title }}{% endblock %}"
    "{% block body %}<h1>{{ title|title }}</h1>{% for p in paragraphs if p %}<p>{{ p|wordwrap(40)|trim }}</p>"
    "{% else %}<p>empty</p>{% endfor %}{% set total = namespace(n=0) %}{% for row in table %}{% set total.n = "
    "total.n + row.count %}<tr class={{ loop.cycle('a', 'b') }}><td>{{ row.name|e }}<td>{{ '%.1f'|format(row.count) }}"
    "{% endfor %}<b>{{ total.n }}</b>{{ field('comment', title) }}{{ table|map(attribute='name')|join(', ') }}"
    "{% for kind, rows in table|groupby('kind') %}{{ kind }}: {{ rows|length }};{% endfor %}{% endblock %}",
}
TEXT = "The quick brown fox jumps over the lazy dog & runs away from <it>. " * 3


def main() -> None:
    environment = Environment(loader=DictLoader(TEMPLATES), autoescape=True)
    size = 0
    for number in range(PAGES):
        table = [{"name": f"row {n} <{number}>", "count": n * 1.5, "kind": n % 3} for n in range(30)]
        page = environment.get_template("article").render(
            title=f"page {number}", paragraphs=[TEXT, "", TEXT], table=table, sections=["Home", "News", "About us"]
        )
        size += len(page)
    print(PAGES, "pages,", size, "characters")


main()

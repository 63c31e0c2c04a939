"""Mako renders inheriting templates with defs, filters and Python blocks."""

from mako.lookup import TemplateLookup

PAGES = 30_000
TEMPLATES = {
    "/base": "<title>${self.title()}</title><%include file='/menu'/>${next.body()}",
    "/menu": "<nav>% for x in 'abc':\n<a>${x}</a>\n% endfor\n</nav>".replace("% for", "\n% for"),
    "/rows": "<%def name='row(cells)'>\n<tr>\n% for cell in cells:\n<td>${cell | h}</td>\n% endfor\n</tr>\n</%def>",
    "/page": "<%inherit file='/base'/><%namespace name='rows' file='/rows'/><%def name='title()'>${name | h}</%def>"
    "<%! from datetime import date %>\n<% total = sum(sum(row) for row in table) %>\n% for row in table:\n"
    "${rows.row(row)}\n% endfor\n<b>${total}</b> ${date(2026, 1, 1 + number % 28).isoformat() | trim}\n"
    "% if total > 100 and not number % 2:\n<i>${'%.2f' % (total / len(table))}</i>\n% else:\n-\n% endif\n",
}


def main() -> None:
    size = 0
    lookup = TemplateLookup()
    for uri, text in TEMPLATES.items():
        lookup.put_string(uri, text)
    for number in range(PAGES):
        table = [[row * column + number % 10 for column in range(6)] for row in range(10)]
        size += len(lookup.get_template("/page").render(name=f"<page {number}>", table=table, number=number))
    print(PAGES, "pages,", size, "characters")


main()

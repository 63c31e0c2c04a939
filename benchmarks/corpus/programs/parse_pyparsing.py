"""pyparsing parses configuration files and arithmetic with parse actions and packrat caching."""

import pyparsing as pp

ROUNDS = 160

pp.ParserElement.enable_packrat()
name = pp.Word(pp.alphas, pp.alphanums + "_")
number = pp.common.number()
value = number | pp.QuotedString('"') | pp.Group(pp.Suppress("[") + pp.Optional(pp.DelimitedList(number)) + "]")
setting = pp.Group(name("name") + pp.Suppress("=") + value("value"))
section = pp.Group(pp.Suppress("[") + name("title") + pp.Suppress("]") + pp.Group(pp.ZeroOrMore(setting))("settings"))
configuration = pp.OneOrMore(section).ignore(pp.python_style_comment)


def calculate(tokens: pp.ParseResults) -> float:
    result = tokens[0]
    for operator, operand in zip(tokens[1::2], tokens[2::2], strict=True):
        match operator:
            case "*":
                result *= operand
            case "/":
                result /= operand
            case "+":
                result += operand
            case _:
                result -= operand
    return result


formula = pp.Forward()
factor = number | pp.Suppress("(") + formula + pp.Suppress(")")
product = (factor + pp.ZeroOrMore(pp.one_of("* /") + factor)).add_parse_action(calculate)
formula <<= (product + pp.ZeroOrMore(pp.one_of("+ -") + product)).add_parse_action(calculate)


def main() -> None:
    lines = [f'[s{n}]\nsize_{n} = {n * 1.5} # half\ntitle = "section {n}"\nparts = [1, 2, {n}]\n' for n in range(20)]
    total = 0.0
    for turn in range(ROUNDS):
        sections = configuration.parse_string("".join(lines), parse_all=True)
        total += sum(len(section.settings) for section in sections)
        text = " + ".join(f"({n} - {turn}) * {n + 1} / 2" for n in range(8))
        total += formula.parse_string(text, parse_all=True)[0]
    print(ROUNDS, "rounds, total", total)


main()

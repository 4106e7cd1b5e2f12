"""An HTML page in parts: sections, tables, facts and figures, on one sheet that reads in light, dark and print."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from seqjax.report import plots
from seqjax.report.tables import Estimate, written

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def sheet(title: str, answer: str, below: str, sections: Sequence[str]) -> str:
    """A whole page: title, the answer in one sentence, a line of facts, and the sections that are not empty."""
    sentence = re.sub(r"\[.*?\]", r'<span class="whole">\g<0></span>', html.escape(answer))  # intervals do not break
    return PAGE.format(
        title=html.escape(title),
        style=STYLE,
        answer=sentence,
        below=html.escape(below),
        body="\n".join(filter(None, sections)),
    )


def section(title: str, *parts: str) -> str:
    """A titled part of the page, or nothing if all is missing."""
    held = "\n".join(filter(None, parts))
    return f"<section><h2>{html.escape(title)}</h2>\n{held}</section>" if held else ""


def cell(estimate: Estimate, sign: bool = False) -> str:
    """A table cell: the value, and smaller its interval."""
    value, _, interval = written(estimate, sign).partition(" ")
    return f"<td>{value} <small>{interval}</small></td>" if interval else f"<td>{value}</td>"


def grid(heads: Sequence[str], body: Sequence[str]) -> str:
    """An HTML table of ready rows."""
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in heads)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table></div>'


def facts(held: Mapping[str, str], code: bool = False) -> str:
    """Names and values as a definition list."""
    kind = ' class="code"' if code else ""
    pairs = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in held.items())
    return f"<dl{kind}>{pairs}</dl>" if pairs else ""


def drawn(figure: Figure, title: str, caption: str) -> str:
    """A figure with its caption."""
    return f"<figure>{plots.svg(figure, title)}<figcaption>{html.escape(caption)}</figcaption></figure>"


STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --muted: #5c6570; --rule: #d5d9df; --paper: #fefefe;
  --blue: #0072b2; --vermilion: #d55e00; --wash: #f4f6f8; }
@media screen and (prefers-color-scheme: dark) { :root { --ink: #e4e7eb; --muted: #9aa4af; --rule: #3b424b;
  --paper: #15181c; --blue: #56b4e9; --vermilion: #f0894a; --wash: #1e2329; } }
body { max-width: 54rem; margin: 2.5rem auto; padding: 0 1.25rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.6rem; font-weight: 650; line-height: 1.2; margin: 0 0 .6rem; }
h2 { font-size: 1.1rem; font-weight: 650; margin: 0 0 .6rem; padding-top: .7rem; border-top: 1px solid var(--rule); }
h3 { font-size: .95rem; font-weight: 650; margin: 1.2rem 0 .4rem; }
section { margin-top: 2.2rem; }
.answer { font-size: 1.2rem; line-height: 1.45; margin: 0 0 .5rem; max-width: 44rem; }
.whole { white-space: nowrap; }
.below, .note, figcaption, summary { color: var(--muted); font-size: .88rem; }
.note { margin: .4rem 0 0; }
.wide { overflow-x: auto; }
.beside { display: flex; flex-wrap: wrap; gap: 0 3rem; }
table { border-collapse: collapse; font-size: .94rem; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .22rem 0 .22rem 1.1rem; font-weight: 400; white-space: nowrap; }
th[scope=row], th:first-child { text-align: left; padding-left: 0; }
thead th { color: var(--muted); font-size: .88rem; border-bottom: 1px solid var(--rule); vertical-align: bottom;
  white-space: normal; max-width: 9rem; }
small { color: var(--muted); font-size: .88em; }
.model th, .model td { font-weight: 650; } .model th { color: var(--blue); } .model small { font-weight: 400; }
.more th, .more td { color: var(--muted); }
figure { margin: 1.3rem 0 0; } figcaption { margin-top: .3rem; }
svg { display: block; max-width: 100%; height: auto; } svg text { font-family: inherit !important; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.8rem; margin: .8rem 0 0; font-size: .94rem; }
dt { color: var(--muted); } dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
pre, code, .code { font: .86rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; }
pre { background: var(--wash); padding: .7rem .9rem; margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
@media print { :root { font-size: 9.5pt; } body { margin: 0; max-width: none; } .wide { overflow: visible; }
  th, td { padding-left: 1.2rem; } figure, tr, pre { break-inside: avoid; } h2, h3 { break-after: avoid; } }
"""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>{title}</h1>
<p class="answer">{answer}</p>
<p class="below">{below}</p>
</header>
{body}
</body>
</html>
"""


def plain(value: Any) -> str:
    """A fact as text.

    >>> plain(12345), plain(52311.7), plain(5.61234), plain("file order"), plain([1, 5])
    ('12,345', '52,312', '5.612', 'file order', '1, 5')
    """
    if value is None:
        return ""
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        whole = math.isfinite(value) and (value.is_integer() or abs(value) >= 1e4)
        return f"{value:,.0f}" if whole else f"{value:.4g}"
    if isinstance(value, Iterable):
        return ", ".join(plain(one) for one in value)
    return str(value)


def exact(value: float | None) -> str:
    """A number of metrics.json to five decimals, a count as it is."""
    return plain(value) if value is None or float(value).is_integer() else f"{value:,.5f}"

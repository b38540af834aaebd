"""Draws what a terminal showed: `make demo | tee LOG`, then `python docs/picture.py LOG docs/demo.svg --from measured`.

Reads text with ANSI colours and writes one self-contained SVG, without fonts or scripts from elsewhere.
"""

from __future__ import annotations

import argparse
import html
from pathlib import Path

from rich.color_triplet import ColorTriplet
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

CHAR, LINE, MARGIN, SIZE = 7.83, 18, 18, 13
FONTS = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"
BACK, FRONT = "#1e1f22", "#d9d9d9"


def draw(text: str, *, title: str) -> str:
    """Return the SVG of a terminal that shows `text`."""
    lines = text.expandtabs().rstrip("\n").split("\n")
    console = Console(width=400, force_terminal=True, color_system="truecolor")
    columns = max(Text.from_ansi(line).cell_len for line in lines)
    width, height = columns * CHAR + 2 * MARGIN, (len(lines) + 2) * LINE + MARGIN
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" role="img">',
        f"<title>{html.escape(title)}</title>",
        f'<rect width="100%" height="100%" rx="8" fill="{BACK}"/>',
        *(
            f'<circle cx="{MARGIN + 16 * place}" cy="16" r="5" fill="{colour}"/>'
            for place, colour in enumerate(("#ff5f57", "#febc2e", "#28c840"))
        ),
        f'<g font-family="{FONTS}" font-size="{SIZE}" fill="{FRONT}" xml:space="preserve">',
    ]
    for row, line in enumerate(lines):
        at = 0
        for segment in Text.from_ansi(line, end="").render(console):
            if segment.text.strip():
                x, y = MARGIN + at * CHAR, MARGIN + (row + 2) * LINE
                length = len(segment.text) * CHAR
                out.append(
                    f'<text x="{x:.1f}" y="{y}" textLength="{length:.1f}"{_style(segment.style)}>'
                    f"{html.escape(segment.text)}</text>"
                )
            at += len(segment.text)
    return "\n".join([*out, "</g>", "</svg>", ""])


def _style(style: object) -> str:
    found = ""
    if style is None:
        return found
    if getattr(style, "bold", False):
        found += ' font-weight="bold"'
    if getattr(style, "dim", False):
        found += ' opacity="0.6"'
    colour = getattr(style, "color", None)
    if colour is not None and not colour.is_default:
        triplet: ColorTriplet = colour.get_truecolor(MONOKAI)
        found += f' fill="{triplet.hex}"'
    return found


def main() -> None:
    """Draw the file that is named, from the line that begins with `--from` on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--from", dest="start", default="", help="leave out what comes before the line that has this")
    parser.add_argument("--title", default="make demo")
    given = parser.parse_args()
    text = given.log.read_text("utf-8").replace("\r\n", "\n")
    lines = text.split("\n")
    first = next((place for place, line in enumerate(lines) if given.start in line), 0)
    given.picture.write_text(draw("\n".join(lines[first:]), title=given.title), "utf-8")


if __name__ == "__main__":
    main()

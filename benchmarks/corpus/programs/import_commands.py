"""yt-dlp imports the extractors of nearly two thousand sites, builds its command line and asks which of them fits."""

import contextlib
import io

import yt_dlp
from yt_dlp.extractor import gen_extractor_classes

ADDRESSES = 800


def main() -> None:
    with contextlib.redirect_stdout(io.StringIO()) as output, contextlib.suppress(SystemExit):
        yt_dlp.parse_options(["--ignore-config", "--help"])
    classes = gen_extractor_classes()
    suitable = 0
    for number in range(ADDRESSES):
        address = f"https://site{number}.example/watch?v={number:011}"
        suitable += sum(bool(extractor.suitable(address)) for extractor in classes)
    print(len(classes), "extractors,", suitable, "suit,", len(output.getvalue()) > 10_000)


main()

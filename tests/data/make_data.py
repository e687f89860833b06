"""Makes every file beside this one, the same bytes each time with the same libraries: `python tests/data/make_data.py`.

The measurements are invented but behave like a river's: levels rise and fall with the season and after rain, gauges
fail, identifiers have leading zeros, notes hold commas and quotation marks.
"""

import csv
import datetime
import io
import json
import math
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageDraw, ImageFilter

HERE = Path(__file__).parent
ROWS = 3_000
STATIONS = [
    ("00417", "Köln", "Rhein", 321, 2050.0),
    ("00512", "Zürich", "Limmat", 88, 96.0),
    ("00603", "Passau", "Donau", 452, 1430.0),
    ("01044", "Saint-Étienne", "Furan", 34, 1.9),
    ("01190", "Kraków", "Wisła", 190, 84.0),
]
NOTES = ["ice at the gauge", "cleaned, recalibrated", 'reads "high"', "boat, wake", "sensor replaced"]
HEADER = ["measured_at", "station_id", "station", "river", "level_cm", "flow_m3s", "water_c", "valid", "note"]


def measurements() -> list[dict[str, Any]]:
    """`ROWS` readings, a station after the other every three hours; None where a gauge gave nothing."""
    dice = random.Random(20240517)
    start = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    rain = [0.0] * len(STATIONS)
    found = []
    for index in range(ROWS):
        which = index % len(STATIONS)
        number, station, river, level, flow = STATIONS[which]
        moment = start + datetime.timedelta(hours=3 * (index // len(STATIONS)))
        season = math.sin((moment - start).days / 366 * 2 * math.pi)
        rain[which] = rain[which] * 0.93 + (dice.expovariate(0.2) if dice.random() < 0.04 else 0)
        height = level * (1 + 0.15 * season) + 6 * rain[which] + dice.gauss(0, 2)
        failed = dice.random() < 0.03
        found.append(
            {
                "measured_at": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "station_id": number,
                "station": station,
                "river": river,
                "level_cm": None if failed else round(height),
                "flow_m3s": None if failed else round(flow * max(height / level, 0.05) ** 1.6, 2),
                "water_c": None if dice.random() < 0.02 else round(9 - 6 * season + dice.gauss(0, 0.6), 1),
                "valid": not failed,
                "note": dice.choice(NOTES) if dice.random() < 0.02 else None,
            }
        )
    return found


def table(rows: list[dict[str, Any]], delimiter: str) -> bytes:
    """As CSV or TSV, UTF-8, LF."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerow(HEADER)
    for row in rows:
        writer.writerow(["" if v is None else str(v).lower() if isinstance(v, bool) else v for v in row.values()])
    return out.getvalue().encode()


def parquet(rows: list[dict[str, Any]]) -> bytes:
    """With real types: a timestamp in UTC, integers, doubles, a boolean."""
    moments = [datetime.datetime.fromisoformat(row["measured_at"]) for row in rows]
    columns = {name: [row[name] for row in rows] for name in HEADER[1:]}
    moment = pa.array(moments, pa.timestamp("ms", "UTC"))
    out = io.BytesIO()
    pq.write_table(pa.table({"measured_at": moment, **columns}), out, compression="zstd")
    return out.getvalue()


def photo() -> bytes:
    """A valley at dusk with a mill, drawn; stored lying on its side, as a phone held upright does (orientation 6)."""
    width, height = 1200, 1600
    dice = random.Random(7)
    sky = Image.linear_gradient("L").resize((width, height))
    picture = Image.merge("RGB", [sky.point([*range(60, 252, 1)][:192] + [251] * 64), sky.point(lambda v: 60 + v // 2),
                                  sky.point(lambda v: 130 - v // 3)])  # fmt: skip
    draw = ImageDraw.Draw(picture)
    draw.ellipse((760, 480, 920, 640), fill=(255, 226, 160))
    for ground, base, roughness in (((74, 66, 96), 820, 90), ((46, 52, 72), 980, 60), ((24, 38, 40), 1160, 30)):
        ridge = [(x, base + dice.randint(-roughness, roughness)) for x in range(-100, width + 101, 50)]
        draw.polygon([(-100, height), *ridge, (width + 100, height)], fill=ground)
    draw.polygon([(520, height), (640, 1180), (690, 1180), (860, height)], fill=(120, 150, 170))
    draw.rectangle((250, 1080, 470, 1330), fill=(92, 62, 48))
    draw.polygon([(220, 1090), (360, 960), (500, 1090)], fill=(60, 38, 34))
    draw.ellipse((420, 1180, 600, 1360), outline=(40, 28, 24), width=14)
    for spoke in range(8):
        x, y = 90 * math.cos(spoke * math.pi / 4), 90 * math.sin(spoke * math.pi / 4)
        draw.line((510, 1270, 510 + x, 1270 + y), fill=(40, 28, 24), width=8)
    lying = picture.filter(ImageFilter.GaussianBlur(1.2)).transpose(Image.Transpose.ROTATE_90)
    out = io.BytesIO()
    lying.save(out, "JPEG", quality=85, exif=exif())
    return out.getvalue()


def exif() -> Image.Exif:
    """What a phone writes: camera, time, orientation, and a place (the North Sea, where nobody lives)."""
    block = Image.Exif()
    block[0x010F], block[0x0110], block[0x0112] = "Headrace", "Headrace Drawn 1", 6
    block.get_ifd(0x8769)[0x9003] = "2024:05:17 21:04:33"
    place = block.get_ifd(0x8825)
    place[1], place[2], place[3], place[4] = "N", (55.0, 30.0, 0.0), "E", (5.0, 15.0, 0.0)
    return block


def pdf() -> bytes:
    """Two pages of text, written by hand: a header, objects, a cross-reference table, a trailer."""
    texts = (
        b"BT /F1 24 Tf 72 720 Td (A headrace) Tj /F1 12 Tf 0 -36 Td (is the channel that feeds a mill.) Tj ET",
        b"BT /F1 24 Tf 72 720 Td (A tailrace) Tj /F1 12 Tf 0 -36 Td (is the channel that takes the water away.) Tj ET",
    )
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [4 0 R 6 0 R] /Count 2 >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, text in enumerate(texts):
        content = 5 + 2 * number
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] "
            b"/Resources << /Font << /F1 3 0 R >> >> /Contents %d 0 R >>" % content
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text), text))
    body, places = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", []
    for number, item in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, item)
    table_at, count = len(body), len(objects) + 1
    body += b"xref\n0 %d\n0000000000 65535 f \n" % count + b"".join(b"%010d 00000 n \n" % place for place in places)
    return body + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (count, table_at)


SONNET = """Sonnet 18
William Shakespeare, 1609

Shall I compare thee to a summer's day?
Thou art more lovely and more temperate:
Rough winds do shake the darling buds of May,
And summer's lease hath all too short a date;
Sometime too hot the eye of heaven shines,
And often is his gold complexion dimm'd;
And every fair from fair sometime declines,
By chance or nature's changing course untrimm'd;
But thy eternal summer shall not fade,
Nor lose possession of that fair thou ow'st;
Nor shall death brag thou wander'st in his shade,
When in eternal lines to time thou grow'st:
So long as men can breathe or eyes can see,
So long lives this, and this gives life to thee.
""".replace("'", "\N{RIGHT SINGLE QUOTATION MARK}")

ERLKOENIG = """Erlkönig
Johann Wolfgang von Goethe, 1782

Wer reitet so spät durch Nacht und Wind?
Es ist der Vater mit seinem Kind;
Er hat den Knaben wohl in dem Arm,
Er faßt ihn sicher, er hält ihn warm.

Mein Sohn, was birgst du so bang dein Gesicht?
Siehst, Vater, du den Erlkönig nicht?
Den Erlenkönig mit Kron' und Schweif?
Mein Sohn, es ist ein Nebelstreif.

Du liebes Kind, komm, geh mit mir!
Gar schöne Spiele spiel' ich mit dir;
Manch' bunte Blumen sind an dem Strand,
Meine Mutter hat manch gülden Gewand.
"""


def main() -> None:
    """Write them all."""
    rows = measurements()
    lines = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    for name, content in {
        "measurements.csv": table(rows, ","),
        "measurements.tsv": table(rows, "\t"),
        "measurements.jsonl": lines.encode(),
        "measurements.parquet": parquet(rows),
        "photo.jpg": photo(),
        "report.pdf": pdf(),
        "sonnet-utf8.txt": SONNET.encode(),
        "erlkoenig-latin1.txt": ERLKOENIG.encode("iso-8859-1"),
    }.items():
        (HERE / name).write_bytes(content)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Draws the bundled sample images (assets/images): four small scenes, 96 x 96 RGB, no third-party material.

    eng/draw-samples.py assets/images
"""
import math
import struct
import sys
import zlib

SIZE, SUB = 96, 3


def mix(a, b, t):
    t = max(0.0, min(1.0, t))
    return tuple(p + (q - p) * t for p, q in zip(a, b))


def sunset(x, y):
    sky = mix((32, 42, 104), (250, 150, 70), y / 0.62)
    if math.hypot(x - 0.5, y - 0.5) < 0.16:
        sky = mix((255, 244, 190), (255, 206, 92), (y - 0.34) / 0.3)
    if y < 0.62:
        return sky
    wave = 0.5 + 0.5 * math.sin(60 * (y - 0.62) / (0.2 + y) + 6 * math.sin(9 * x))
    sea = mix((24, 40, 92), (14, 22, 58), (y - 0.62) / 0.38)
    glow = max(0.0, 1 - abs(x - 0.5) / (0.1 + 0.3 * (y - 0.62)))
    return mix(sea, (255, 190, 96), 0.75 * glow * wave)


def ball(x, y):
    floor = y > 0.66
    base = mix((214, 202, 178), (168, 150, 120), (y - 0.66) / 0.34) if floor else mix((156, 186, 206), (206, 222, 228), y / 0.66)
    if floor and (int((x - 0.5) / (0.25 * (y - 0.3)) + 100) % 2) ^ (int(7 / (y - 0.4)) % 2):
        base = mix(base, (96, 72, 56), 0.45)
    shadow = math.hypot((x - 0.56) / 0.3, (y - 0.8) / 0.07)
    if shadow < 1:
        base = mix(base, (40, 30, 30), 0.6 * (1 - shadow))
    d = math.hypot(x - 0.5, y - 0.52)
    if d < 0.28:
        light = math.hypot(x - 0.4, y - 0.4)
        base = mix((244, 92, 72), (96, 8, 22), light / 0.42)
        if light < 0.07:
            base = mix((255, 240, 232), base, light / 0.07)
    return base


def house(x, y):
    colour = mix((112, 176, 236), (206, 232, 250), y / 0.6)
    if math.hypot(x - 0.82, y - 0.17) < 0.08:
        colour = (255, 226, 96)
    if y > 0.62 + 0.03 * math.sin(7 * x):
        colour = mix((96, 172, 72), (48, 108, 40), (y - 0.6) / 0.4)
    if 0.26 < x < 0.7 and 0.42 < y < 0.8:
        colour = mix((240, 226, 196), (206, 184, 146), (x - 0.26) / 0.44)
        if 0.34 < x < 0.46 and 0.5 < y < 0.62:
            colour = (84, 120, 168)
        if 0.53 < x < 0.64 and 0.55 < y:
            colour = (122, 68, 40)
    if abs(x - 0.48) < 0.3 * (y - 0.2) / 0.22 and 0.2 < y < 0.42:
        colour = mix((196, 66, 50), (146, 40, 34), (y - 0.2) / 0.22)
    return colour


def rings(x, y):
    d = math.hypot(x - 0.5, y - 0.5)
    hue = 6 * ((math.atan2(y - 0.5, x - 0.5) / math.tau + d) % 1)
    rainbow = [max(0.0, min(1.0, abs((hue + k) % 6 - 3) - 1)) * 255 for k in (0, 4, 2)]
    return mix((18, 18, 26), rainbow, 0.5 + 0.5 * math.cos(d * 36)) if d < 0.46 else (236, 234, 226)


def draw(scene):
    rows = bytearray()
    for row in range(SIZE):
        rows.append(0)
        for col in range(SIZE):
            points = [scene((col + (i + 0.5) / SUB) / SIZE, (row + (j + 0.5) / SUB) / SIZE) for i in range(SUB) for j in range(SUB)]
            rows += bytes(round(sum(p[c] for p in points) / len(points)) for c in range(3))
    return bytes(rows)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


for scene in (sunset, ball, house, rings):
    with open(f"{sys.argv[1]}/{scene.__name__}.png", "wb") as f:
        header = struct.pack(">IIBBBBB", SIZE, SIZE, 8, 2, 0, 0, 0)
        f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(draw(scene), 9)) + chunk(b"IEND", b""))

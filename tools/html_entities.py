#!/usr/bin/env python3
"""Writes ref/text/html_entities.c, the named characters of HTML 5, from Python's html.entities.

    python3 tools/html_entities.py > ref/text/html_entities.c
"""
from html.entities import html5

names = sorted(name[:-1] for name in html5 if name.endswith(";"))
assert all(name.isascii() and name.isalnum() and len(name) <= 32 for name in names)
assert all(html5[name] == html5[name + ";"] for name in names if name in html5)

print("// The named characters of HTML 5, sorted by name. Written by tools/html_entities.py.")
print('#include "html.h"\n')
print("const ff_html_entity ff_html_entities[] = {")
line = ""
for name in names:
    first, second = (list(map(ord, html5[name + ";"])) + [0])[:2]
    entry = '{"%s", 0x%X, %s, %d},' % (name, first, "0x%X" % second if second else "0", name in html5)
    if line and len(line) + 1 + len(entry) > 116:
        print("    " + line)
        line = ""
    line += (" " if line else "") + entry
print("    " + line)
print("};\n")
print("const size_t ff_html_entity_count = sizeof ff_html_entities / sizeof *ff_html_entities;")

# The rules of the tree, held against its sources. Input: files, by paths from the root of the tree.
#   kind=tree     one path a line: every source there is (.c .h .py .sh .awk)
#   kind=source   the .c and .h files among them
#
#   includes      go one way: base, kernels, weights, stages, pipeline, tools/check, tools/firstframe. Stages include
#                 nothing of each other, simd includes base and kernels, ref neither simd nor tools.
#   names         of types, include guards and files are had once. A type of one .c file is nobody else's business, so
#                 that another .c file may have one of its name, but no header.
#   lengths       500 lines a file, 8 parameters a function, 15 files a folder of tools/firstframe

function fail(where, what)
{
    printf "%s: %s\n", where, what
}

# ---- files ----

function add_path(path,    parts, n, name, folder)
{
    n = split(path, parts, "/")
    name = parts[n]
    folder = substr(path, 1, length(path) - length(name) - 1)
    there[path] = 1
    if (name in file_of)
        fail(path, "has the name of " file_of[name])
    else
        file_of[name] = path
    if (path ~ /^tools\/firstframe\/.+\// && ++files_in[folder] == 16)
        fail(folder, "more than 15 files")
}

# What is written by a program is not counted.
function end_file()
{
    if (lines > 500 && !generated)
        fail(file, lines " lines, at most 500")
    if (statement ~ /[^ ]/)
        fail(file, "ends within a statement")
}

# ---- includes ----

function layer(path)
{
    if (path ~ /^ref\/[^\/]*$/) return 0    # the public header
    if (path ~ /^ref\/base\//) return 1
    if (path ~ /^ref\/kernels\//) return 2
    if (path ~ /^ref\/weights\//) return 3
    if (path ~ /^ref\/(text|vision|vae|transformer|sampler|image)\//) return 4
    if (path ~ /^ref\/pipeline\//) return 5
    if (path ~ /^tools\/check\//) return 6
    if (path ~ /^tools\/firstframe\//) return 7
    return path ~ /^simd\// ? 8 : -1
}

function folder_of(path)
{
    return match(path, /^(ref|tools)\/[^\/]*\/|^[^\/]*\//) ? substr(path, RSTART, RLENGTH) : ""
}

function resolve(path, name,    folder, parts, n, i, full)
{
    folder = path
    sub(/[^\/]*$/, "", folder)
    full = folder name
    while (sub(/[^\/]+\/\.\.\//, "", full));
    if (full in there) return full
    if (("ref/" name) in there) return "ref/" name
    if (("tools/" name) in there) return "tools/" name
    if (("tools/firstframe/" name) in there) return "tools/firstframe/" name
    return ""
}

function check_include(name,    to, from, right)
{
    from = layer(FILENAME)
    if (from < 0)
        return
    to = resolve(FILENAME, name)
    if (to == "")
        fail(FILENAME ":" FNR, "includes " name ", which is not there")
    else {
        to_layer = layer(to)
        right = to_layer >= 0 && to_layer < from || folder_of(to) == folder_of(FILENAME)
        if (from == 8)
            right = to_layer >= 0 && to_layer <= 2 || to_layer == 8
        if (!right)
            fail(FILENAME ":" FNR, "includes " to ", against the direction")
    }
}

# ---- names ----

function add_guard(name)
{
    if (name in guard_of && guard_of[name] != FILENAME)
        fail(FILENAME, "has the include guard of " guard_of[name])
    guard_of[name] = FILENAME
}

# A type whose members stand here, or an alias.
function add_type(name)
{
    if (name == "" || index(types[name], " " FILENAME " "))
        return
    types[name] = types[name] " " FILENAME " "
    in_files[name]++
    if (FILENAME ~ /\.h$/)
        in_header[name] = 1
}

function check_types(    name, list)
{
    for (name in in_files)
        if (in_files[name] > 1 && name in in_header) {
            list = types[name]
            gsub(/^ | $/, "", list)
            gsub(/  /, ", ", list)
            fail(list, "more than one type " name)
        }
}

function note_type(code)
{
    if (match(code, /^(typedef )?(struct|union|enum) [A-Za-z_0-9]+ *\{/)) {
        sub(/^typedef /, "", code)
        sub(/^[a-z]+ /, "", code)
        sub(/[^A-Za-z_0-9].*/, "", code)
        add_type(code)
    } else if (match(code, /^\} [A-Za-z_0-9]+;/)) {
        add_type(substr(code, 3, RLENGTH - 3))
    } else if (match(code, /^typedef .*\(\*[A-Za-z_0-9]+\)/)) {
        sub(/^typedef [^*]*\**[^*(]*\(\*/, "", code)
        sub(/[^A-Za-z_0-9].*/, "", code)
        add_type(code)
    } else if (code ~ /^typedef struct ([A-Za-z_0-9]+) [A-Za-z_0-9]+;/) {
        # an opaque type in a header: its members stand in one .c file
        if (FILENAME ~ /\.h$/) {
            sub(/; *$/, "", code)
            sub(/.* /, "", code)
            if (code in opaque)
                fail(opaque[code] ", " FILENAME, "more than one type " code)
            opaque[code] = FILENAME
        }
    }
}

# ---- parameters ----

# The parameters in the parentheses that `text` begins with. An ellipsis is none.
function count_parameters(text,    i, c, depth, n)
{
    n = text ~ /, *\.\.\.\)/ ? 0 : 1
    for (i = 1; i <= length(text); i++) {
        c = substr(text, i, 1)
        if (c == "(")
            depth++
        else if (c == ")" && --depth == 0)
            return n
        else if (c == "," && depth == 1)
            n++
    }
    return n
}

# A declaration: a function in the first column, or a pointer to one anywhere.
function check_parameters(text, start,    name, count)
{
    if (match(text, /\(\*[A-Za-z_0-9]+\)\(/) && text !~ /[=?]/) {
        name = substr(text, RSTART + 2, RLENGTH - 4)
        count = count_parameters(substr(text, RSTART + RLENGTH - 1))
        if (count > 8)
            fail(FILENAME ":" start, name " has " count " parameters, at most 8")
    }
    if (text ~ /^[A-Za-z]/ && text !~ /^typedef/ && match(text, /^[A-Za-z_0-9 *]*[ *][A-Za-z_0-9]+\(/)) {
        name = substr(text, RSTART, RLENGTH - 1)
        sub(/.*[ *]/, "", name)
        count = count_parameters(substr(text, RSTART + RLENGTH - 1))
        if (count > 8)
            fail(FILENAME ":" start, name " has " count " parameters, at most 8")
    }
}

# Gathers what a line goes on with until it ends in ; or { or a macro ends.
function gather(code)
{
    gsub(/"([^"\\]|\\.)*"/, "\"\"", code)
    if (code ~ /^#/ || continued) {
        continued = code ~ /\\$/
        return
    }
    if (statement == "") {
        if (code ~ /^[A-Za-z]/)
            begun = FNR
        else if (code ~ /\(\*[A-Za-z_0-9]+\)\(/) {
            begun = FNR
            sub(/^ */, " ", code)
        } else
            return
    }
    statement = statement (statement == "" ? "" : " ") code
    if (code ~ /[;{}]/ || code == "") {
        if (statement ~ /\(/)
            check_parameters(statement, begun)
        statement = ""
    }
}

# ---- reading ----

kind == "tree" {
    add_path($0)
    next
}

FNR == 1 {
    if (file != "")
        end_file()
    file = FILENAME
    lines = generated = continued = 0
    statement = ""
}

{
    lines++
    if (lines <= 3 && /Written by tools\//)
        generated = 1
}

kind != "source" {
    next
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
    name = $0
    sub(/^[^"]*"/, "", name)
    sub(/".*/, "", name)
    check_include(name)
    next
}

FILENAME ~ /\.h$/ && /^#ifndef [A-Z_0-9]+_H$/ {
    add_guard($2)
}

{
    code = $0
    if (code ~ /\/\//)
        sub(/ *\/\/.*/, "", code)
    note_type(code)
    gather(code)
}

END {
    if (file != "")
        end_file()
    check_types()
}

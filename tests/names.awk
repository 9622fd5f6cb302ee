# Resolves the files and functions that texts name. Input, in this order, from the root of the tree:
#   kind=tree     one path a line: every file there is
#   kind=source   the sources themselves: what they define and use is noted, and what their comments name is checked
#   kind=readme   likewise checked: Markdown,
#   kind=help     what --help prints,
#   kind=page     pages of explain and compare, with ` for <code> and no other tags
# foreign: names of files of other projects, between spaces.
#
# A path is what ends like a source or begins with a folder of the tree. It is looked for in the folder of the text that
# names it, in the folder of the path before it in the same paragraph, in ref/ and in the root; *, <...>, %d and words in
# capitals stand for anything, but what an option names (OUT/x) is no path. A function is looked for in the file it is
# said to be in ("FILE, NAME and NAME"); names that begin with ff or FF, and what else is code in backquotes, anywhere.

function fail(what)
{
    if (!((label, at, what) in failed))
        printf "%s:%d: %s\n", label, at, what
    failed[label, at, what] = 1
    failures++
}

# ---- what there is ----

function add_path(path,    parts, n, i, folder)
{
    there[path] = 1
    n = split(path, parts, "/")
    if (n > 1)
        top[parts[1]] = 1
    for (i = 1; i < n; i++) {
        folder = folder (i > 1 ? "/" : "") parts[i]
        there[folder] = is_folder[folder] = 1
    }
}

function add_words(code,    word)
{
    while (match(code, /[A-Za-z_][A-Za-z0-9_]*/)) {
        word = substr(code, RSTART, RLENGTH)
        code = substr(code, RSTART + RLENGTH)
        words[word] = 1
        used[FILENAME, word] = 1
    }
}

# A function begins in the first column, a macro with #define; a header's declaration counts.
function add_definition(code,    name)
{
    if (FILENAME ~ /\.py$/) {
        if (code !~ /^ *(def|class) /)
            return
        sub(/^ *(def|class) */, "", code)
        sub(/[^A-Za-z0-9_].*/, "", code)
        defined[FILENAME, code] = 1
    } else if (code ~ /^#define [A-Za-z_]/) {
        sub(/^#define /, "", code)
        sub(/[^A-Za-z0-9_].*/, "", code)
        defined[FILENAME, code] = 1
    } else if (code ~ /^[A-Za-z]/ && (FILENAME ~ /\.h$/ || code !~ /; *$/) && match(code, /[A-Za-z_][A-Za-z0-9_]*\(/)) {
        name = substr(code, RSTART, RLENGTH - 1)
        defined[FILENAME, name] = 1
    }
}

# ---- comments ----

# Where a // begins that is in no string; 0 if none does.
function comment_start(line,    i, c, quoted)
{
    i = index(line, "//")
    if (!i || !index(substr(line, 1, i), "\""))
        return i
    for (i = 1; i <= length(line); i++) {
        c = substr(line, i, 1)
        if (quoted && c == "\\")
            i++
        else if (c == "\"")
            quoted = !quoted
        else if (!quoted && substr(line, i, 2) == "//")
            return i
    }
    return 0
}

function note(text)
{
    claims++
    claim_label[claims] = FILENAME
    claim_line[claims] = FNR
    claim_kind[claims] = kind
    claim_text[claims] = text
}

function read_source(line,    start, quotes, rest, was)
{
    if (FNR == 1)
        docstring = 0
    if (FILENAME ~ /\.[ch]$/) {
        start = comment_start(line)
        if (start) {
            note(substr(line, start + 2))
            line = substr(line, 1, start - 1)
        }
    } else if (FILENAME ~ /\.py$/) {
        rest = line
        quotes = gsub(/"""/, "", rest)
        was = docstring
        if (quotes % 2)
            docstring = !docstring
        if (was || quotes) {
            note(rest)
            return
        }
    }
    if (FILENAME !~ /\.[ch]$/ && match(line, /(^|[ \t])#( |$)/)) {
        note(substr(line, RSTART + RLENGTH))
        line = substr(line, 1, RSTART)
    }
    add_definition(line)
    add_words(line)
}

# ---- what is named ----

# Without "./", "x/.." and a slash at the end.
function normalise(path,    parts, n, i, out)
{
    n = split(path, parts, "/")
    for (i = 1; i <= n; i++) {
        if (parts[i] == "." || parts[i] == "")
            continue
        if (parts[i] == ".." && out != "" && out !~ /(^|\/)\.\.$/)
            out = out ~ /\// ? substr(out, 1, length(out) - length(last_of(out)) - 1) : ""
        else
            out = out (out == "" ? "" : "/") parts[i]
    }
    return out
}

function last_of(path)
{
    sub(/.*\//, "", path)
    return path
}

function folder_of(path)
{
    return path ~ /\// ? substr(path, 1, length(path) - length(last_of(path)) - 1) : ""
}

function find_pattern(path,    pattern, known)
{
    pattern = path
    gsub(/\./, "\\.", pattern)
    gsub(/<[^>]*>|\*|%[0-9]*d/, "[^/]*", pattern)
    gsub(/[A-Z][A-Z][A-Z]+/, "[^/]*", pattern)
    if (pattern !~ /\[/)
        return ""
    pattern = "^" pattern "$"
    for (known in there)
        if (known ~ pattern)
            return known
    return ""
}

function resolve(path,    tries, i, found, where)
{
    tries[1] = folder == "" ? path : folder "/" path
    tries[2] = path
    tries[3] = "ref/" path
    tries[4] = last == "" || path ~ /\// ? path : last "/" path
    for (i = 1; i <= 4; i++) {
        where = normalise(tries[i])
        if (where in there)
            return where
    }
    for (i = 1; i <= 4; i++)
        if ((found = find_pattern(normalise(tries[i]))) != "")
            return found
    return ""
}

function is_path(token,    first)
{
    if (token ~ /^[A-Z]+\//)   # what an option names
        return 0
    if (token ~ /\.(c|h|py|sh|awk|md|txt)$/)
        return 1
    if (token !~ /\//)
        return 0
    first = normalise(token)
    sub(/\/.*/, "", first)
    if (first == ".." && folder != "") {
        first = normalise(folder "/" token)
        sub(/\/.*/, "", first)
    }
    return first in top || (kind == "readme" && folder != "" && (folder "/" first) in there)
}

# "FILE, NAME and NAME": text is what follows FILE. On a page every such word is a function's name; elsewhere those with
# an underscore are. Returns the text after them.
function check_functions(text, file,    name)
{
    while (match(text, /^`?(,| and) `?[A-Za-z_][A-Za-z0-9_]*/)) {
        name = substr(text, RSTART, RLENGTH)
        if (substr(text, RSTART + RLENGTH) ~ /^[A-Za-z0-9_\/-]*[.\/][a-z]/)
            break
        sub(/.*[^A-Za-z0-9_]/, "", name)
        if (claim_kind[claim] != "page" && name !~ /_/)
            break
        text = substr(text, RLENGTH + 1)
        functions[claim_kind[claim]]++
        if (!((file, name) in defined))
            fail(name " is not defined in " file)
    }
    return text
}

function check_tokens(text,    token, where)
{
    file = ""
    while (match(text, /[A-Za-z0-9_.\/%*<>-]+/)) {
        token = substr(text, RSTART, RLENGTH)
        text = substr(text, RSTART + RLENGTH)
        sub(/[.-]+$/, "", token)
        if (token !~ /<[a-z]+>/)
            gsub(/[<>]/, "", token)
        if (!is_path(token))
            continue
        where = resolve(token)
        if (where == "" && index(foreign, " " last_of(token) " "))
            continue
        paths[claim_kind[claim]]++
        if (where == "") {
            fail("there is no " token)
            continue
        }
        last = where in is_folder ? where : folder_of(where)
        file = where
        if (where ~ /\.(c|h|py)$/)
            text = check_functions(text, where)
    }
}

# What begins with ff or FF must be somewhere in the code; with a * behind it, it stands for what begins so.
function check_identifiers(text,    name, known, after)
{
    text = " " text
    while (match(text, /[^A-Za-z0-9_](ff|FF)_[A-Za-z0-9_]+/)) {
        name = substr(text, RSTART + 1, RLENGTH - 1)
        after = substr(text, RSTART + RLENGTH, 1)
        text = substr(text, RSTART + RLENGTH)
        if (after == "<")
            continue
        functions[claim_kind[claim]]++
        if (after == "*" || name ~ /_$/) {
            for (known in words)
                if (index(known, name) == 1)
                    break
            if (index(known, name) != 1)
                fail("nothing begins with " name)
        } else if (!(name in words)) {
            fail("there is no " name)
        }
    }
}

# Between backquotes: on a page what the function named before does, in a README anything with an underscore.
function check_code(text,    parts, n, i, code, name)
{
    n = split(text, parts, "`")
    for (i = 2; i <= n; i += 2) {
        code = parts[i]
        if (code ~ /^ *-/ || code ~ /\.(c|h|py)/)
            continue
        while (match(code, /[A-Za-z_][A-Za-z0-9_]*/)) {
            name = substr(code, RSTART, RLENGTH)
            code = substr(code, RSTART + RLENGTH)
            if (claim_kind[claim] == "page" ? file == "" : name !~ /^[a-z][a-z0-9]*_[a-z0-9_]*[a-z0-9]$/)
                continue
            functions[claim_kind[claim]]++
            if (claim_kind[claim] == "page" && !((file, name) in used))
                fail(file " has no " name)
            else if (!(name in words))
                fail("there is no " name)
        }
    }
}

# Targets of Markdown's links, and the headings that they lead to.
function check_links(text,    target, heading, where)
{
    while (match(text, /\]\([^)]*\)/)) {
        target = substr(text, RSTART + 2, RLENGTH - 3)
        text = substr(text, RSTART + RLENGTH)
        if (target ~ /^[a-z]+:/)
            continue
        heading = target ~ /#/ ? target : ""
        sub(/.*#/, "", heading)
        sub(/#.*/, "", target)
        where = target == "" ? label : normalise(folder == "" ? target : folder "/" target)
        paths[claim_kind[claim]]++
        if (!(where in there))
            fail("there is no " target)
        else if (heading != "" && !((where, heading) in headings))
            fail(where " has no heading " heading)
    }
}

function check_claim(    text)
{
    text = claim_text[claim]
    label = claim_label[claim]
    at = claim_line[claim]
    kind = claim_kind[claim]
    folder = kind == "help" || kind == "page" || label ~ /^\// ? "" : folder_of(label)
    if (label != label_before || at != at_before + 1 || text ~ /^ *$/ || text ~ /^ *(- |\||[0-9]+\. )/)
        last = ""
    label_before = label
    at_before = at
    gsub(/https?:[^ )>]*/, "", text)
    if (kind == "readme")
        check_links(text)
    check_tokens(text)
    check_identifiers(text)
    if (kind == "page" || kind == "readme")
        check_code(text)
}

kind == "tree" { add_path($0); next }
kind == "source" { read_source($0); next }
kind == "readme" && /^#/ {
    heading = tolower($0)
    sub(/^#+ */, "", heading)
    gsub(/[^a-z0-9 _-]/, "", heading)
    gsub(/ /, "-", heading)
    headings[FILENAME, heading] = 1
}
{ note($0) }

END {
    for (claim = 1; claim <= claims; claim++)
        check_claim()
    split("source readme help page", kinds, " ")
    for (i = 1; i <= 4; i++) {
        printf "%s: %d paths and %d names\n", kinds[i], paths[kinds[i]], functions[kinds[i]]
        if (paths[kinds[i]] == 0 || (functions[kinds[i]] == 0 && kinds[i] != "help")) {
            print kinds[i] ": there is nothing to resolve, which cannot be"
            failures++
        }
    }
    exit failures > 0
}

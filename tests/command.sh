# What tests of the command line begin with; sourced with PROGRAM SOURCE_FOLDER as arguments. Leaves the shell in an
# empty folder that is gone at the end, with $program, $source and $failures.
program=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
source=$(cd "$2" && pwd)
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
unset FIRSTFRAME_MODEL
failures=0
tested=  # the command, if it is always the same

fail() {
    echo "FAILED: $*"
    sed 's/^/    stdout: /' out
    sed 's/^/    stderr: /' err
    failures=$((failures + 1))
}

# run STATUS ARGUMENTS...: the program must end with this status; what it says is in the files out and err.
run() {
    wanted=$1
    shift
    # shellcheck disable=SC2086  # no word where there is no command
    "$program" $tested "$@" >out 2>err
    status=$?
    [ $status -eq "$wanted" ] || fail "status $status, not $wanted: firstframe $tested $*"
}

# The commands there are, one a line.
list_commands() {
    "$program" --help | sed '/^firstframe COMMAND/,$d' | sed -n 's/^  \([a-z0-9]*\)  *[a-z].*/\1/p'
}

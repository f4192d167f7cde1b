#!/usr/bin/env bash
# What neither rustfmt nor clippy can see. Prints each finding and fails if there is one.
set -u
cd "$(dirname "$0")/.." || exit 2
found=0

# refuse TITLE PATTERN: no tracked Rust file outside of tests may match.
refuse() {
    local hits
    hits=$(git grep -nE "$2" -- '*.rs' ':!tests/' ':!*/tests/*' ':!*tests.rs')
    if [ -n "$hits" ]; then
        printf '%s:\n%s\n\n' "$1" "$hits" >&2
        found=1
    fi
}

# clippy's use_debug sees format strings only: tracing's ?field prints with Debug as well.
refuse 'a log field is printed with Debug, which may show a Secret' \
    '(trace|debug|info|warn|error)(_span)?!\([^)]*[(, ]\?[a-z_]+'
refuse 'instrument without skip_all prints arguments' '#\[(tracing::)?instrument(\]|\(([^s]|s[^k])*\)\])'
refuse 'left open' '\b(todo|unimplemented)!\(|FIXME|XXX'
exit "$found"

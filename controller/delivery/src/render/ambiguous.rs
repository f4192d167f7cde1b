//! Words that kustomize and kubectl read differently.
//!
//! An unquoted `yes` is a boolean for kubectl and a text for kustomize, which Flux renders plain directories with. Our one
//! YAML reader reads as kubectl does, so a file with such a word goes to the real kustomize.

/// Whether an unquoted scalar, or a key, may be such a word. It errs on the side of yes: a false alarm costs a process.
pub(super) fn is_ambiguous(text: &str) -> bool {
    text.lines().any(|line| {
        let line = line.split_once(" #").map_or(line, |(line, _)| line);
        line.split([':', ',', '[', ']', '{', '}', '?'])
            .any(|part| WORDS.contains(&bare(part)))
    })
}

/// A scalar without the dashes of lists, anchors and tags before it.
fn bare(part: &str) -> &str {
    let mut bare = part.trim();
    while let Some((first, rest)) = bare.split_once(char::is_whitespace) {
        if first != "-" && !first.starts_with(['&', '!']) {
            break;
        }
        bare = rest.trim_start();
    }
    bare
}

/// YAML 1.1's booleans that are none in YAML 1.2.
const WORDS: &[&str] = &[
    "y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "n", "N", "no", "No", "NO", "off", "Off",
    "OFF",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_are_read_differently_are_found_wherever_they_stand() {
        for text in [
            "a: yes",
            "yes: 1",
            "- on",
            "- - off",
            "a: [x, no]",
            "{Y: 1}",
            "a: &anchor On",
            "a: !!bool yes",
            "a: NO # why",
            "? y\n: 1",
            "a:\n  no\n",
            "\ton: 1",
        ] {
            assert!(is_ambiguous(text), "{text}");
        }
        for text in [
            "a: \"yes\"",
            "a: 'no'",
            "a: true",
            "yesterday: 1",
            "a: turn it on",
            "a: online",
            "# yes",
            "a: x # no",
            "a: -on",
            "",
        ] {
            assert!(!is_ambiguous(text), "{text}");
        }
    }
}

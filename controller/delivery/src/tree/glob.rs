//! Matching one name against a pattern with `*`, `?` and `[...]`, as Go's `filepath.Match` does, in bounded time.

/// Whether `name` fits `pattern`. A malformed pattern fits nothing.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let Some(items) = parse(pattern) else {
        return false;
    };
    let name: Vec<char> = name.chars().collect();
    fits(&items, &name)
}

/// One step of a pattern.
enum Item {
    Any,
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
    One,
    Exactly(char),
}

fn parse(pattern: &str) -> Option<Vec<Item>> {
    let mut items = Vec::new();
    let mut characters = pattern.chars().peekable();
    while let Some(c) = characters.next() {
        items.push(match c {
            '*' => Item::Any,
            '?' => Item::One,
            '\\' => Item::Exactly(characters.next()?),
            '[' => class(&mut characters)?,
            c => Item::Exactly(c),
        });
    }
    Some(items)
}

fn class(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Item> {
    let negated = characters.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        if !ranges.is_empty() && characters.next_if_eq(&']').is_some() {
            return Some(Item::Class { negated, ranges });
        }
        let low = member(characters)?;
        let high = if characters.next_if_eq(&'-').is_some() {
            member(characters)?
        } else {
            low
        };
        ranges.push((low, high));
    }
}

fn member(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<char> {
    match characters.next()? {
        '-' | ']' => None,
        '\\' => characters.next(),
        c => Some(c),
    }
}

/// Goes back to the last star only, which is enough for this grammar and takes |pattern| × |name| steps at most.
fn fits(items: &[Item], name: &[char]) -> bool {
    let (mut item, mut at) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while at < name.len() {
        if matches!(items.get(item), Some(Item::Any)) {
            star = Some((item, at));
            item += 1;
        } else if items.get(item).is_some_and(|item| item.accepts(name[at])) {
            item += 1;
            at += 1;
        } else if let Some((star_item, star_at)) = star {
            star = Some((star_item, star_at + 1));
            item = star_item + 1;
            at = star_at + 1;
        } else {
            return false;
        }
    }
    items[item..].iter().all(|item| matches!(item, Item::Any))
}

impl Item {
    fn accepts(&self, c: char) -> bool {
        match self {
            Self::Any | Self::One => true,
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated
            }
            Self::Exactly(exactly) => *exactly == c,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the table of Go's path/filepath/match_test.go.
    #[test]
    fn patterns_fit_as_in_go() {
        for (pattern, name, expected) in [
            ("abc", "abc", true),
            ("*", "abc", true),
            ("*c", "abc", true),
            ("a*", "a", true),
            ("a*b*c*d*e*", "axbxcxdxe", true),
            ("a*b?c*x", "abxbbxdbxebxczzx", true),
            ("a*b?c*x", "abxbbxdbxebxczzy", false),
            ("ab[c]", "abc", true),
            ("ab[b-d]", "abc", true),
            ("ab[e-g]", "abc", false),
            ("ab[^c]", "abc", false),
            ("ab[^e-g]", "abc", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "ab", false),
            ("a?b", "a☺b", true),
            ("a[^a]b", "a☺b", true),
            ("a???b", "a☺b", false),
            ("[a-ζ]*", "α", true),
            ("*[a-ζ]", "A", false),
            ("[\\]a]", "]", true),
            ("[\\-x]", "-", true),
            ("[]a]", "]", false),
            ("[-]", "-", false),
            ("[x-]", "x", false),
            ("[a-b-c]", "a", false),
            ("[", "a", false),
            ("[^", "a", false),
            ("a[", "a", false),
            ("*x", "xxx", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_of_stars_ends_soon() {
        let name = "a".repeat(4_000);
        assert!(!matches(&("a*".repeat(500) + "b"), &name));
    }
}

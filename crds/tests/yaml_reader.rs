//! What the YAML reader does beyond reading as kubectl does: documents and their places, errors that say
//! where and quote nothing, bounds.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write as _;

use crds::yaml::{self, Duplicates};
use serde_json::{Value, json};

fn places(text: &str) -> Vec<(usize, usize, Value)> {
    let documents = yaml::documents(text).unwrap();
    documents
        .into_iter()
        .map(|document| (document.index, document.line, document.value))
        .collect()
}

fn error(text: &str) -> yaml::Error {
    yaml::documents(text)
        .map(|documents| documents.len())
        .unwrap_err()
}

#[test]
fn documents_know_their_number_and_line() {
    assert_eq!(
        places("# head\na: 1\n---\n# nothing\n---\n\nb: 2\n--- {c: 3}\n...\n---\nd: 4\n"),
        [
            (0, 2, json!({"a": 1})),
            (2, 7, json!({"b": 2})),
            (3, 8, json!({"c": 3})),
            (4, 11, json!({"d": 4})),
        ]
    );
    for nothing in [
        "",
        "\n",
        "---\n",
        "---\n---\n",
        "# x\n",
        "null\n",
        "\u{feff}",
    ] {
        assert_eq!(places(nothing), [], "{nothing}");
    }
}

#[test]
fn json_objects_may_follow_each_other() {
    let text = "\n{\"a\": 1.0}\n{\n \"b\": 1e3}{\"c\": 1.5}\n\n";
    let expected = [
        (0, 2, json!({"a": 1})),
        (1, 3, json!({"b": 1000})),
        (2, 4, json!({"c": 1.5})),
    ];
    assert_eq!(places(text), expected);
    assert_eq!(
        places("{a: b}\n---\n{\"c\": 1}"),
        [(0, 1, json!({"a": "b"})), (1, 3, json!({"c": 1}))]
    );
    assert_eq!(error("{\"a\": {\n\"b\": 1, \"b\": 2}}\n{}").line, 2);
    let lax = yaml::documents_with("{\"a\": 1, \"a\": 2}", Duplicates::LastWins).unwrap();
    assert_eq!(lax[0].value, json!({"a": 2}));
}

#[test]
fn windows_files_are_read() {
    let utf16: Vec<u8> = "a: 1\r\n---\r\nb: \u{e9}\r\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let documents = yaml::from_bytes(&[b"\xFF\xFE", utf16.as_slice()].concat()).unwrap();
    assert_eq!(documents[1].value, json!({"b": "\u{e9}"}));
    assert_eq!(documents[1].line, 3);
}

#[test]
fn errors_name_line_and_column_and_never_quote() {
    let mut wrong = Vec::new();
    for (text, line, column) in [
        ("a: 1\nb: 2\na: hunter2\n", 3, 1),
        ("1: hunter2\n'1': b\n", 2, 1),
        ("hunter2: 1\nhunter2: 2\n", 2, 1),
        ("a: \"hunter2\nb: 1\n", 1, 4),
        ("a: hunter2\n\tb: 1\n", 1, 4),
        ("a: hunter2: x\n", 1, 11),
        ("a: @hunter2\n", 1, 4),
        ("a: *hunter2\n", 1, 4),
        ("a: !!int hunter2\n", 1, 10),
        ("a: !!binary hunter2!\n", 1, 13),
        ("a: .nan\n", 1, 4),
        ("[hunter2]: a\n", 1, 1),
        ("a: {<<: hunter2}\n", 1, 9),
        ("a: \"\\hunter2\"\n", 1, 4),
        ("a: [hunter2\n", 1, 4),
        ("{\"a\": \"hunter2\", \"a\": 1}", 1, 24),
        ("{\"a\": \"hunter2\"", 1, 1),
        ("a: &x [*x]\n", 1, 8),
    ] {
        let error = error(text);
        if (error.line, error.column) != (line, column) {
            wrong.push(format!("{text}{error}"));
        }
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_mappings_own_key_wins_over_a_merged_one_wherever_it_stands() {
    for (text, strict, lax) in [
        ("b: &b {a: 1}\nu: {<<: *b, a: 2}\n", 2, 2),
        ("b: &b {a: 1}\nu: {a: 2, <<: *b}\n", 2, 1),
        ("b: &b {a: 1}\nc: &c {a: 3}\nu: {<<: [*b, *c]}\n", 1, 1),
    ] {
        let value =
            |duplicates| yaml::documents_with(text, duplicates).unwrap()[0].value["u"]["a"].clone();
        assert_eq!(value(Duplicates::Refuse), strict, "{text}");
        assert_eq!(value(Duplicates::LastWins), lax, "{text}");
    }
    assert_eq!(error("b: &b {a: 1}\nu: {<<: *b, a: 2, a: 3}\n").line, 2);
}

#[test]
fn one_document_reads_into_a_type() {
    assert_eq!(
        yaml::from_str::<Vec<u8>>("- 0x10\n- 1e2\n"),
        Ok(vec![16, 100])
    );
    for (text, line, message) in [
        ("", 1, "there is no document"),
        ("a: 1\n---\nb: 2\n", 3, "there is more than one document"),
        ("\n- hunter2\n", 2, "invalid type, expected u8"),
    ] {
        let error = yaml::from_str::<Vec<u8>>(text).unwrap_err();
        assert_eq!((error.line, error.message.as_str()), (line, message));
    }
}

#[test]
fn alias_bombs_are_refused() {
    let mut doubling = "a0: &a0 [x, x]\n".to_owned();
    for level in 1..60 {
        let below = level - 1;
        writeln!(doubling, "a{level}: &a{level} [*a{below}, *a{below}]").unwrap();
    }
    assert!(error(&doubling).message.contains("aliasing"));

    let mut long = format!("a: &a {}\nb:\n", "x".repeat(1 << 20));
    long.push_str(&"- *a\n".repeat(1000));
    assert!(error(&long).message.contains("aliasing"));

    let mut merging = "m0: &m0 {k: [1, 2, 3, 4, 5, 6, 7, 8, 9]}\n".to_owned();
    for level in 1..60 {
        let below = level - 1;
        writeln!(
            merging,
            "m{level}: &m{level}\n  <<: *m{below}\n  x: *m{below}"
        )
        .unwrap();
    }
    assert!(error(&merging).message.contains("aliasing"));
}

#[test]
fn nesting_is_bounded_in_every_notation() {
    for (open, close) in [("[", "]"), ("{a: ", "}"), ("{\"a\":", "}")] {
        let nested = |depth| format!("{}1{}", open.repeat(depth), close.repeat(depth));
        assert_eq!(places(&nested(200)).len(), 1);
        assert!(yaml::documents(&nested(300)).is_err());
        assert!(yaml::documents(&nested(100_000)).is_err());
    }
    let block = |depth| {
        (0..depth).fold(String::new(), |text, level| {
            text + &" ".repeat(level) + "a:\n"
        })
    };
    assert_eq!(places(&block(200)).len(), 1);
    assert!(yaml::documents(&block(300)).is_err());
    assert!(yaml::documents(&"- ".repeat(10_000)).is_err());
    let mut aliased = "a0: &a0 [x]\n".to_owned();
    for level in 1..300 {
        writeln!(aliased, "a{level}: &a{level} [*a{}]", level - 1).unwrap();
    }
    assert!(error(&aliased).message.contains("nested"));
}

#[test]
fn documents_and_nodes_are_bounded() {
    assert!(error(&"---\n".repeat(20_001)).message.contains("documents"));
    assert!(error(&"{}\n".repeat(20_001)).message.contains("documents"));
    assert!(
        error(&format!("[{}]", "1,".repeat(2_000_001)))
            .message
            .contains("nodes")
    );
    assert_eq!(places(&"a: 1\n---\n".repeat(15_000)).len(), 15_000);
}

#[test]
fn a_long_comment_is_no_problem() {
    let comment = "# x\n".repeat(5000);
    assert_eq!(
        places(&format!("{comment}a:\n{comment}- b\n{comment}- c\n")).len(),
        1
    );
}

#[test]
fn no_prefix_of_any_corner_case_panics_or_quotes() {
    let cases: Value = serde_json::from_str(include_str!("golden/read.json")).unwrap();
    for case in cases.as_array().unwrap().iter().take(120) {
        let text = case["input"].as_str().unwrap();
        for (end, _) in text.char_indices() {
            for duplicates in [Duplicates::Refuse, Duplicates::LastWins] {
                if let Err(error) = yaml::documents_with(&text[..end], duplicates) {
                    assert!(
                        error.message.is_ascii() && error.message.len() < 120,
                        "{error}"
                    );
                    assert!(error.line > 0 && error.column > 0);
                }
            }
        }
    }
}

#[test]
fn line_separators_survive_writing_and_reading() {
    let value = json!({"a\u{2028}b": "x\u{2029}y\u{85}z", "<<": ["<<"], "\u{feff}": "\u{7f}"});
    let text = yaml::to_string(&value).unwrap();
    assert_eq!(yaml::documents(&text).unwrap()[0].value, value, "{text}");
}

//! Edits leave every other byte as it is, in every style that a file may have.

#![expect(clippy::unwrap_used, reason = "tests")]

use document::{EditError, SealedFile};
use keys::{Fingerprint, encode_base64};
use proptest::prelude::*;

const KEY: &str = "SHA256:9DOEWXRlW1xRLgSKgedEswp4zldEIWIio4ZfsNkOsBw";

fn key() -> Fingerprint {
    KEY.parse().unwrap()
}

/// How one item of a generated file is written.
#[derive(Debug, Clone)]
struct Item {
    style: usize,
    quoted_key: usize,
    comment_above: bool,
    comment_right: bool,
    blank_above: bool,
    value: Vec<u8>,
}

#[derive(Debug, Clone)]
struct File {
    items: Vec<Item>,
    layout: usize,
    wide: bool,
    crlf: bool,
    final_newline: bool,
    marked: bool,
    before: bool,
    after: bool,
    record: bool,
}

fn file() -> impl Strategy<Value = File> {
    let item = (
        0..STYLES,
        0..3_usize,
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        prop::collection::vec(any::<u8>(), 30..90),
    )
        .prop_map(
            |(style, quoted_key, comment_above, comment_right, blank_above, value)| Item {
                style,
                quoted_key,
                comment_above,
                comment_right,
                blank_above,
                value,
            },
        );
    (
        prop::collection::vec(item, 1..5),
        0..4_usize,
        any::<[bool; 7]>(),
    )
        .prop_map(
            |(items, layout, [wide, crlf, final_newline, marked, before, after, record])| File {
                items,
                layout,
                wide,
                crlf,
                final_newline,
                marked,
                before,
                after,
                record,
            },
        )
}

const STYLES: usize = 7;
const NAMES: [&str; 5] = ["alpha", "beta.txt", "gamma_1", "1e3", "true"];

/// A generated text, and where the keys and values of its items are.
struct Text {
    bytes: Vec<u8>,
    keys: Vec<std::ops::Range<usize>>,
    values: Vec<std::ops::Range<usize>>,
}

impl File {
    fn write(&self) -> Text {
        let mut out = Writer::default();
        if self.before {
            out.push(
                "# first\napiVersion: v1\nkind: ConfigMap\ndata: {a: \"b\", c: [1, 2]}\n---\n",
            );
        }
        match self.layout {
            0 | 1 => self.block(&mut out),
            2 => self.json(&mut out, true),
            _ => self.json(&mut out, false),
        }
        if self.after {
            out.push("---   # last\n# nothing but\nkind: Other\nx: |\n  text\n\n");
        }
        let mut text = out.finish(self.crlf);
        if !self.final_newline {
            while text.bytes.ends_with(b"\n") || text.bytes.ends_with(b"\r") {
                text.bytes.pop();
            }
        }
        if self.marked {
            text.shift(b"\xef\xbb\xbf");
        }
        text
    }

    fn block(&self, out: &mut Writer) {
        let unit = if self.wide { "    " } else { "  " };
        out.push(
            "apiVersion: bitnami.com/v1alpha1 # the group\nkind: 'SealedSecret'\n\nmetadata:\n",
        );
        out.push(&format!("{unit}name: db\n{unit}namespace: shop\n"));
        if self.record {
            out.push(&format!("{unit}annotations:\n{unit}{unit}a: b # keep\n"));
        }
        out.push(&format!("spec:\n{unit}encryptedData: # the items\n"));
        for (item, name) in self.items.iter().zip(NAMES) {
            if item.blank_above {
                out.push("\n");
            }
            if item.comment_above {
                out.push(&format!("{unit}{unit}# about: {name}\n"));
            }
            out.push(&format!("{unit}{unit}"));
            out.key(&quoted_key(name, item.quoted_key));
            out.push(": ");
            self.block_value(out, item, &format!("{unit}{unit}{unit}"));
        }
        out.push(&format!("{unit}template:\n{unit}{unit}type: Opaque\n"));
    }

    fn block_value(&self, out: &mut Writer, item: &Item, indent: &str) {
        let value = encode_base64(&item.value);
        let (head, tail) = value.split_at(value.len() / 2);
        let right = if item.comment_right { " # why" } else { "" };
        match item.style {
            0 => out.value(&value),
            1 => out.value(&format!("'{value}'")),
            2 => out.value(&format!("\"{value}\"")),
            3 => out.value(&format!("\"{head}\\\n{indent}{tail}\"")),
            4 | 5 => {
                let header = if item.style == 4 { "|" } else { "|-" };
                out.value(&format!("{header}{right}\n{indent}{head}\n{indent}{tail}"));
                out.push("\n");
                return;
            }
            _ => out.value(&format!("!!str '{value}'")),
        }
        out.push(&format!("{right}\n"));
    }

    fn json(&self, out: &mut Writer, pretty: bool) {
        let unit = if self.wide { "\t" } else { "  " };
        let line = |depth: usize| {
            if pretty {
                format!("\n{}", unit.repeat(depth))
            } else {
                String::new()
            }
        };
        out.push(&format!(
            "{{{}\"apiVersion\": \"bitnami.com/v1alpha1\",",
            line(1)
        ));
        out.push(&format!(
            "{}\"kind\":\"SealedSecret\",{}\"metadata\" : {{",
            line(1),
            line(1)
        ));
        out.push(&format!(
            "{}\"name\": \"db\",{}\"namespace\": \"shop\"",
            line(2),
            line(2)
        ));
        if self.record {
            out.push(&format!(",{}\"annotations\": {{}}", line(2)));
        }
        out.push(&format!(
            "{}}},{}\"spec\": {{{}\"encryptedData\": {{",
            line(1),
            line(1),
            line(2)
        ));
        for (position, (item, name)) in self.items.iter().zip(NAMES).enumerate() {
            out.push(if position > 0 { "," } else { "" });
            out.push(&line(3));
            out.key(&format!("\"{name}\""));
            out.push(": ");
            out.value(&format!("\"{}\"", encode_base64(&item.value)));
        }
        out.push(&format!("{}}}{}}}{}}}\n", line(2), line(1), line(0)));
    }
}

fn quoted_key(name: &str, style: usize) -> String {
    match (style, name) {
        (0, "1e3" | "true") | (1, _) => format!("\"{name}\""),
        (2, _) => format!("'{name}'"),
        _ => name.to_owned(),
    }
}

#[derive(Default)]
struct Writer {
    text: String,
    keys: Vec<std::ops::Range<usize>>,
    values: Vec<std::ops::Range<usize>>,
}

impl Writer {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn key(&mut self, text: &str) {
        self.keys
            .push(self.text.len()..self.text.len() + text.len());
        self.push(text);
    }

    fn value(&mut self, text: &str) {
        self.values
            .push(self.text.len()..self.text.len() + text.len());
        self.push(text);
    }

    fn finish(self, crlf: bool) -> Text {
        let place = |at: usize| {
            at + if crlf {
                self.text[..at].matches('\n').count()
            } else {
                0
            }
        };
        let moved = |ranges: &[std::ops::Range<usize>]| {
            ranges
                .iter()
                .map(|range| place(range.start)..place(range.end))
                .collect()
        };
        let text = if crlf {
            self.text.replace('\n', "\r\n")
        } else {
            self.text.clone()
        };
        Text {
            bytes: text.into_bytes(),
            keys: moved(&self.keys),
            values: moved(&self.values),
        }
    }
}

impl Text {
    fn shift(&mut self, head: &[u8]) {
        self.bytes = [head, &self.bytes].concat();
        for range in self.keys.iter_mut().chain(&mut self.values) {
            *range = range.start + head.len()..range.end + head.len();
        }
    }

    fn sealed(&self) -> (SealedFile, usize) {
        let file = SealedFile::parse(&self.bytes).unwrap();
        let at = file.find(Some("db")).unwrap();
        (file, at)
    }

    /// The other documents, as values.
    fn others(&self, file: &SealedFile, at: usize) -> Vec<serde_json::Value> {
        let other = |(position, _): &(usize, &document::Document)| *position != at;
        let documents = file.documents().iter().enumerate().filter(other);
        documents
            .map(|(_, document)| document.value.clone())
            .collect()
    }
}

/// What was put in, if the one is the other with something put in at one place.
fn inserted<'a>(shorter: &[u8], longer: &'a [u8]) -> Option<&'a [u8]> {
    let extra = longer.len().checked_sub(shorter.len())?;
    let same = shorter
        .iter()
        .zip(longer)
        .take_while(|(left, right)| left == right)
        .count();
    (shorter[same..] == longer[same + extra..]).then(|| &longer[same..same + extra])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn setting_an_item_changes_its_value_only(
        generated in file(),
        which in any::<prop::sample::Index>(),
        new in prop::collection::vec(any::<u8>(), 1..80),
    ) {
        let text = generated.write();
        let (mut file, at) = text.sealed();
        let others = text.others(&file, at);
        let which = which.index(text.values.len());
        let mut items = file.items(at);
        file.set_item(at, NAMES[which], &new, None).unwrap();

        let slot = text.values[which].clone();
        let after = file.to_bytes();
        prop_assert!(after.starts_with(&text.bytes[..slot.start]));
        prop_assert!(after.ends_with(&text.bytes[slot.end..]));
        let written = &after[slot.start..after.len() - (text.bytes.len() - slot.end)];
        let written = std::str::from_utf8(written).unwrap();
        let bare = written.trim_start_matches("!!str ").trim_matches(['\'', '"']);
        prop_assert_eq!(bare, encode_base64(&new));
        items.insert(NAMES[which].to_owned(), encode_base64(&new));
        prop_assert_eq!(file.items(at), items);
        prop_assert_eq!(text.others(&file, at), others);
    }

    #[test]
    fn adding_an_item_puts_it_in_at_one_place(
        generated in file(),
        name in prop::sample::select(vec!["aaa", "beta.z", "zz", "0x1", "null"]),
    ) {
        let text = generated.write();
        let (mut file, at) = text.sealed();
        let mut items = file.items(at);
        file.set_item(at, name, b"sealed", None).unwrap();

        let after = file.to_bytes();
        let put = inserted(&text.bytes, &after).unwrap();
        let put = std::str::from_utf8(put).unwrap();
        prop_assert!(put.contains(&encode_base64(b"sealed")), "{}", put);
        prop_assert!(put.len() < 60, "{}", put);
        if generated.crlf && generated.layout != 3 {
            prop_assert!(put.contains('\r'), "{}", put);
        }
        items.insert(name.to_owned(), encode_base64(b"sealed"));
        prop_assert_eq!(file.items(at), items);
    }

    #[test]
    fn removing_an_item_takes_it_out_at_one_place(
        generated in file(),
        which in any::<prop::sample::Index>(),
    ) {
        let text = generated.write();
        let (mut file, at) = text.sealed();
        let which = which.index(text.values.len());
        let mut items = file.items(at);
        file.remove_item(at, NAMES[which]).unwrap();

        let after = file.to_bytes();
        if text.values.len() > 1 {
            let gone = inserted(&after, &text.bytes).unwrap();
            prop_assert!(std::str::from_utf8(gone).unwrap().contains(NAMES[which]));
            // Nothing of what is above or below the entry goes with it.
            let commas = gone.iter().filter(|byte| **byte == b'#').count();
            prop_assert!(commas <= usize::from(generated.items[which].comment_right));
        }
        items.remove(NAMES[which]);
        prop_assert_eq!(file.items(at), items);
    }

    #[test]
    fn renaming_an_item_changes_its_key_only(
        generated in file(),
        which in any::<prop::sample::Index>(),
        name in prop::sample::select(vec!["aaa", "zz", "0x1", "no"]),
    ) {
        let text = generated.write();
        let (mut file, at) = text.sealed();
        let which = which.index(text.values.len());
        let mut items = file.items(at);
        file.rename_item(at, NAMES[which], name).unwrap();

        let slot = text.keys[which].clone();
        let after = file.to_bytes();
        prop_assert!(after.starts_with(&text.bytes[..slot.start]));
        prop_assert!(after.ends_with(&text.bytes[slot.end..]));
        let value = items.remove(NAMES[which]).unwrap();
        items.insert(name.to_owned(), value);
        prop_assert_eq!(file.items(at), items);
    }

    #[test]
    fn the_record_follows_every_edit(generated in file()) {
        let text = generated.write();
        let (mut file, at) = text.sealed();
        file.set_item(at, "alpha", b"one", Some(&key())).unwrap();
        file.set_item(at, "new", b"two", Some(&key())).unwrap();
        prop_assert_eq!(file.record(at).unwrap().hint("alpha", b"one"), Some(key()));
        file.rename_item(at, "alpha", "other").unwrap();
        prop_assert_eq!(file.record(at).unwrap().hint("other", b"one"), Some(key()));
        file.remove_item(at, "new").unwrap();
        prop_assert!(file.record(at).unwrap().hint("new", b"two").is_none());
        // All of it undone but for the record: the items are as they were.
        prop_assert_eq!(file.items(at).len(), generated.items.len());
    }

    #[test]
    fn no_text_makes_the_editor_panic(text in ".{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for bytes in [text.as_bytes(), &bytes] {
            if let Ok(mut file) = SealedFile::parse(bytes) {
                drop(file.set_text(0, &["spec", "encryptedData", "a"], "b"));
            }
        }
    }

    #[test]
    fn no_mutation_of_a_real_file_makes_the_editor_panic_or_touch_more(
        generated in file(),
        at in any::<prop::sample::Index>(),
        with in prop::sample::select(b" \n\t:-#&*!|>'\"{}[],?%@a1\r".to_vec()),
    ) {
        let mut text = generated.write();
        let place = at.index(text.bytes.len());
        text.bytes[place] = with;
        let Ok(mut file) = SealedFile::parse(&text.bytes) else { return Ok(()) };
        let Ok(at) = file.find(Some("db")) else { return Ok(()) };
        let mut expected = file.documents()[at].value.clone();
        if file.set_item(at, "alpha", b"x", None).is_ok() {
            expected["spec"]["encryptedData"]["alpha"] = encode_base64(b"x").into();
            prop_assert_eq!(&file.documents()[at].value, &expected);
        }
    }
}

fn edited(text: &str, edit: impl FnOnce(&mut SealedFile, usize)) -> String {
    let mut file = SealedFile::parse(text.as_bytes()).unwrap();
    let at = file.find(None).unwrap();
    edit(&mut file, at);
    String::from_utf8(file.to_bytes()).unwrap()
}

const HEAD: &str = "kind: SealedSecret\nmetadata: {name: db, namespace: shop}\n";

#[test]
fn the_first_item_is_put_where_there_is_none() {
    let cases = [
        (
            "spec:\n  encryptedData: {}\n",
            "spec:\n  encryptedData:\n    a: eA==\n",
        ),
        (
            "spec:\n  encryptedData: {} # none\n",
            "spec:\n  encryptedData: # none\n    a: eA==\n",
        ),
        (
            "spec:\n  encryptedData:\n",
            "spec:\n  encryptedData:\n    a: eA==\n",
        ),
        (
            "spec:\n  encryptedData: null\n",
            "spec:\n  encryptedData:\n    a: eA==\n",
        ),
        (
            "spec:\n  template: {}\n",
            "spec:\n  template: {}\n  encryptedData:\n    a: eA==\n",
        ),
        ("spec: {}", "spec:\n  encryptedData:\n    a: eA=="),
        (
            "spec: {template: {}}\n",
            "spec: {template: {}, encryptedData: {a: eA==}}\n",
        ),
    ];
    for (before, after) in cases {
        let text = format!("{HEAD}{before}");
        let edited = edited(&text, |file, at| {
            file.set_item(at, "a", b"x", None).unwrap();
        });
        assert_eq!(edited, format!("{HEAD}{after}"));
    }
}

#[test]
fn a_new_item_is_put_in_order_where_the_others_are_in_order() {
    let text = format!("{HEAD}spec:\n  encryptedData:\n    a: eA==\n    c: eA== # last\n");
    let with_b = edited(&text, |file, at| {
        file.set_item(at, "b", b"x", None).unwrap();
    });
    assert!(with_b.ends_with("    a: eA==\n    b: eA==\n    c: eA== # last\n"));
    let with_d = edited(&text, |file, at| {
        file.set_item(at, "d", b"x", None).unwrap();
    });
    assert!(with_d.ends_with("    c: eA== # last\n    d: eA==\n"));
    let with_capital = edited(&text, |file, at| {
        file.set_item(at, "B", b"x", None).unwrap();
    });
    assert!(with_capital.contains("encryptedData:\n    B: eA==\n    a: eA==\n"));
}

#[test]
fn what_an_alias_or_a_merge_key_shares_is_not_edited() {
    let anchored = format!("{HEAD}spec:\n  encryptedData:\n    a: &x eA==\n    b: *x\n");
    let merged = format!("x: &x {{a: eA==}}\n{HEAD}spec:\n  encryptedData:\n    <<: *x\n");
    let mut file = SealedFile::parse(anchored.as_bytes()).unwrap();
    assert!(matches!(
        file.set_item(0, "a", b"y", None),
        Err(EditError::NotEditable { .. })
    ));
    assert_eq!(file.to_bytes(), anchored.as_bytes());
    // The alias itself can be given a value of its own.
    file.set_item(0, "b", b"y", None).unwrap();
    assert!(file.to_bytes().ends_with(b"a: &x eA==\n    b: eQ==\n"));
    let mut file = SealedFile::parse(merged.as_bytes()).unwrap();
    assert!(file.remove_item(0, "a").is_err());
    assert_eq!(file.to_bytes(), merged.as_bytes());
}

#[test]
fn wrong_names_and_documents_are_told() {
    let text = format!("{HEAD}spec: {{encryptedData: {{a: eA==}}}}\n");
    let mut file = SealedFile::parse(text.as_bytes()).unwrap();
    let said = |error: EditError| error.to_string();
    assert_eq!(
        said(file.remove_item(0, "b").unwrap_err()),
        "there is no item b"
    );
    assert_eq!(
        said(file.rename_item(0, "a", "a").unwrap_err()),
        "there is an item a already"
    );
    assert!(said(file.set_item(0, "a/b", b"", None).unwrap_err()).starts_with("a/b cannot be"));
    assert!(said(file.find(Some("x")).unwrap_err()).contains("no SealedSecret x in it, but db"));
    let two = format!("{text}---\n{}", text.replace("db", "other"));
    let file = SealedFile::parse(two.as_bytes()).unwrap();
    assert!(said(file.find(None).unwrap_err()).contains("(db, other)"));
    assert_eq!(file.find(Some("other")).unwrap(), 1);
    assert!(SealedFile::parse(b"a: 1").unwrap().find(None).is_err());
    assert!(matches!(
        SealedFile::parse(b"\xff\xfe"),
        Err(EditError::NotUtf8)
    ));
}

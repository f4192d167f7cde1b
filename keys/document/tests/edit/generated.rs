//! Sealed files in every style that a file may have, and where in their text the items are.

use document::SealedFile;
use keys::{Fingerprint, encode_base64};
use proptest::prelude::*;

const KEY: &str = "SHA256:9DOEWXRlW1xRLgSKgedEswp4zldEIWIio4ZfsNkOsBw";

pub(crate) fn key() -> Fingerprint {
    KEY.parse().unwrap()
}

/// How one item of a generated file is written.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) style: usize,
    pub(crate) quoted_key: usize,
    pub(crate) comment_above: bool,
    pub(crate) comment_right: bool,
    pub(crate) blank_above: bool,
    pub(crate) value: Vec<u8>,
}

#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) items: Vec<Item>,
    pub(crate) layout: usize,
    pub(crate) wide: bool,
    pub(crate) crlf: bool,
    pub(crate) final_newline: bool,
    pub(crate) marked: bool,
    pub(crate) before: bool,
    pub(crate) after: bool,
    pub(crate) record: bool,
}

pub(crate) fn file() -> impl Strategy<Value = File> {
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
        0..5_usize,
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

const STYLES: usize = 10;
pub(crate) const NAMES: [&str; 5] = ["alpha", "beta.txt", "gamma_1", "1e3", "true"];

/// A generated text, and where the keys and values of its items are.
pub(crate) struct Text {
    pub(crate) bytes: Vec<u8>,
    pub(crate) keys: Vec<std::ops::Range<usize>>,
    pub(crate) values: Vec<std::ops::Range<usize>>,
}

impl File {
    pub(crate) fn write(&self) -> Text {
        let mut out = Writer::default();
        if self.before {
            out.push(
                "# first\napiVersion: v1\nkind: ConfigMap\ndata: {a: \"b\", c: [1, 2]}\n---\n",
            );
        }
        match self.layout {
            0 | 1 => self.block(&mut out),
            2 => self.json(&mut out, true),
            3 => self.flow(&mut out),
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
            4..=7 => {
                let header = ["|", "|-", ">", ">-"][item.style - 4];
                out.value(&format!("{header}{right}\n{indent}{head}\n{indent}{tail}"));
                out.push("\n");
                return;
            }
            8 => {
                out.push("&anchor ");
                out.value(&value);
            }
            _ => out.value(&format!("!!str '{value}'")),
        }
        out.push(&format!("{right}\n"));
    }

    /// The items in a flow map, on one line or on several.
    fn flow(&self, out: &mut Writer) {
        let between = if self.wide { "\n    " } else { " " };
        out.push("kind: SealedSecret\nmetadata: {name: db, namespace: shop");
        out.push(if self.record {
            ", annotations: {}}\n"
        } else {
            "}\n"
        });
        out.push("spec:\n  # in one piece\n  encryptedData: {");
        for (position, (item, name)) in self.items.iter().zip(NAMES).enumerate() {
            out.push(if position > 0 { "," } else { "" });
            out.push(between);
            out.key(&quoted_key(name, item.quoted_key));
            out.push(": ");
            let value = encode_base64(&item.value);
            match item.style % 3 {
                0 => out.value(&value),
                1 => out.value(&format!("'{value}'")),
                _ => out.value(&format!("\"{value}\"")),
            }
        }
        out.push("} # so\n  template: {type: Opaque}\n");
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

    pub(crate) fn sealed(&self) -> (SealedFile, usize) {
        let file = SealedFile::parse(&self.bytes).unwrap();
        let at = file.find(Some("db")).unwrap();
        (file, at)
    }

    /// The other documents, as values.
    pub(crate) fn others(&self, file: &SealedFile, at: usize) -> Vec<serde_json::Value> {
        let other = |(position, _): &(usize, &document::Document)| *position != at;
        let documents = file.documents().iter().enumerate().filter(other);
        documents
            .map(|(_, document)| document.value.clone())
            .collect()
    }
}

/// What was put in, if the one is the other with something put in at one place.
pub(crate) fn inserted<'a>(shorter: &[u8], longer: &'a [u8]) -> Option<&'a [u8]> {
    let extra = longer.len().checked_sub(shorter.len())?;
    let same = shorter
        .iter()
        .zip(longer)
        .take_while(|(left, right)| left == right)
        .count();
    (shorter[same..] == longer[same + extra..]).then(|| &longer[same..same + extra])
}

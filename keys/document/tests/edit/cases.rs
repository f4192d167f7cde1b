//! Edits whose outcome is written out.

use document::{EditError, SealedFile};

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

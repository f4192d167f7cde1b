//! Edits leave every other byte as it is.

use document::SealedFile;
use keys::encode_base64;
use proptest::prelude::*;

use crate::generated::{NAMES, file, inserted, key};

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
        let on_one_line = generated.layout == 4 || (generated.layout == 3 && !generated.wide);
        if generated.crlf && !on_one_line {
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
    fn a_re_encryption_changes_the_values_only(generated in file(), new in any::<[u8; 40]>()) {
        let text = generated.write();
        let (mut file, at) = text.sealed();
        let others = text.others(&file, at);
        let mut moved = 0_isize;
        for (slot, name) in text.values.iter().zip(NAMES) {
            let before = file.to_bytes();
            file.set_item(at, name, &new, None).unwrap();
            let after = file.to_bytes();
            let start = slot.start.strict_add_signed(moved);
            let end = slot.end.strict_add_signed(moved);
            prop_assert!(after.starts_with(&before[..start]));
            prop_assert!(after.ends_with(&before[end..]));
            moved += isize::try_from(after.len()).unwrap() - isize::try_from(before.len()).unwrap();
        }
        prop_assert!(file.items(at).values().all(|value| *value == encode_base64(&new)));
        prop_assert_eq!(text.others(&file, at), others);
    }

    #[test]
    fn a_merge_adds_in_one_place_each_and_changes_the_values_only(
        generated in file(),
        which in any::<prop::sample::Index>(),
    ) {
        // What `--merge-into` does: an item that is there, one that is not, a label of the template.
        let text = generated.write();
        let (mut file, at) = text.sealed();
        let (others, mut items) = (text.others(&file, at), file.items(at));
        let which = which.index(text.values.len());
        file.set_item(at, NAMES[which], b"merged", None).unwrap();
        let slot = text.values[which].clone();
        let changed = file.to_bytes();
        prop_assert!(changed.starts_with(&text.bytes[..slot.start]));
        prop_assert!(changed.ends_with(&text.bytes[slot.end..]));
        file.set_item(at, "zz", b"added", None).unwrap();
        let added = file.to_bytes();
        prop_assert!(inserted(&changed, &added).is_some());
        file.set_text(at, &["spec", "template", "metadata", "labels", "app"], "db").unwrap();
        let labelled = file.to_bytes();
        prop_assert!(inserted(&added, &labelled).is_some());
        items.insert(NAMES[which].to_owned(), encode_base64(b"merged"));
        items.insert("zz".to_owned(), encode_base64(b"added"));
        prop_assert_eq!(file.items(at), items);
        prop_assert_eq!(text.others(&file, at), others);
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

//! The fuzz targets on mutations of real files, a few hundred cases each; the long runs are elsewhere.

use document::fuzz;
use proptest::prelude::*;

const SEEDS: [&str; 6] = [
    "kind: SealedSecret\nmetadata: {name: db, namespace: shop}\nspec:\n  encryptedData:\n    # c\n    a: \"AAA=\"\n    b: >-\n      AA\n      A=\n  template: &t {type: Opaque}\nx: *t\n",
    "---\napiVersion: v1\nkind: Secret\ndata: {a: eA==}\nstringData:\n  b: |\n    text\n---\n# nothing\n",
    "{\"kind\": \"SealedSecret\", \"metadata\": {\"name\": \"x\"},\n \"spec\": {\"encryptedData\": {\"a\": \"AA==\"}}}\n{\"kind\":\"List\",\"items\":[{}]}",
    "%YAML 1.2\n---\nkind: SealedSecret\r\nspec:\r\n  encryptedData: {}\r\n...\r\n",
    "kind: SealedSecret\nspec:\n  <<: {encryptedData: {a: b}}\n  ? long\n  : [1, 2]\n",
    "# form\na:\nb: 1\n{\"a\":{\"key\":\"SHA256:x\",\"label\":\"l\",\"digest\":\"d\"}}",
];

/// A seed with some bytes replaced, put in, taken out or doubled.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let bytes = b" \n\t:-#&*!|>'\"{}[],?%@a1\r=~\xff".to_vec();
    let edit = (
        any::<prop::sample::Index>(),
        0..4_u8,
        prop::sample::select(bytes),
    );
    (
        prop::sample::select(&SEEDS[..]),
        prop::collection::vec(edit, 0..6),
    )
        .prop_map(|(seed, edits)| {
            let mut text = seed.as_bytes().to_vec();
            for (at, kind, byte) in edits {
                let at = at
                    .index(text.len().max(1))
                    .min(text.len().saturating_sub(1));
                match kind {
                    0 => text.insert(at, byte),
                    1 if !text.is_empty() => text[at] = byte,
                    2 if !text.is_empty() => drop(text.remove(at)),
                    _ => text.extend_from_within(at..),
                }
            }
            text
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_stream_panics(bytes in mutated()) {
        fuzz::stream(&bytes);
    }

    #[test]
    fn no_edit_panics_or_touches_another_document(bytes in mutated()) {
        fuzz::editor(&bytes);
    }

    #[test]
    fn no_note_panics(bytes in mutated()) {
        fuzz::notes(&bytes);
    }
}

//! The property of a reference: a gjson path into the payload.
//!
//! `gjson` is the crate of the Go library's author. What it leaves out of the Go library's language
//! (some modifiers) it answers with "nothing there", so those are refused by name beforehand.

use gjson::Kind;
use kit::SecretBytes;

use super::json_text;

/// Modifiers that the crate has.
const MODIFIERS: [&str; 7] = [
    "@pretty", "@ugly", "@reverse", "@this", "@flatten", "@join", "@valid",
];
/// Modifiers of gjson 1.18 that the crate lacks.
const MISSING_MODIFIERS: [&str; 6] = ["@keys", "@values", "@tostr", "@fromstr", "@group", "@dig"];

/// Looks `property` up: first as one key with its dots escaped, then as a path
/// (secretsmanager.go, `escapeDotsIfRequired`). `None` where there is nothing.
///
/// # Errors
/// The modifier in the path that is not served.
pub(super) fn find(payload: &[u8], property: &str) -> Result<Option<SecretBytes>, String> {
    // gjson works on any bytes in Go; a payload that is no text has no properties here.
    let Ok(payload) = str::from_utf8(payload) else {
        return Ok(None);
    };
    if property.contains('.') {
        let literal = property.replace('.', "\\.");
        if let Ok(Some(found)) = look(payload, &literal) {
            return Ok(Some(found));
        }
    }
    look(payload, property)
}

fn look(payload: &str, path: &str) -> Result<Option<SecretBytes>, String> {
    // An empty query fits nothing in Go, and everything in the crate.
    if let Some(list) = path.strip_suffix(".#()#") {
        let list = with_keys_escaped(list)?;
        let is_list = gjson::get(payload, &list).kind() == Kind::Array;
        return Ok(is_list.then(|| SecretBytes::new(b"[]".to_vec())));
    }
    if path.contains("#()") {
        return Ok(None);
    }
    let path = with_keys_escaped(path)?;
    let found = gjson::get(payload, &path);
    if !found.exists() {
        return Ok(None);
    }
    let raw = found.json();
    Ok(Some(match found.kind() {
        Kind::Null => SecretBytes::new(Vec::new()),
        Kind::String => json_text::unquote(raw),
        Kind::Number => SecretBytes::new(number(raw).into_bytes()),
        Kind::True | Kind::False | Kind::Array | Kind::Object => {
            SecretBytes::new(raw.as_bytes().to_vec())
        }
    }))
}

/// Integers stay as they were written, anything else goes through a float without exponent
/// (gjson.go, `Result.String`).
fn number(raw: &str) -> String {
    let digits = raw.strip_prefix('-').unwrap_or(raw);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return raw.to_owned();
    }
    match raw.parse::<f64>() {
        Ok(value) if value.is_infinite() => if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned(),
        Ok(value) => value.to_string(),
        Err(_) => "0".to_owned(),
    }
}

/// The path with a backslash before each `@` that begins a component and is no modifier: such a
/// component is a key. The crate would take it for a modifier and find nothing.
///
/// # Errors
/// A modifier of the Go library that the crate does not have.
fn with_keys_escaped(path: &str) -> Result<String, String> {
    let mut escaped = String::with_capacity(path.len());
    let mut before = None;
    for (at, character) in path.char_indices() {
        let begins = matches!(before, None | Some('.' | '|' | '{' | '[' | ',' | ':'))
            && !path[..at.saturating_sub(1)].ends_with('\\');
        if character == '@' && begins {
            let rest = &path[at..];
            let end = rest
                .find(['.', '|', ':', ',', '}', ']'])
                .unwrap_or(rest.len());
            let name = &rest[..end];
            if MISSING_MODIFIERS.contains(&name) {
                return Err(name.to_owned());
            }
            if !MODIFIERS.contains(&name) {
                escaped.push('\\');
            }
        }
        escaped.push(character);
        before = Some(character);
    }
    Ok(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(payload: &str, property: &str) -> Option<String> {
        find(payload.as_bytes(), property)
            .unwrap()
            .map(|bytes| String::from_utf8(bytes.expose().to_vec()).unwrap())
    }

    /// The incumbent's provider and end-to-end cases.
    #[test]
    fn properties_are_found_as_the_incumbent_finds_them() {
        let nested = r#"{"name":{"first":"Tom","last":"Anderson"},"friends":[
            {"first":"Dale","age":44},{"first":"Roger","age":68}],
            "n":1.50,"e":1e3,"big":12345678901234567890,"neg":-7,"t":true,"z":null,"s":"",
            "o":{ "a" : [1,  2] },"d.e":"literal","d":{"e":"path"}}"#;
        for (property, expected) in [
            ("name.first", Some("Tom")),
            ("friends.1.first", Some("Roger")),
            ("friends.#", Some("2")),
            ("friends.#.first", Some(r#"["Dale","Roger"]"#)),
            (r#"friends.#(first=="Roger").age"#, Some("68")),
            ("n", Some("1.5")),
            ("e", Some("1000")),
            ("big", Some("12345678901234567890")),
            ("neg", Some("-7")),
            ("t", Some("true")),
            ("z", Some("")),
            ("s", Some("")),
            ("o", Some(r#"{ "a" : [1,  2] }"#)),
            ("d.e", Some("literal")),
            ("missing", None),
            ("name.missing", None),
            ("friends.7", None),
        ] {
            assert_eq!(found(nested, property).as_deref(), expected, "{property}");
        }
        assert_eq!(
            found(r#"{"foobar":{"baz":"nestedval"}}"#, "foobar.baz").as_deref(),
            Some("nestedval")
        );
        assert_eq!(
            found(r#"{"foobar.baz":"nestedval"}"#, "foobar.baz").as_deref(),
            Some("nestedval")
        );
        assert_eq!(found("------", "a"), None);
        assert_eq!(found("", "a.b"), None);
    }

    #[test]
    fn a_modifier_that_is_not_there_is_named() {
        for path in ["@keys", "a.@keys", "a|@dig:x", "{a,@values}"] {
            assert!(find(b"{}", path).is_err(), "{path}");
        }
        for path in ["@this", "a@keys", "@keysx", "a.@type"] {
            assert!(find(b"{}", path).is_ok(), "{path}");
        }
    }

    /// The crate leaves the white space in an object of one member that it reverses.
    const KNOWN_DIFFERENCE: (&str, &str) = ("@reverse", " {\"a\" : \"spaced\" } ");

    /// What the real gjson 1.18 finds (vectors/make).
    #[test]
    fn properties_are_found_as_the_real_gjson_finds_them() {
        let vectors: Vec<serde_json::Value> =
            serde_json::from_str(include_str!("../../vectors/properties.json")).unwrap();
        let mut wrong = Vec::new();
        for vector in &vectors {
            let (document, property) = (
                vector["document"].as_str().unwrap(),
                vector["property"].as_str().unwrap(),
            );
            let expected = vector["exists"]
                .as_bool()
                .unwrap()
                .then(|| vector["text"].as_str().unwrap());
            let looked = std::panic::catch_unwind(|| find(document.as_bytes(), property));
            let found = match &looked {
                Ok(Ok(found)) => found
                    .as_ref()
                    .map(|bytes| String::from_utf8_lossy(bytes.expose()).into_owned()),
                Ok(Err(modifier)) => Some(format!("refused {modifier}")),
                Err(_) => Some("a panic".to_owned()),
            };
            let known = (property, document) == KNOWN_DIFFERENCE;
            assert!(
                !known || found.as_deref() != expected,
                "no difference any more"
            );
            if !known && found.as_deref() != expected {
                wrong.push(format!(
                    "{property} in {document}: {} for {}",
                    found.unwrap_or_else(|| "nothing".into()),
                    expected.unwrap_or("nothing")
                ));
            }
        }
        assert!(
            wrong.is_empty(),
            "{} of {}:\n{}",
            wrong.len(),
            vectors.len(),
            wrong.join("\n")
        );
    }
}

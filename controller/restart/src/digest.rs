//! The keyed digest of what the pods of a workload read. Pure.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use k8s_openapi::ByteString;
use kit::SecretBytes;

/// The data of each Secret by name; `None` for one that is not there.
pub(crate) type Read = BTreeMap<String, Option<BTreeMap<String, ByteString>>>;

/// The digest in hexadecimal. It differs whenever a key, a value or the presence of a Secret does.
#[must_use]
pub(crate) fn of(key: &SecretBytes, workload: &str, read: &Read) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose());
    let mut context = hmac::Context::with_key(&key);
    let mut add = |field: &[u8]| {
        context.update(&field.len().to_le_bytes());
        context.update(field);
    };
    // Part of the digest, so that equal values in two workloads do not show as equal.
    add(workload.as_bytes());
    for (name, data) in read {
        add(name.as_bytes());
        let Some(data) = data else {
            add(b"absent");
            continue;
        };
        add(&data.len().to_le_bytes());
        for (key, value) in data {
            add(key.as_bytes());
            add(&value.0);
        }
    }
    context
        .sign()
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs<'a> = Option<&'a [(&'a str, &'a str)]>;

    fn read(data: &[(&str, Pairs<'_>)]) -> Read {
        let pairs = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), ByteString(v.as_bytes().to_vec())))
                .collect()
        };
        data.iter()
            .map(|(name, data)| ((*name).to_owned(), data.map(pairs)))
            .collect()
    }

    fn digest(key: &str, workload: &str, of_read: &Read) -> String {
        of(
            &SecretBytes::new(key.as_bytes().to_vec()),
            workload,
            of_read,
        )
    }

    #[test]
    fn every_difference_shows_and_none_without_the_key() {
        let all = [
            digest("k", "w", &read(&[("a", Some(&[("x", "1")]))])),
            digest("k", "w", &read(&[("a", Some(&[("x", "2")]))])),
            digest("k", "w", &read(&[("a", Some(&[("x1", "")]))])),
            digest("k", "w", &read(&[("a", Some(&[]))])),
            digest("k", "w", &read(&[("a", None)])),
            digest("k", "w", &read(&[])),
            digest("k", "other", &read(&[("a", Some(&[("x", "1")]))])),
            digest("other", "w", &read(&[("a", Some(&[("x", "1")]))])),
        ];
        for (index, one) in all.iter().enumerate() {
            assert_eq!(one.len(), 64);
            assert!(
                all.iter().skip(index + 1).all(|other| other != one),
                "{index}"
            );
        }
        assert_eq!(
            all[0],
            digest("k", "w", &read(&[("a", Some(&[("x", "1")]))]))
        );
    }
}

//! What cannot be compared with a golden output, because it is another one each time, and what holds
//! for any template at all.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use proptest::prelude::*;
use template::{Delimiters, Dialect, Limits, Template, Values};
use x509_cert::Certificate;
use x509_cert::der::{Decode as _, DecodePem as _, Encode as _};

use crate::shared::{DIALECTS, YAML, render, text};

const SEALED: Dialect = Dialect::SealedSecrets;
const EXTERNAL: Dialect = Dialect::ExternalSecrets(YAML);

#[test]
fn random_texts_have_their_length_and_alphabet_and_are_new_each_time() {
    type Belongs = fn(char) -> bool;
    let cases: [(&str, Belongs); 4] = [
        ("{{ randAlphaNum 200 }}", |c| c.is_ascii_alphanumeric()),
        ("{{ randAlpha 200 }}", |c| c.is_ascii_alphabetic()),
        ("{{ randNumeric 200 }}", |c| c.is_ascii_digit()),
        ("{{ randAscii 200 }}", |c| (' '..='~').contains(&c)),
    ];
    for (source, belongs) in cases {
        let (one, other) = (text(source, SEALED), text(source, SEALED));
        assert!(
            one.len() == 200 && one.chars().all(belongs),
            "{source}: {one}"
        );
        assert_ne!(one, other, "{source}");
    }
    assert_ne!(
        text("{{ randBytes 16 }}", SEALED),
        text("{{ randBytes 16 }}", SEALED)
    );
    assert_eq!(text("{{ randBytes 16 | b64dec | len }}", EXTERNAL), "16");
    let mut shuffled: Vec<char> = text("{{ shuffle \"abcé\" }}", SEALED).chars().collect();
    shuffled.sort_unstable();
    assert_eq!(shuffled, ['a', 'b', 'c', 'é']);
    for _ in 0..50 {
        let n: i64 = text("{{ randInt -3 3 }}", SEALED).parse().unwrap();
        assert!((-3..3).contains(&n));
    }
}

#[test]
fn uuidv4_is_a_random_uuid() {
    let form =
        regex::Regex::new("^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
            .unwrap();
    let (one, other) = (text("{{ uuidv4 }}", SEALED), text("{{ uuidv4 }}", SEALED));
    assert!(form.is_match(&one), "{one}");
    assert_ne!(one, other);
}

#[test]
fn now_is_now_and_ago_counts_from_it() {
    let before = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let now: u64 = text("{{ now | unixEpoch }}", SEALED).parse().unwrap();
    assert!((before..before + 60).contains(&now));
    let ago = text("{{ now | dateModify \"-3725s\" | ago }}", SEALED);
    assert!(ago.starts_with("1h2m"), "{ago}");
    assert_eq!(
        text("{{ date \"2006\" now }}", SEALED),
        text("{{ now.Year }}", SEALED)
    );
}

#[test]
fn bcrypt_has_a_new_salt_each_time() {
    let (one, other) = (
        text("{{ bcrypt \"password\" }}", SEALED),
        text("{{ bcrypt \"password\" }}", SEALED),
    );
    assert!(one.starts_with("$2a$10$") && one.len() == 60 && one != other);
    let line = text("{{ htpasswd \"user\" \"password\" }}", SEALED);
    assert!(
        line.starts_with("user:$2a$10$") && line.len() == 65,
        "{line}"
    );
}

#[test]
fn what_encrypt_aes_makes_decrypt_aes_opens() {
    for plaintext in ["x", "exactly sixteen.", "longer than one block of sixteen"] {
        let source = format!("{{{{ encryptAES \"key\" {plaintext:?} | decryptAES \"key\" }}}}");
        assert_eq!(text(&source, SEALED), plaintext);
    }
    assert_ne!(
        text("{{ encryptAES \"k\" \"x\" }}", SEALED),
        text("{{ encryptAES \"k\" \"x\" }}", SEALED)
    );
    let wrong = "{{ decryptAES \"other\" (encryptAES \"key\" \"some longer text, several blocks of it\") }}";
    let mut refused = 0;
    for _ in 0..20 {
        refused += u32::from(render(wrong, SEALED, &Values::new(), &Limits::default()).is_err());
    }
    assert!(refused >= 15, "padding by chance is rare");
}

#[test]
fn gen_private_key_makes_each_kind_in_its_own_encoding() {
    for (kind, label) in [
        ("rsa", "RSA PRIVATE KEY"),
        ("ecdsa", "EC PRIVATE KEY"),
        ("ed25519", "PRIVATE KEY"),
    ] {
        let pem = text(&format!("{{{{ genPrivateKey {kind:?} }}}}"), SEALED);
        assert!(
            pem.starts_with(&format!("-----BEGIN {label}-----\n")),
            "{pem}"
        );
        let again = format!("{{{{ (genCAWithKey \"ca\" 1 {pem:?}).Key }}}}");
        assert_eq!(text(&again, SEALED), pem, "the key is read back");
    }
    let dsa = render(
        "{{ genPrivateKey \"dsa\" }}",
        SEALED,
        &Values::new(),
        &Limits::default(),
    );
    assert!(
        dsa.unwrap_err()
            .to_string()
            .contains("DSA keys are not supported")
    );
}

fn certificate(pem: &str) -> Certificate {
    Certificate::from_pem(pem).unwrap()
}

fn is_signed_by(certificate: &Certificate, issuer: &Certificate) -> bool {
    let key = issuer.tbs_certificate().subject_public_key_info();
    let rsa = key
        .algorithm
        .parameters
        .as_ref()
        .is_some_and(|parameters| parameters.is_null());
    let bits = key.subject_public_key.raw_bytes();
    let body = certificate.tbs_certificate().to_der().unwrap();
    let signature = certificate.signature().raw_bytes();
    if rsa {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, bits)
            .verify(&body, signature)
            .is_ok()
    } else {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, bits)
            .verify(&body, signature)
            .is_ok()
    }
}

#[test]
fn a_signed_certificate_is_signed_by_its_authority() {
    for (authority, signed) in [
        (
            "genCA \"my-ca\" 365",
            "genSignedCert \"app\" (list \"10.0.0.1\") (list \"a.example\" \"b.example\") 30 $ca",
        ),
        (
            "genCAWithKey \"my-ca\" 365 (genPrivateKey \"ecdsa\")",
            "genSignedCertWithKey \"app\" (list \"10.0.0.1\") (list \"a.example\" \"b.example\") 30 $ca (genPrivateKey \"ecdsa\")",
        ),
    ] {
        let source = format!(
            "{{{{ $ca := {authority} }}}}{{{{ $c := {signed} }}}}{{{{ $ca.Cert }}}}|{{{{ $c.Cert }}}}|{{{{ $c.Key }}}}|{{{{ certSANs $c.Cert }}}}"
        );
        let out = text(&source, EXTERNAL);
        let parts: Vec<&str> = out.split('|').collect();
        let (ca, leaf) = (certificate(parts[0]), certificate(parts[1]));
        assert!(is_signed_by(&ca, &ca) && is_signed_by(&leaf, &ca) && !is_signed_by(&ca, &leaf));
        assert_eq!(ca.tbs_certificate().subject().to_string(), "CN=my-ca");
        assert_eq!(leaf.tbs_certificate().subject().to_string(), "CN=app");
        assert_eq!(
            leaf.tbs_certificate().issuer(),
            ca.tbs_certificate().subject()
        );
        assert!(parts[2].contains("PRIVATE KEY"));
        assert_eq!(parts[3], "[a.example b.example 10.0.0.1]");
        let lasts = leaf.tbs_certificate().validity();
        let seconds = lasts.not_after.to_unix_duration() - lasts.not_before.to_unix_duration();
        assert_eq!(seconds.as_secs(), 30 * 86_400);
    }
}

#[test]
fn a_self_signed_certificate_is_signed_by_itself() {
    for source in [
        "{{ (genSelfSignedCert \"app\" nil (list \"a.example\") 1).Cert }}",
        "{{ (genSelfSignedCertWithKey \"app\" nil (list \"a.example\") 1 (genPrivateKey \"ecdsa\")).Cert }}",
        "{{ (genSelfSignedCert \"\" nil (list \"a.example\") 20000).Cert }}",
    ] {
        let own = certificate(&text(source, SEALED));
        assert!(is_signed_by(&own, &own), "{source}");
        // What was written is what a strict reader writes again.
        assert_eq!(Certificate::from_der(&own.to_der().unwrap()).unwrap(), own);
    }
}

#[test]
fn a_keystore_is_read_back_by_the_right_password_only() {
    let make = "{{ $ca := genCAWithKey \"ca\" 9 (genPrivateKey \"ecdsa\") }}";
    for (write, read) in [
        ("pemToPkcs12 $ca.Cert $ca.Key", "pkcs12cert"),
        (
            "pemToPkcs12Pass $ca.Cert $ca.Key \"pw\"",
            "pkcs12certPass \"pw\"",
        ),
        ("fullPemToPkcs12 $ca.Cert $ca.Key", "pkcs12cert"),
        (
            "fullPemToPkcs12Pass $ca.Cert $ca.Key \"pw\"",
            "pkcs12certPass \"pw\"",
        ),
    ] {
        let source = format!("{make}{{{{ eq ({write} | b64dec | {read}) $ca.Cert }}}}");
        assert_eq!(text(&source, EXTERNAL), "true", "{source}");
        let wrong = format!("{make}{{{{ {write} | b64dec | pkcs12certPass \"wrong\" }}}}");
        let error = render(&wrong, EXTERNAL, &Values::new(), &Limits::default()).unwrap_err();
        assert!(error.to_string().contains("password incorrect"), "{error}");
    }
    // A trust store has no key, so only its form is looked at.
    for write in [
        "pemTruststoreToPKCS12 $ca.Cert",
        "pemTruststoreToPKCS12Pass $ca.Cert \"pw\"",
    ] {
        let source = format!("{make}{{{{ {write} | b64dec | trunc 1 | b64enc }}}}");
        assert_eq!(text(&source, EXTERNAL), "MA==");
    }
}

/// Pieces that real templates are made of, put together at random.
fn piece() -> impl Strategy<Value = String> {
    let functions: Vec<&'static str> = Template::functions(EXTERNAL)
        .into_iter()
        .filter(|name| {
            !matches!(
                *name,
                "genPrivateKey" | "genCA" | "genSelfSignedCert" | "genSignedCert"
            )
        })
        .collect();
    let name = prop::sample::select(functions).prop_map(str::to_owned);
    let operand = prop_oneof![
        Just(".a".to_owned()),
        Just(".bin".to_owned()),
        Just(".missing".to_owned()),
        Just("$".to_owned()),
        Just("nil".to_owned()),
        Just("true".to_owned()),
        Just("(list 1 \"a\" nil 2.5)".to_owned()),
        Just("(dict \"k\" (list 1) \"l\" \"v\")".to_owned()),
        Just("(now)".to_owned()),
        Just("(semver \"1.2.3\")".to_owned()),
        Just("(until 3)".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        (-5i64..20).prop_map(|n| n.to_string()),
        any::<f64>()
            .prop_filter("a literal", |n| n.is_finite())
            .prop_map(|n| format!("{n:?}")),
        "[ -~é\u{1F600}]{0,12}".prop_map(|text| format!("{text:?}")
            .replace("\\'", "'")
            .replace("\\u{", "u{")),
    ];
    prop_oneof![
        "[ -~\n]{0,20}",
        (name, prop::collection::vec(operand, 0..5))
            .prop_map(|(name, operands)| format!("{{{{ {name} {} }}}}", operands.join(" "))),
        Just("{{ if .a }}".to_owned()),
        Just("{{ range $i, $v := until 3 }}".to_owned()),
        Just("{{ with .a }}".to_owned()),
        Just("{{ else }}".to_owned()),
        Just("{{ end }}".to_owned()),
        Just("{{- ".to_owned()),
        Just(" -}}".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_template_panics_or_passes_its_limits(pieces in prop::collection::vec(piece(), 0..6)) {
        let source: String = pieces.concat();
        let limits = Limits { output_bytes: 10_000, steps: 20_000, made_bytes: 1 << 20, slow_calls: 1, ..Limits::default() };
        let mut values = Values::new();
        values.insert("a".into(), b"value".to_vec().into());
        values.insert("bin".into(), vec![0xff, 0, 0x80, b'x'].into());
        for dialect in DIALECTS {
            match render(&source, dialect, &values, &limits) {
                Ok(bytes) => prop_assert!(bytes.len() <= 10_000),
                Err(error) => {
                    let text = error.to_string();
                    prop_assert!(!text.contains("unexpectedly"), "{source}: {text}");
                }
            }
        }
    }

    #[test]
    fn no_source_panics_the_parser(source in "[{}()|.$:=,\"'`a-c0-9 \\-\n\\\\é]{0,60}", left in "[<{(]{1,2}", right in "[>})]{1,2}") {
        for dialect in DIALECTS {
            let _parsed = Template::parse(&source, dialect, &Delimiters::default()).is_ok();
            let _own = Template::parse(&source, dialect, &Delimiters::new(&left, &right)).is_ok();
        }
    }

    #[test]
    fn base64_and_json_give_back_what_went_in(bytes in prop::collection::vec(any::<u8>(), 0..200), word in "\\PC{0,40}") {
        let mut values = Values::new();
        values.insert("b".into(), bytes.clone().into());
        values.insert("w".into(), word.clone().into_bytes().into());
        for source in ["{{ .b | b64enc | b64dec }}", "{{ .b | b32enc | b32dec }}"] {
            prop_assert_eq!(render(source, SEALED, &values, &Limits::default()).unwrap(), bytes.clone());
        }
        for source in ["{{ .w | toJson | fromJson }}", "{{ (dict \"k\" .w | toYaml | fromYaml).k }}", "{{ .w | urlquery | len | gt 0 | ternary 1 .w }}"] {
            prop_assert_eq!(render(source, EXTERNAL, &values, &Limits::default()).unwrap(), word.clone().into_bytes());
        }
    }
}

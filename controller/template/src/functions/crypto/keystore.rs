//! PKCS#12 files, read and written as `go-pkcs12` does it.

use aes::Aes256;
use aes::cipher::KeyInit as _;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_rs::pbkdf2;
use rand::RngExt as _;
use zeroize::Zeroizing;

use super::certificate::Certificate;
use super::cipher::encrypt_cbc;
use super::der::{
    BMP_STRING, NULL_ELEMENT, OBJECT, OCTET_STRING, Reader, SEQUENCE, SET, algorithm, context,
    element, number, object, octets, only, sequence,
};
use super::keystore_key::{
    AES_256_CBC, DIGEST_SHA256, HMAC_SHA256, PBES2, PBKDF2, Password, decrypt, derive_pbkdf2, mac,
    wide_text,
};
use super::private_key::PrivateKey;
use crate::run::Failure;

const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
const ENCRYPTED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 6];
const KEY_BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1, 1];
const SHROUDED_KEY_BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1, 2];
const CERTIFICATE_BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1, 3];
const X509_CERTIFICATE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 22, 1];
const FRIENDLY_NAME: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 20];
const LOCAL_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 21];
/// Java's mark of a trust anchor, with the purpose "any".
const JAVA_TRUST: &[u8] = &[
    0x60, 0x86, 0x48, 1, 0x86, 0xf9, 0x66, 0xad, 0xca, 0x7b, 1, 1,
];
const ANY_PURPOSE: &[u8] = &[0x55, 0x1d, 37, 0];

/// Rounds of key derivation (`Modern2023` of go-pkcs12).
const ROUNDS: u32 = 2048;

/// What a keystore holds.
pub(super) struct Keystore {
    pub(super) key: PrivateKey,
    pub(super) certificate: Certificate,
    pub(super) authorities: Vec<Certificate>,
}

/// `DecodeChain`.
pub(super) fn read(file: &[u8], password: &str) -> Result<Keystore, Failure> {
    let mut password = Password::new(password)?;
    let mut outer =
        only(file, SEQUENCE).map_err(|_| Failure::new("pkcs12: error reading P12 data"))?;
    if outer.small()? != 3 {
        return Err(Failure::new("pkcs12: can only decode v3 PFX PDU's"));
    }
    let mut content = outer.open(SEQUENCE)?;
    if content.expect(OBJECT)? != DATA {
        return Err(Failure::new(
            "pkcs12: only password-protected PFX is implemented",
        ));
    }
    let content = content.open(context(0))?.expect(OCTET_STRING)?;
    if outer.is_empty() {
        if !password.is_empty() {
            return Err(Failure::new("pkcs12: no MAC in data"));
        }
    } else {
        password = verified(outer.open(SEQUENCE)?, password, content)?;
    }
    let mut keys = Vec::new();
    let mut certificates = Vec::new();
    let mut safes = only(content, SEQUENCE)?;
    for count in 0.. {
        if safes.is_empty() {
            break;
        }
        if count == 2 {
            return Err(Failure::new(
                "pkcs12: expected at most 2 items in the authenticated safe",
            ));
        }
        let bags = Zeroizing::new(opened(safes.open(SEQUENCE)?, &password)?);
        let mut bags = only(&bags, SEQUENCE)?;
        while !bags.is_empty() {
            bag(
                bags.open(SEQUENCE)?,
                &password,
                &mut keys,
                &mut certificates,
            )?;
        }
    }
    if keys.len() > 1 {
        return Err(Failure::new("pkcs12: expected exactly one key bag"));
    }
    let mut certificates = certificates.into_iter();
    let certificate = certificates
        .next()
        .ok_or_else(|| Failure::new("pkcs12: certificate missing"))?;
    let key = keys
        .pop()
        .ok_or_else(|| Failure::new("pkcs12: private key missing"))?;
    Ok(Keystore {
        key,
        certificate,
        authorities: certificates.collect(),
    })
}

/// The password if the MAC is right; an empty one may have been written as none at all.
fn verified(mut data: Reader<'_>, password: Password, content: &[u8]) -> Result<Password, Failure> {
    let mut info = data.open(SEQUENCE)?;
    let algorithm = info.open(SEQUENCE)?;
    let expected = info.expect(OCTET_STRING)?;
    let salt = data.expect(OCTET_STRING)?;
    let count = if data.is_empty() { 1 } else { data.small()? };
    let right = |password: &Password| -> Result<bool, Failure> {
        let sum = mac(algorithm, salt, count, password, content)?;
        Ok(verify_slices_are_equal(expected, &sum).is_ok())
    };
    if right(&password)? {
        return Ok(password);
    }
    if password.is_empty() && right(&Password::absent())? {
        return Ok(Password::absent());
    }
    Err(Failure::new("pkcs12: decryption password incorrect"))
}

/// The bags of one safe, decrypted if need be.
fn opened(mut safe: Reader<'_>, password: &Password) -> Result<Vec<u8>, Failure> {
    let kind = safe.expect(OBJECT)?;
    let mut content = safe.open(context(0))?;
    match kind {
        DATA => Ok(content.expect(OCTET_STRING)?.to_vec()),
        ENCRYPTED_DATA => {
            let mut data = content.open(SEQUENCE)?;
            if data.small()? != 0 {
                return Err(Failure::new(
                    "pkcs12: only version 0 of EncryptedData is supported",
                ));
            }
            let mut info = data.open(SEQUENCE)?;
            info.expect(OBJECT)?;
            let algorithm = info.open(SEQUENCE)?;
            decrypt(algorithm, info.expect(0x80)?, password)
        }
        _ => Err(Failure::new(
            "pkcs12: only data and encryptedData content types are supported",
        )),
    }
}

fn bag(
    mut bag: Reader<'_>,
    password: &Password,
    keys: &mut Vec<PrivateKey>,
    certificates: &mut Vec<Certificate>,
) -> Result<(), Failure> {
    let kind = bag.expect(OBJECT)?;
    let value = bag.expect(context(0))?;
    match kind {
        CERTIFICATE_BAG => {
            let mut inner = only(value, SEQUENCE)?;
            if inner.expect(OBJECT)? != X509_CERTIFICATE {
                return Err(Failure::new(
                    "pkcs12: only X509 certificates are supported in cert bags",
                ));
            }
            certificates.push(Certificate::from_der(
                inner.open(context(0))?.expect(OCTET_STRING)?,
            )?);
        }
        KEY_BAG => keys.push(PrivateKey::from_pkcs8(value)?),
        SHROUDED_KEY_BAG => {
            let mut inner = only(value, SEQUENCE)?;
            let algorithm = inner.open(SEQUENCE)?;
            let decrypted =
                Zeroizing::new(decrypt(algorithm, inner.expect(OCTET_STRING)?, password)?);
            keys.push(PrivateKey::from_pkcs8(&decrypted)?);
        }
        _ => {}
    }
    Ok(())
}

/// `Modern.Encode`: the certificates encrypted, then the shrouded key.
pub(super) fn write(store: &Keystore, password: &str) -> Result<Vec<u8>, Failure> {
    let fingerprint = digest(&SHA1_FOR_LEGACY_USE_ONLY, &store.certificate.der);
    let local = attribute(LOCAL_KEY, &octets(fingerprint.as_ref()));
    let mut bags = certificate_bag(&store.certificate, &local);
    for authority in &store.authorities {
        bags.extend_from_slice(&certificate_bag(authority, &[]));
    }
    let key = Zeroizing::new(store.key.pkcs8());
    let (scheme, shrouded) = encrypted(&key, password)?;
    let shrouded = sequence(&[&scheme, &octets(&shrouded)]);
    let key_bag = sequence(&[
        &object(SHROUDED_KEY_BAG),
        &element(context(0), &shrouded),
        &element(SET, &local),
    ]);
    let safes = [encrypted_safe(&bags, password)?, plain_safe(&key_bag)].concat();
    file(&safes, password)
}

/// `Modern.EncodeTrustStore`: the certificates, marked for Java, named by their subjects.
pub(super) fn write_trust(
    certificates: &[Certificate],
    password: &str,
) -> Result<Vec<u8>, Failure> {
    let trust = attribute(JAVA_TRUST, &object(ANY_PURPOSE));
    let mut bags = Vec::new();
    for certificate in certificates {
        let name = element(BMP_STRING, &wide_text(&certificate.subject_text()?)?);
        let attributes = [trust.clone(), attribute(FRIENDLY_NAME, &name)].concat();
        bags.extend_from_slice(&certificate_bag(certificate, &attributes));
    }
    file(&encrypted_safe(&bags, password)?, password)
}

fn attribute(identifier: &[u8], value: &[u8]) -> Vec<u8> {
    sequence(&[&object(identifier), &element(SET, value)])
}

fn certificate_bag(certificate: &Certificate, attributes: &[u8]) -> Vec<u8> {
    let inner = sequence(&[
        &object(X509_CERTIFICATE),
        &element(context(0), &octets(&certificate.der)),
    ]);
    let attributes = if attributes.is_empty() {
        Vec::new()
    } else {
        element(SET, attributes)
    };
    sequence(&[
        &object(CERTIFICATE_BAG),
        &element(context(0), &inner),
        &attributes,
    ])
}

fn plain_safe(bags: &[u8]) -> Vec<u8> {
    sequence(&[
        &object(DATA),
        &element(context(0), &octets(&element(SEQUENCE, bags))),
    ])
}

fn encrypted_safe(bags: &[u8], password: &str) -> Result<Vec<u8>, Failure> {
    let (scheme, ciphertext) = encrypted(&element(SEQUENCE, bags), password)?;
    let info = sequence(&[&object(DATA), &scheme, &element(0x80, &ciphertext)]);
    let data = sequence(&[&number(0), &info]);
    Ok(sequence(&[
        &object(ENCRYPTED_DATA),
        &element(context(0), &data),
    ]))
}

/// PBES2 with PBKDF2-HMAC-SHA256 and AES-256-CBC: the scheme and the ciphertext.
fn encrypted(plaintext: &[u8], password: &str) -> Result<(Vec<u8>, Vec<u8>), Failure> {
    let (salt, iv): ([u8; 16], [u8; 16]) = (rand::rng().random(), rand::rng().random());
    let key = derive_pbkdf2(
        pbkdf2::PBKDF2_HMAC_SHA256,
        ROUNDS,
        &salt,
        password.as_bytes(),
        32,
    )?;
    let cipher = Aes256::new_from_slice(&key)
        .map_err(|_| Failure::new("pkcs12: the key has a wrong length"))?;
    let derivation = sequence(&[
        &octets(&salt),
        &number(u64::from(ROUNDS)),
        &algorithm(HMAC_SHA256, &[]),
    ]);
    let scheme = sequence(&[
        &algorithm(PBKDF2, &derivation),
        &algorithm(AES_256_CBC, &octets(&iv)),
    ]);
    Ok((
        algorithm(PBES2, &scheme),
        encrypt_cbc(&cipher, &iv, plaintext),
    ))
}

/// The file around the safes, with its MAC.
fn file(safes: &[u8], password: &str) -> Result<Vec<u8>, Failure> {
    let content = element(SEQUENCE, safes);
    let salt: [u8; 16] = rand::rng().random();
    let digest_algorithm = algorithm(DIGEST_SHA256, &NULL_ELEMENT);
    let sum = mac(
        only(&digest_algorithm, SEQUENCE)?,
        &salt,
        u64::from(ROUNDS),
        &Password::new(password)?,
        &content,
    )?;
    let mac_data = sequence(&[
        &sequence(&[&digest_algorithm, &octets(&sum)]),
        &octets(&salt),
        &number(u64::from(ROUNDS)),
    ]);
    let auth_safe = sequence(&[&object(DATA), &element(context(0), &octets(&content))]);
    Ok(sequence(&[&number(3), &auth_safe, &mac_data]))
}

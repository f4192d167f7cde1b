//! Keys, certificates, keystores and password hashes.

mod certificate;
mod cipher;
mod der;
mod issue;
mod jwk;
mod keystore;
mod keystore_key;
mod keystores;
mod name;
mod passwords;
mod pem;
mod pems;
mod private_key;

use super::Function;

pub(super) const TABLES: &[&[Function]] = &[
    cipher::FUNCTIONS,
    issue::FUNCTIONS,
    jwk::FUNCTIONS,
    keystores::FUNCTIONS,
    passwords::FUNCTIONS,
    pems::FUNCTIONS,
];

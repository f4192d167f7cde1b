//! All decisions about one SealedSecret: pure, synchronous, without a client.
//!
//! In order: is anything [`due`](due::due)? Is the SealedSecret fit to be opened
//! ([`examine`](examine::examine))? Whose is the Secret that is there
//! ([`ownership`](existing::ownership))? And, with the opened values at hand, what is to be written
//! ([`decide`](decide::decide))?

mod blueprint;
mod decide;
mod due;
mod examine;
mod existing;

use keys::Scope;
use sha2::{Digest as _, Sha256};

pub(crate) use blueprint::{Blueprint, Values};
pub(crate) use decide::{Plan, decide};
pub(crate) use due::{Due, due, inputs_of};
pub(crate) use examine::{Examined, Format, Item, Rules, examine, sealed_items};
pub(crate) use existing::{Ownership, Remembered, ownership, reusable};

/// What makes the difference between two attempts besides the generation: whose object it is, and
/// the scope, which stands in annotations and does not count the generation up.
pub(crate) fn inputs_digest(uid: &str, scope: Scope) -> String {
    hexadecimal(&Sha256::digest(format!("{scope} {uid}"))[..DIGEST_BYTES])
}

/// 128 bits tell any two inputs apart that are not made to collide, and colliding gains nothing.
const DIGEST_BYTES: usize = 16;

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

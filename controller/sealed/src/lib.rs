//! SealedSecret to Secret, and the life of the sealing keys.
//!
//! The part does what the sealed-secrets controller does, under the rights that one has, and does
//! not do it again when nothing has changed. It knows no Git and no AWS.
//!
//! ```text
//! watch      SealedSecrets (metadata and status), Secrets (a few words each), key Secrets
//!   gather   the SealedSecret, the Secret that is there, the opened values
//!     plan   due? fit? whose? what differs?                       pure, nearly all tests
//!   carry_out  one write to the Secret, if it differs
//! status     one write, if it says something new
//! ```
//!
//! # Invariants
//! - A Secret that somebody else controls is never written to, and nothing that is written can
//!   become a sealing key.
//! - Values and private keys are in [`keys::SecretBytes`] or in the one Secret that is written, and
//!   in no text.
//! - What was written is remembered in `status.written`: a restart opens nothing that is unchanged.

mod adopt;
mod arguments;
mod carry_out;
mod gather;
mod go;
mod http;
mod keyring;
mod memory;
mod metrics;
mod open;
mod part;
mod place;
mod plan;
mod problem;
mod reconcile;
mod record;
mod render;
mod status;
mod watch;

pub use adopt::{INCUMBENT, adopt};
pub use arguments::Arguments;
pub use keyring::Keys;
pub use part::Part;

/// The name under which the incumbent's writes are recorded: client-go's default, the name of its
/// binary. Ours is the same, so that the fields of one are the fields of the other.
const FIELD_MANAGER: &str = "controller";

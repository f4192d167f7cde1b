//! Git by the real `git`, over bare repositories that nothing is ever checked out of.
//!
//! [`url`] and [`credentials`] parse what users wrote, [`remote`] talks to a server, [`store`] keeps one bare repository
//! for each (URL, credential identity), [`objects`] reads trees and files out of it into memory.

mod address;
pub mod credentials;
mod disk;
pub mod failure;
pub mod objects;
pub mod oid;
mod process;
pub mod reference;
pub mod remote;
pub mod store;
pub mod url;
pub mod version;

pub use credentials::{Credentials, CredentialsError};
pub use failure::GitError;
pub use oid::Oid;
pub use process::Git;
pub use reference::{Reference, ReferenceError};
pub use store::{Budget, Identity, Repositories, Repository};
pub use url::{RemoteUrl, UrlError, UserInfo};

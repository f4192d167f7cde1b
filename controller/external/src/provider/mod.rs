//! Where secrets come from. A new provider is one folder here that implements [`Reader`].

pub(crate) mod aws;
mod error;
pub(crate) mod json_text;
mod payload;
mod property;
mod reader;

pub(crate) use error::ReadError;
pub(crate) use payload::Payload;
pub(crate) use reader::{Address, Call, Reader, Search, Version};

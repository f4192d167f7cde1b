//! Where text is collected: bounded, and wiped wherever it was while it grew.

use zeroize::Zeroize as _;

use crate::limits::{Budget, Exceeded};
use crate::run::Failure;

/// Collects bytes and charges them.
pub(crate) struct Sink<'b> {
    bytes: Vec<u8>,
    budget: &'b Budget,
    /// The longest result, if this is the result; else the bytes count as made by a function.
    longest: Option<usize>,
}

impl<'b> Sink<'b> {
    /// For what a function makes.
    pub(crate) fn made(budget: &'b Budget) -> Self {
        Self {
            bytes: Vec::new(),
            budget,
            longest: None,
        }
    }

    /// For the result of the render.
    pub(crate) fn output(budget: &'b Budget) -> Self {
        Self {
            bytes: Vec::new(),
            budget,
            longest: Some(budget.output_bytes()),
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let length = self.bytes.len().saturating_add(bytes.len());
        match self.longest {
            Some(longest) if length > longest => return Err(Exceeded::Output(longest).into()),
            Some(_) => self.budget.step(1 + bytes.len() as u64 / 1024)?,
            None => self.budget.allocate(bytes.len())?,
        }
        if length > self.bytes.capacity() {
            let mut larger = Vec::with_capacity(length.max(self.bytes.capacity() * 2).max(64));
            larger.extend_from_slice(&self.bytes);
            std::mem::replace(&mut self.bytes, larger).zeroize();
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    pub(crate) fn put(&mut self, text: &str) -> Result<(), Failure> {
        self.write(text.as_bytes())
    }

    pub(crate) fn budget(&self) -> &'b Budget {
        self.budget
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

impl Drop for Sink<'_> {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

//! GitRepository and Kustomization: fetch, render, apply, prune.

pub mod git;
mod hex;
pub mod inventory;
pub mod order;
pub mod render;
pub mod tree;

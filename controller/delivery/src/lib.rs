//! GitRepository and Kustomization: fetch, render, apply, prune.

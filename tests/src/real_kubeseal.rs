//! The real kubeseal, sealing without a cluster.

use std::path::PathBuf;

use serde_json::Value;

use crate::cache::SEALED_SECRETS;
use crate::{Failure, Invocation, Scratch};

/// The real kubeseal with a certificate to seal to.
pub struct RealKubeseal {
    scratch: Scratch,
    program: PathBuf,
}

impl RealKubeseal {
    /// Seals to the certificate of a PEM text.
    ///
    /// # Errors
    /// If it is not built.
    pub fn with_certificate(pem: &str) -> Result<Self, Failure> {
        let scratch = Scratch::new("kubeseal")?;
        std::fs::write(scratch.path().join(CERTIFICATE), pem)?;
        Ok(Self {
            scratch,
            program: SEALED_SECRETS.program("kubeseal")?,
        })
    }

    /// Seals a Secret; `arguments` may name a scope.
    ///
    /// # Errors
    /// If kubeseal fails.
    pub async fn seal(&self, secret: &Value, arguments: &[&str]) -> Result<Value, Failure> {
        let text = Invocation::new(&self.program)
            .env("HOME", self.scratch.path())
            .args([
                "--cert".as_ref(),
                self.scratch.path().join(CERTIFICATE).as_os_str(),
            ])
            .args(arguments)
            .input(secret.to_string())
            .stdout()
            .await?;
        Ok(serde_json::from_str(&text)?)
    }
}

const CERTIFICATE: &str = "certificate.pem";

//! One word for "stop now", shared by everything that runs.

use tokio_util::sync::CancellationToken;

/// Tells every task of the process that it is to end. Clones share one state.
#[derive(Clone, Default)]
pub struct Shutdown {
    token: CancellationToken,
}

impl Shutdown {
    /// A shutdown that nobody has requested yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks every holder of a clone to end. Asking twice is the same as asking once.
    pub fn request(&self) {
        self.token.cancel();
    }

    /// Whether the end was requested.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Waits until the end is requested.
    pub async fn requested(&self) {
        self.token.cancelled().await;
    }

    /// Waits for `work`, or for the shutdown if that comes first.
    ///
    /// # Errors
    /// [`Stopped`] when the shutdown came first; `work` is dropped then, wherever it was.
    pub async fn or<T>(&self, work: impl Future<Output = T>) -> Result<T, Stopped> {
        self.token.run_until_cancelled(work).await.ok_or(Stopped)
    }
}

/// The process is ending, so what was waited for will not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the process is ending")]
pub struct Stopped;

//! Things that all tests of a process share, as starting them takes seconds.

use tokio::sync::OnceCell;

use crate::Failure;

/// A place for something that is started by whoever needs it first.
pub type Shared<T> = OnceCell<Result<T, Failure>>;

/// The shared thing, started if nobody has before. A failure is shared as well: the others would only
/// wait for the same.
///
/// # Errors
/// What starting it failed with.
pub async fn share<T>(
    place: &'static Shared<T>,
    start: impl AsyncFnOnce() -> Result<T, Failure>,
) -> Result<&'static T, Failure> {
    let started = place.get_or_init(|| start()).await;
    started
        .as_ref()
        .map_err(|failure| Failure::new(failure.message()))
}

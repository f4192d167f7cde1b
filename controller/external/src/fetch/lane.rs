//! What one principal reads in one region: gathered, read together, handed to all who asked.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::future::join_all;
use tokio::{
    sync::{Semaphore, oneshot},
    time::Instant,
};
use tracing::info;

use super::{Answer, GATHER, Turn};
use crate::provider::{Address, Payload, ReadError, Reader};

/// How many requests of one principal are under way at the same time.
const REQUESTS_AT_ONCE: usize = 8;
/// How long a policy that denies batches is remembered before they are tried again.
const BATCH_DENIED_FOR: Duration = Duration::from_secs(10 * 60);

type Waiting = BTreeMap<Address, Vec<oneshot::Sender<Answer>>>;

/// What one principal reads in one region.
pub(super) struct Lane {
    reader: Arc<dyn Reader>,
    gathering: Mutex<Gathering>,
    requests: Semaphore,
    no_batches_until: Mutex<Option<Instant>>,
}

#[derive(Default)]
struct Gathering {
    waiting: Waiting,
    /// How many of the addresses were asked for first by somebody that is new or has changed.
    new: usize,
    /// Which window is open. A timer that finds another one has been overtaken.
    window: u64,
}

impl Gathering {
    /// Closes the window: those who come from now on get the next.
    fn close(&mut self) -> Waiting {
        self.window += 1;
        self.new = 0;
        std::mem::take(&mut self.waiting)
    }
}

impl Lane {
    pub(super) fn new(reader: Arc<dyn Reader>) -> Arc<Self> {
        Arc::new(Self {
            reader,
            gathering: Mutex::default(),
            requests: Semaphore::new(REQUESTS_AT_ONCE),
            no_batches_until: Mutex::default(),
        })
    }

    /// Asks for an address. The answer comes from a request that begins after this.
    pub(super) fn subscribe(
        self: &Arc<Self>,
        address: &Address,
        turn: Turn,
    ) -> oneshot::Receiver<Answer> {
        let (sender, receiver) = oneshot::channel();
        let mut gathering = self
            .gathering
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let opens = gathering.waiting.is_empty();
        let senders = gathering.waiting.entry(address.clone()).or_default();
        let is_new = turn == Turn::Changed && senders.is_empty();
        senders.push(sender);
        gathering.new += usize::from(is_new);
        let whole_batch = self.reader.batch_size().max(1);
        if gathering.new >= whole_batch {
            tokio::spawn(Arc::clone(self).fly(gathering.close()));
        } else if opens {
            tokio::spawn(Arc::clone(self).close(gathering.window));
        }
        receiver
    }

    /// Closes a window after its time, unless it was full before.
    async fn close(self: Arc<Self>, window: u64) {
        tokio::time::sleep(GATHER).await;
        let waiting = {
            let mut gathering = self
                .gathering
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if gathering.window != window {
                return;
            }
            gathering.close()
        };
        self.fly(waiting).await;
    }

    /// Reads what has gathered and hands it out.
    async fn fly(self: Arc<Self>, mut waiting: Waiting) {
        waiting.retain(|_, senders| senders.iter().any(|sender| !sender.is_closed()));
        let (in_batches, single): (Waiting, Waiting) = waiting
            .into_iter()
            .partition(|(address, _)| address.fits_a_batch());
        let size = self.reader.batch_size();
        if in_batches.len() < 2 || size < 2 || self.batches_are_denied() {
            self.read_singly(single.into_iter().chain(in_batches).collect())
                .await;
            return;
        }
        let mut batches = Vec::new();
        let mut rest = in_batches.into_iter();
        loop {
            let batch: Waiting = rest.by_ref().take(size).collect();
            if batch.is_empty() {
                break;
            }
            batches.push(self.read_batch(batch));
        }
        tokio::join!(join_all(batches), self.read_singly(single));
    }

    async fn read_batch(&self, batch: Waiting) {
        let ids: Vec<String> = batch
            .keys()
            .map(|address| address.id().to_owned())
            .collect();
        let result = {
            let _request = self.requests.acquire().await;
            self.reader.read_batch(&ids).await
        };
        let answers = match result {
            Ok(answers) => answers,
            Err(error) if error.concerns_everything() => {
                for senders in batch.into_values() {
                    hand_out(senders, Err(error.clone()));
                }
                return;
            }
            Err(error) => {
                // One secret of the batch may have made it fail, or the policy knows no batches.
                if matches!(error, ReadError::Denied(_)) {
                    self.deny_batches(&error);
                }
                ids.iter().map(|_| None).collect()
            }
        };
        let mut unanswered = Waiting::new();
        let mut answers = answers.into_iter();
        for (address, senders) in batch {
            match answers.next().flatten() {
                Some(answer) => hand_out(senders, answer.map(Arc::new)),
                None => drop(unanswered.insert(address, senders)),
            }
        }
        self.read_singly(unanswered).await;
    }

    async fn read_singly(&self, waiting: Waiting) {
        let reads = waiting.into_iter().map(|(address, senders)| async move {
            let answer: Result<Payload, ReadError> = {
                let _request = self.requests.acquire().await;
                self.reader.read(&address).await
            };
            hand_out(senders, answer.map(Arc::new));
        });
        join_all(reads).await;
    }

    fn batches_are_denied(&self) -> bool {
        let until = self
            .no_batches_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    fn deny_batches(&self, error: &ReadError) {
        info!(%error, "secrets are read one by one: the policy does not allow batches");
        let mut until = self
            .no_batches_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *until = Some(Instant::now() + BATCH_DENIED_FOR);
    }
}

/// Who has gone meanwhile needs no answer.
fn hand_out(senders: Vec<oneshot::Sender<Answer>>, answer: Answer) {
    for sender in senders {
        drop(sender.send(answer.clone()));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use futures::{FutureExt as _, future::BoxFuture};

    use super::*;
    use crate::provider::{Search, Version};

    /// A provider that notes what it is asked. Secrets are named after what happens to them.
    #[derive(Default)]
    struct Noted {
        calls: Mutex<Vec<String>>,
        deny_batches: bool,
    }

    impl Noted {
        fn note(&self, call: String) {
            self.calls.lock().unwrap().push(call);
        }

        fn calls(&self) -> Vec<String> {
            std::mem::take(&mut self.calls.lock().unwrap())
        }
    }

    fn value(id: &str) -> Option<Result<Payload, ReadError>> {
        match id {
            "missing" => Some(Err(ReadError::Missing)),
            "unspoken" => None,
            id => Some(Ok(Payload::of_text(id.to_owned()))),
        }
    }

    impl Reader for Noted {
        fn batch_size(&self) -> usize {
            20
        }

        fn read<'a>(&'a self, address: &'a Address) -> BoxFuture<'a, Result<Payload, ReadError>> {
            self.note(address.id().to_owned());
            let answer =
                value(address.id()).unwrap_or_else(|| Ok(Payload::of_text("alone".into())));
            async move { answer }.boxed()
        }

        fn read_batch<'a>(
            &'a self,
            ids: &'a [String],
        ) -> BoxFuture<'a, Result<Vec<Option<Result<Payload, ReadError>>>, ReadError>> {
            self.note(format!("batch of {}", ids.len()));
            let denied = self.deny_batches;
            async move {
                if denied {
                    return Err(ReadError::Denied("no batches".into()));
                }
                Ok(ids.iter().map(|id| value(id)).collect())
            }
            .boxed()
        }

        fn search<'a>(&'a self, _: &'a Search) -> BoxFuture<'a, Result<Vec<String>, ReadError>> {
            async { Ok(vec![]) }.boxed()
        }
    }

    fn current(id: &str) -> Address {
        Address::Value {
            id: id.to_owned(),
            version: Version::parse(""),
        }
    }

    fn text(answer: &Answer) -> String {
        match answer {
            Ok(payload) => {
                String::from_utf8(payload.value("", "").unwrap().expose().to_vec()).unwrap()
            }
            Err(error) => error.to_string(),
        }
    }

    async fn ask(lane: &Arc<Lane>, addresses: &[Address]) -> Vec<String> {
        ask_as(Turn::Changed, lane, addresses).await
    }

    async fn ask_as(turn: Turn, lane: &Arc<Lane>, addresses: &[Address]) -> Vec<String> {
        let receivers: Vec<_> = addresses
            .iter()
            .map(|address| lane.subscribe(address, turn))
            .collect();
        let answers = join_all(receivers).await;
        answers
            .into_iter()
            .map(|answer| text(&answer.unwrap()))
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn many_who_ask_for_one_secret_are_one_request() {
        let provider = Arc::new(Noted::default());
        let lane = Lane::new(Arc::clone(&provider) as Arc<dyn Reader>);
        let answers = ask(&lane, &[current("a"), current("a"), current("a")]).await;
        assert_eq!(answers, ["a", "a", "a"]);
        assert_eq!(provider.calls(), ["a"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_gathers_is_read_in_batches_and_other_versions_one_by_one() {
        let provider = Arc::new(Noted::default());
        let lane = Lane::new(Arc::clone(&provider) as Arc<dyn Reader>);
        let older = Address::Value {
            id: "old".into(),
            version: Version::parse("AWSPREVIOUS"),
        };
        let tags = Address::Tags { id: "tags".into() };
        let answers = ask(&lane, &[current("a"), older, current("missing"), tags]).await;
        assert_eq!(answers, ["a", "old", "Secret does not exist", "tags"]);
        assert_eq!(provider.calls(), ["batch of 2", "old", "tags"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_whole_batch_does_not_wait() {
        let provider = Arc::new(Noted::default());
        let lane = Lane::new(Arc::clone(&provider) as Arc<dyn Reader>);
        let all: Vec<Address> = (0..45).map(|index| current(&index.to_string())).collect();
        let before = Instant::now();
        assert_eq!(ask(&lane, &all[..40]).await.len(), 40);
        assert_eq!(before.elapsed(), Duration::ZERO);
        assert_eq!(ask(&lane, &all[40..]).await.len(), 5);
        assert!(before.elapsed() >= GATHER);
        assert_eq!(
            provider.calls(),
            ["batch of 20", "batch of 20", "batch of 5"]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn many_who_are_due_for_a_few_secrets_are_one_request() {
        let provider = Arc::new(Noted::default());
        let lane = Lane::new(Arc::clone(&provider) as Arc<dyn Reader>);
        let due: Vec<Address> = (0..200)
            .map(|index| current(&(index % 20).to_string()))
            .collect();
        assert_eq!(ask_as(Turn::Due, &lane, &due).await.len(), 200);
        assert_eq!(provider.calls(), ["batch of 20"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_secret_that_a_batch_does_not_speak_of_is_asked_for_alone() {
        let provider = Arc::new(Noted::default());
        let lane = Lane::new(Arc::clone(&provider) as Arc<dyn Reader>);
        assert_eq!(
            ask(&lane, &[current("a"), current("unspoken")]).await,
            ["a", "alone"]
        );
        assert_eq!(provider.calls(), ["batch of 2", "unspoken"]);
    }

    #[tokio::test(start_paused = true)]
    async fn where_batches_are_denied_secrets_are_read_one_by_one_and_batches_tried_again_later() {
        let provider = Arc::new(Noted {
            deny_batches: true,
            ..Noted::default()
        });
        let lane = Lane::new(Arc::clone(&provider) as Arc<dyn Reader>);
        for expected in [&["batch of 2", "a", "b"][..], &["a", "b"]] {
            assert_eq!(ask(&lane, &[current("a"), current("b")]).await, ["a", "b"]);
            assert_eq!(provider.calls(), expected);
        }
        tokio::time::advance(BATCH_DENIED_FOR).await;
        ask(&lane, &[current("a"), current("b")]).await;
        assert_eq!(provider.calls()[0], "batch of 2");
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_gone_is_not_read_for() {
        let provider = Arc::new(Noted::default());
        let lane = Lane::new(Arc::clone(&provider) as Arc<dyn Reader>);
        drop(lane.subscribe(&current("gone"), Turn::Changed));
        assert_eq!(ask(&lane, &[current("a")]).await, ["a"]);
        assert_eq!(provider.calls(), ["a"]);
    }

    #[tokio::test(start_paused = true)]
    async fn two_principals_never_share_an_answer() {
        use crate::{
            fetch::{Fetcher, Source},
            provider::aws::{Base, Identity},
        };
        let fetcher = Fetcher::default();
        let source = |role: &str| {
            let roles = vec![crate::provider::aws::Assume {
                role: role.to_owned(),
                ..crate::provider::aws::Assume::default()
            }];
            let identity = Identity {
                base: Base::Ambient,
                roles,
                region: "r".into(),
            };
            let provider = Arc::new(Noted::default());
            let reader = Arc::clone(&provider) as Arc<dyn Reader>;
            let source = Source {
                reader,
                principal: identity.principal(),
                region: "r".into(),
            };
            (provider, source)
        };
        let ((one, as_one), (two, as_two)) = (source("one"), source("two"));
        let addresses = BTreeSet::from([current("same")]);
        tokio::join!(
            fetcher.read(&as_one, &addresses, Turn::Changed),
            fetcher.read(&as_two, &addresses, Turn::Changed)
        );
        assert_eq!((one.calls().len(), two.calls().len()), (1, 1));
        assert_eq!(fetcher.asked(), 2);
    }
}

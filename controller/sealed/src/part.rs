//! The part as the process sees it: made before leadership, run with it.

use std::{sync::Arc, time::Duration};

use axum::Router;
use crds::sealed_secret::SealedSecret;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::Secret;
use kit::{
    Context,
    backoff::Bounds,
    events::Recorder,
    presence,
    reconcile::{self, Settings as Running},
    redact,
};
use kube::{
    core::PartialObjectMeta,
    runtime::{
        Controller, WatchStreamExt as _,
        reflector::{self, ObjectRef, Store},
        watcher::{self, Event},
    },
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{Notify, mpsc},
};
use tracing::{debug, info, warn};

use crate::{
    arguments::{Arguments, Settings},
    carry_out,
    http::{self, Served},
    keyring::{Asked, Follower, Keys, Maker, Shelf, follow, publish, tend},
    memory::Memory,
    metrics::Measures,
    open::Opener,
    place::Place,
    plan::Rules,
    reconcile::{Habits, Unsealer},
    watch::{Bodies, FEATURE, NOTICING, News, SecretIndex, Watched, sealed_secrets, watch_secrets},
};

/// The incumbent's source component of Events (`controller.go`, `NewController`).
const COMPONENT: &str = "sealed-secrets";

/// Objects worked on at the same time. Most of the work is waiting for the API server; the RSA
/// operations are bounded on their own.
const CONCURRENCY: u16 = 32;

/// How many objects may be waiting to be woken.
const WAKE_QUEUE: usize = 1_024;

/// How long SealedSecrets wait for the first key and the first listing of Secrets, so that they are
/// not first said to fail. A cluster that answers at all answers long before.
const PATIENCE: Duration = Duration::from_secs(10);

/// SealedSecret to Secret, and the life of the sealing keys.
pub struct Part {
    context: Context,
    settings: Settings,
    keys: Keys,
    follower: Follower,
    opener: Opener,
    measures: Measures,
    recorder: Recorder,
    maker: Maker,
}

impl Part {
    /// Makes the part. From now on, leader or not, it follows the key Secrets, and SIGUSR1 makes a
    /// new key.
    ///
    /// Needs a tokio runtime.
    #[must_use]
    pub fn new(context: Context, arguments: Arguments) -> Self {
        let settings = arguments.settings(&context.namespace);
        let measures = Measures::register(
            &context.metrics,
            concat!("v", env!("CARGO_PKG_VERSION")),
            settings.omit_secret_labels,
        );
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let opener = Opener::new(cores, measures.rsa_operations.clone());
        let keys = Keys::new(Shelf::new(settings.order, settings.design.prefix.clone()));
        let recorder = Recorder::new(context.client.clone(), COMPONENT, context.shutdown.clone());
        let follower = Follower {
            context: context.clone(),
            keys: keys.clone(),
            legacy: settings.design.prefix.clone(),
            watch: settings.watch_keys,
            recorder: recorder.clone(),
        };
        let maker = Maker {
            follower: follower.clone(),
            design: settings.design.clone(),
            renewal: settings.renewal,
            opener: opener.clone(),
        };
        tokio::spawn(follow(follower.clone()));
        tokio::spawn(make_on_signal(maker.clone()));
        Self {
            context,
            settings,
            keys,
            follower,
            opener,
            measures,
            recorder,
            maker,
        }
    }

    /// The keys, for whoever wants to know whether there is a certificate.
    #[must_use]
    pub fn keys(&self) -> Keys {
        self.keys.clone()
    }

    /// What this part serves over HTTP, on every replica.
    pub fn routes(&self) -> Router {
        http::routes(Served::new(
            self.keys.clone(),
            self.opener.clone(),
            rules(&self.settings, &self.context.namespace),
            self.measures.clone(),
            self.settings.rate_limit,
        ))
    }

    /// Does the work of the leader until the shutdown.
    pub async fn run(self) {
        let memory = Arc::new(Memory::default());
        tokio::join!(
            tend(&self.maker),
            publish(&self.context, &self.keys, &memory, &self.measures),
            self.unseal(&memory),
        );
    }

    async fn unseal(&self, memory: &Arc<Memory>) {
        let namespaces = &self.settings.namespaces;
        let served = presence::served_somewhere::<SealedSecret>(&self.context, FEATURE, namespaces);
        if served.await.is_err() {
            return;
        }
        let secrets = Arc::new(SecretIndex::default());
        let bodies = Arc::new(Bodies::default());
        let (wake, woken) = mpsc::channel(WAKE_QUEUE);
        let (store, writer) = reflector::store();
        let listed = Notify::new();
        let (gone, going) = mpsc::channel(WAKE_QUEUE);
        let waking = Waking {
            part: self,
            secrets: &secrets,
            store: &store,
            wake,
            listed: &listed,
        };
        let unsealing = async {
            if self.is_ready(&listed).await.is_err() {
                return;
            }
            let objects = self.objects(writer, store.clone(), Arc::clone(memory), &bodies, gone);
            let controller =
                Controller::for_stream(objects, store.clone()).reconcile_on(references(woken));
            let unsealer = Arc::new(self.unsealer(&secrets, memory, &bodies));
            let running = Running {
                kind: "sealedsecret",
                concurrency: CONCURRENCY,
                backoff: Bounds {
                    first: Duration::from_secs(1),
                    longest: PATIENCE * 30,
                },
            };
            reconcile::run(controller, unsealer, running, &self.context).await;
        };
        tokio::join!(
            unsealing,
            waking.by_secrets(),
            waking.by_keys(memory),
            self.clean_up(going, &secrets),
        );
    }

    /// Waits, not for ever, for what the first reconciles need: the keys, and the Secrets' listing.
    async fn is_ready(&self, listed: &Notify) -> Result<(), kit::Stopped> {
        let mut changes = self.keys.changes();
        let ready = async {
            let has_key = changes.wait_for(|set| set.keyring.current().is_some());
            let keys_known = async { drop(has_key.await) };
            let secrets_known = async {
                if self.settings.watch_secrets {
                    listed.notified().await;
                }
            };
            tokio::join!(keys_known, secrets_known);
        };
        // After that time it starts with what is known.
        drop(
            self.context
                .shutdown
                .or(tokio::time::timeout(PATIENCE, ready))
                .await?,
        );
        Ok(())
    }

    /// The SealedSecrets as they come, with what is forgotten when they go.
    fn objects(
        &self,
        writer: reflector::store::Writer<Watched>,
        store: Store<Watched>,
        memory: Arc<Memory>,
        bodies: &Arc<Bodies>,
        gone: mpsc::Sender<Watched>,
    ) -> impl Stream<Item = watcher::Result<Watched>> + Send + 'static {
        let settings = &self.settings;
        let selector = settings.label_selector.as_deref();
        let measures = self.measures.clone();
        let delete_secrets = settings.delete_secrets;
        let held = Arc::clone(bodies);
        let namespaces = &settings.namespaces;
        sealed_secrets(&self.context, namespaces, selector, bodies, &store)
            .reflect(writer)
            .inspect_ok(move |event| match event {
                Event::Delete(watched) => {
                    memory.forget(&Place::of(watched));
                    held.forget(&Place::of(watched));
                    measures.forget(watched);
                    if delete_secrets && gone.try_send(watched.clone()).is_err() {
                        warn!("more SealedSecrets went at once than can be cleaned up after");
                    }
                }
                Event::InitDone => {
                    held.retain(|place| store.get(&place.reference()).is_some());
                    memory.listed(&store);
                }
                _ => {}
            })
            .touched_objects()
    }

    fn unsealer(
        &self,
        secrets: &Arc<SecretIndex>,
        memory: &Arc<Memory>,
        bodies: &Arc<Bodies>,
    ) -> Unsealer {
        let settings = &self.settings;
        Unsealer {
            client: self.context.client.clone(),
            keys: self.keys.clone(),
            opener: self.opener.clone(),
            rules: rules(settings, &self.context.namespace),
            secrets: Arc::clone(secrets),
            bodies: Arc::clone(bodies),
            memory: Arc::clone(memory),
            measures: self.measures.clone(),
            recorder: self.recorder.clone(),
            habits: Habits {
                update_status: settings.update_status,
                most_retries: settings.most_retries,
            },
        }
    }

    /// Deletes the Secrets of SealedSecrets that went (`--old-gc-behavior`).
    async fn clean_up(&self, mut going: mpsc::Receiver<Watched>, secrets: &SecretIndex) {
        while let Ok(Some(watched)) = self.context.shutdown.or(going.recv()).await {
            let place = Place::of(&watched);
            let look = secrets.look(&place);
            let deleted =
                carry_out::delete(&self.context.client, &place, watched.uid(), &look).await;
            match deleted {
                Ok(()) => info!(secret = %place, "SealedSecret has gone, deleted Secret"),
                Err(error) => {
                    warn!(secret = %place, %error, "SealedSecret has gone, but not its Secret");
                }
            }
        }
    }
}

pub(crate) fn rules(settings: &Settings, own_namespace: &str) -> Rules {
    Rules {
        own_namespace: own_namespace.to_owned(),
        key_prefix: settings.design.prefix.clone(),
        accept_v1_data: settings.accept_v1_data,
        allow_privileged_types: settings.allow_privileged_types,
    }
}

/// What wakes SealedSecrets besides their own changes.
struct Waking<'a> {
    part: &'a Part,
    secrets: &'a SecretIndex,
    store: &'a Store<Watched>,
    wake: mpsc::Sender<ObjectRef<Watched>>,
    listed: &'a Notify,
}

impl Waking<'_> {
    /// A Secret of the same name came, changed or went.
    async fn by_secrets(&self) {
        let part = self.part;
        if !part.settings.watch_secrets {
            return;
        }
        let (context, namespaces) = (&part.context, &part.settings.namespaces);
        if presence::served_somewhere::<PartialObjectMeta<Secret>>(context, NOTICING, namespaces)
            .await
            .is_err()
        {
            return;
        }
        let news = watch_secrets(context, namespaces, self.secrets);
        let mut news = std::pin::pin!(news);
        while let Ok(Some(news)) = context.shutdown.or(news.next()).await {
            match news {
                Ok(News::Changed(place)) => self.secret_changed(&place).await,
                Ok(News::Listed) => self.listed.notify_one(),
                Err(error) => {
                    let error = redact::foreign(&redact::with_sources(&error));
                    debug!(error, "the watch of Secrets broke; it is tried again");
                }
            }
        }
    }

    async fn secret_changed(&self, place: &Place) {
        let part = self.part;
        if place.namespace == part.context.namespace && place.name == part.follower.legacy {
            part.follower.read_legacy().await;
        }
        // The listing at the start is no news: every SealedSecret is looked at then anyway.
        if self.store.get(&place.reference()).is_some() {
            drop(self.wake.send(place.reference()).await);
        }
    }

    /// The keys changed, and something waits for one.
    async fn by_keys(&self, memory: &Memory) {
        let mut changes = self.part.keys.changes();
        let shutdown = &self.part.context.shutdown;
        while let Ok(Ok(())) = shutdown.or(changes.changed()).await {
            for place in memory.waiting_for_a_key() {
                drop(self.wake.send(place.reference()).await);
            }
        }
    }
}

fn references(
    woken: mpsc::Receiver<ObjectRef<Watched>>,
) -> impl Stream<Item = ObjectRef<Watched>> + Send + 'static {
    stream::unfold(woken, |mut woken| async {
        let reference = woken.recv().await?;
        Some((reference, woken))
    })
}

/// SIGUSR1 asks for a new key (`pkg/controller/signal_notwin.go`), of any replica: the name of the
/// key sees to it that two of them make one.
async fn make_on_signal(maker: Maker) {
    let shutdown = maker.follower.context.shutdown.clone();
    let Ok(mut signals) = signal(SignalKind::user_defined1()) else {
        warn!("SIGUSR1 cannot be listened to, so it will not make a new key");
        return;
    };
    while let Ok(Some(())) = shutdown.or(signals.recv()).await {
        if let Err(error) = maker.make(Asked::ByHand, "SIGUSR1").await {
            warn!(%error, "a new sealing key could not be made");
        }
    }
}

//! Events for the people who look at an object.
//!
//! They are core/v1 Events with the incumbents' source components, because their roles grant
//! events of the core group alone. The same thing about the same object is one Event that counts.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{Event, EventSource, ObjectReference},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta, Time},
};
use kube::{
    Api, Client, Resource, ResourceExt as _,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;
use tokio::sync::mpsc;
use tracing::{debug, warn};

use crate::{Shutdown, redact};

/// How many Events may wait to be sent. More are dropped: an Event is a courtesy, and memory is not.
const QUEUE: usize = 1_024;

/// How long the same thing counts up one Event instead of making another.
const WINDOW: Duration = Duration::from_secs(600);

/// How many different things are remembered for counting.
const REMEMBERED: usize = 2_048;

/// How long sending one Event may take.
const LONGEST_SENDING: Duration = Duration::from_secs(30);

/// The API server's own bound for the text of an Event.
const LONGEST_MESSAGE: usize = 1_024;

/// Publishes Events for one component. Clones share its queue.
#[derive(Clone)]
pub struct Recorder {
    queue: mpsc::Sender<Happening>,
}

/// One thing that happened to one object.
struct Happening {
    object: ObjectReference,
    kind: &'static str,
    reason: String,
    message: String,
    annotations: Option<std::collections::BTreeMap<String, String>>,
}

impl Recorder {
    /// A recorder whose Events name `component` as their source, until the shutdown.
    #[must_use]
    pub fn new(client: Client, component: &'static str, shutdown: Shutdown) -> Self {
        let (queue, receiver) = mpsc::channel(QUEUE);
        let sender = Sender {
            client,
            component,
            known: HashMap::new(),
            refused: false,
        };
        tokio::spawn(sender.run(receiver, shutdown));
        Self { queue }
    }

    /// Says that something went well.
    pub fn normal<K: Resource<DynamicType = ()>>(&self, object: &K, reason: &str, message: &str) {
        self.publish(object.object_ref(&()), "Normal", reason, message);
    }

    /// Says that something needs a look.
    pub fn warning<K: Resource<DynamicType = ()>>(&self, object: &K, reason: &str, message: &str) {
        self.publish(object.object_ref(&()), "Warning", reason, message);
    }

    /// The same as [`Recorder::normal`], with annotations on the Event itself.
    pub fn annotated<K: Resource<DynamicType = ()>>(
        &self,
        object: &K,
        reason: &str,
        message: &str,
        annotations: std::collections::BTreeMap<String, String>,
    ) {
        self.enqueue(Happening {
            annotations: Some(annotations),
            ..happening(object.object_ref(&()), "Normal", reason, message)
        });
    }

    fn publish(&self, object: ObjectReference, kind: &'static str, reason: &str, message: &str) {
        self.enqueue(happening(object, kind, reason, message));
    }

    fn enqueue(&self, happening: Happening) {
        if self.queue.try_send(happening).is_err() {
            debug!("an event was dropped: the queue is full or closed");
        }
    }
}

fn happening(
    object: ObjectReference,
    kind: &'static str,
    reason: &str,
    message: &str,
) -> Happening {
    let mut message = message.to_owned();
    if message.len() > LONGEST_MESSAGE {
        let end = (0..=LONGEST_MESSAGE - 3)
            .rev()
            .find(|end| message.is_char_boundary(*end));
        message.truncate(end.unwrap_or(0));
        message.push('…');
    }
    Happening {
        object,
        kind,
        reason: reason.to_owned(),
        message,
        annotations: None,
    }
}

/// What makes two happenings the same thing.
#[derive(PartialEq, Eq, Hash, Clone)]
struct Thing {
    uid: String,
    reason: String,
    message: String,
}

struct Known {
    name: String,
    count: i32,
    since: Instant,
}

struct Sender {
    client: Client,
    component: &'static str,
    known: HashMap<Thing, Known>,
    refused: bool,
}

impl Sender {
    async fn run(mut self, mut receiver: mpsc::Receiver<Happening>, shutdown: Shutdown) {
        while let Ok(Some(happening)) = shutdown.or(receiver.recv()).await {
            // One answer that never comes must not silence all that is said later.
            drop(tokio::time::timeout(LONGEST_SENDING, self.send(happening)).await);
        }
        // What was said before the end is still sent, as far as it goes quickly.
        let last = async {
            while let Ok(happening) = receiver.try_recv() {
                self.send(happening).await;
            }
        };
        drop(tokio::time::timeout(Duration::from_secs(1), last).await);
    }

    async fn send(&mut self, happening: Happening) {
        let thing = Thing {
            uid: happening.object.uid.clone().unwrap_or_default(),
            reason: happening.reason.clone(),
            message: happening.message.clone(),
        };
        self.known.retain(|_, known| known.since.elapsed() < WINDOW);
        let namespace = happening
            .object
            .namespace
            .clone()
            .unwrap_or_else(|| "default".into());
        let api = Api::<Event>::namespaced(self.client.clone(), &namespace);
        let counted = match self.known.get_mut(&thing) {
            Some(known) => Some(count_up(&api, known).await),
            None => None,
        };
        let result = match counted {
            // Events live for an hour, or until somebody deletes them.
            Some(Err(kube::Error::Api(status))) if status.code == 404 => {
                self.known.remove(&thing);
                self.create(&api, happening, namespace, thing).await
            }
            Some(result) => result,
            None => self.create(&api, happening, namespace, thing).await,
        };
        if let Err(error) = result {
            self.tell(&error);
        }
    }

    async fn create(
        &mut self,
        api: &Api<Event>,
        happening: Happening,
        namespace: String,
        thing: Thing,
    ) -> Result<(), kube::Error> {
        let event = self.event(happening, namespace);
        api.create(&PostParams::default(), &event).await?;
        if self.known.len() < REMEMBERED {
            let name = event.name_any();
            self.known.insert(
                thing,
                Known {
                    name,
                    count: 1,
                    since: Instant::now(),
                },
            );
        }
        Ok(())
    }

    /// The Event as client-go's recorder writes it (tools/record/event.go, `makeEvent`).
    fn event(&self, happening: Happening, namespace: String) -> Event {
        let now = Timestamp::now();
        let object_name = happening.object.name.clone().unwrap_or_default();
        Event {
            metadata: ObjectMeta {
                name: Some(format!("{object_name}.{:x}", now.as_nanosecond())),
                namespace: Some(namespace),
                annotations: happening.annotations,
                ..ObjectMeta::default()
            },
            involved_object: happening.object,
            reason: Some(happening.reason),
            message: Some(happening.message),
            type_: Some(happening.kind.to_owned()),
            source: Some(EventSource {
                component: Some(self.component.to_owned()),
                host: None,
            }),
            reporting_component: Some(self.component.to_owned()),
            first_timestamp: Some(Time(now)),
            last_timestamp: Some(Time(now)),
            event_time: None::<MicroTime>,
            count: Some(1),
            ..Event::default()
        }
    }

    /// A missing right is said once; anything else about an Event interests nobody.
    fn tell(&mut self, error: &kube::Error) {
        let text = redact::api_error(error);
        let forbidden = matches!(error, kube::Error::Api(status) if status.code == 403);
        if forbidden && !self.refused && !text.contains("is being terminated") {
            self.refused = true;
            warn!(component = self.component, error = %text, "the right to write events is missing; conditions and logs still tell everything");
        } else {
            debug!(component = self.component, error = %text, "an event was not written");
        }
    }
}

async fn count_up(api: &Api<Event>, known: &mut Known) -> Result<(), kube::Error> {
    known.count = known.count.saturating_add(1);
    let patch = json!({ "count": known.count, "lastTimestamp": Time(Timestamp::now()) });
    api.patch(&known.name, &PatchParams::default(), &Patch::Merge(patch))
        .await?;
    Ok(())
}

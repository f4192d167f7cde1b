//! Sealing a stream of Secrets.

use std::num::NonZero;
use std::thread;

use document::{Document, DocumentKind, Format, Secret};
use keys::{Certificate, Scope, SecretBytes};

use crate::arguments::Settings;
use crate::error::Failure;
use crate::namespace::Namespace;
use crate::terminal;

/// Seals every Secret of a stream and passes everything else on as it is (`Seal` in
/// `pkg/kubeseal/kubeseal.go`, which takes every object for a Secret).
pub(crate) fn seal(
    settings: &Settings,
    input: &SecretBytes,
    certificate: &Certificate,
    format: Format,
) -> Result<String, Failure> {
    let text = crds::yaml::text(input.expose()).map_err(Failure::work)?;
    let documents = document::read(&text).map_err(Failure::work)?;
    refuse_without_secrets(&documents)?;
    let namespace = Namespace::new(settings);
    let single = documents.len() == 1;
    let mut jobs = Vec::with_capacity(documents.len());
    for document in documents {
        let place = Place {
            index: document.index,
            line: document.line,
            single,
        };
        let job = job(settings, &namespace, document, &text, format);
        jobs.push(job.map_err(|failure| place.mark(failure))?);
    }
    carry_out(jobs, settings, certificate, format)
}

/// What is done for one document.
enum Job {
    Seal(Box<Secret>),
    PassOn(String),
}

/// Which document a failure is about, where there are several.
struct Place {
    index: usize,
    line: usize,
    single: bool,
}

impl Place {
    fn mark(&self, failure: Failure) -> Failure {
        match failure {
            Failure::Work(text) if !self.single => Failure::Work(format!(
                "{text} (document {}, line {})",
                self.index, self.line
            )),
            other => other,
        }
    }
}

fn refuse_without_secrets(documents: &[Document]) -> Result<(), Failure> {
    if documents
        .iter()
        .any(|document| document.kind() != DocumentKind::Other)
    {
        return Ok(());
    }
    let kinds: Vec<&str> = documents
        .iter()
        .map(|document| {
            document
                .value
                .get("kind")
                .and_then(|kind| kind.as_str())
                .unwrap_or("?")
        })
        .collect();
    let found = match kinds.as_slice() {
        [] => String::new(),
        kinds => format!(" (found: {})", kinds.join(", ")),
    };
    Err(Failure::Work(format!(
        "no secrets found. Ensure the input is valid and UTF-8 encoded{found}"
    )))
}

fn job(
    settings: &Settings,
    namespace: &Namespace<'_>,
    document: Document,
    text: &str,
    format: Format,
) -> Result<Job, Failure> {
    match document.kind() {
        DocumentKind::Secret => {
            let secret = Secret::from_value(document.value).map_err(Failure::work)?;
            prepare(settings, namespace, secret).map(|secret| Job::Seal(Box::new(secret)))
        }
        DocumentKind::SealedSecret => {
            terminal::remark(&format!(
                "warning: document {} is sealed already and is passed on as it is",
                document.index
            ));
            Ok(Job::PassOn(unchanged(text, &document, format)))
        }
        DocumentKind::Other => Ok(Job::PassOn(unchanged(text, &document, format))),
    }
}

/// Gives the Secret its name, scope and namespace.
fn prepare(
    settings: &Settings,
    namespace: &Namespace<'_>,
    mut secret: Secret,
) -> Result<Secret, Failure> {
    refuse_empty(settings, &secret)?;
    if !settings.name.is_empty() {
        secret.set_name(&settings.name);
    }
    if secret.name().is_empty() {
        return Err(Failure::work("missing metadata.name in input Secret"));
    }
    if settings.scope != Scope::Strict {
        secret.set_scope(settings.scope);
    }
    if secret.scope() != Scope::ClusterWide {
        namespace.check(secret.namespace())?;
        if secret.namespace().is_empty() {
            secret.set_namespace(&namespace.resolve());
        }
    }
    Ok(secret)
}

/// A Secret without a value is most likely a mistake.
pub(crate) fn refuse_empty(settings: &Settings, secret: &Secret) -> Result<(), Failure> {
    if !secret.items().is_empty() || settings.allow_empty_data {
        return Ok(());
    }
    Err(Failure::work(
        "secret.data is empty in input Secret, assuming this is an error and aborting. \
         To work with empty data, --allow-empty-data can be used",
    ))
}

/// A document that is none of our business. In its own format it keeps every byte.
fn unchanged(text: &str, document: &Document, format: Format) -> String {
    let Some(text) = document.range.clone().and_then(|range| text.get(range)) else {
        return format.write(&document.value);
    };
    let is_json = text.trim_start().starts_with('{');
    let end = if text.ends_with('\n') { "" } else { "\n" };
    match format {
        Format::Json if is_json => format!("{text}{end}"),
        Format::Yaml if text.starts_with('%') => format!("{text}{end}"),
        Format::Yaml if !is_json => {
            let head = if text.starts_with(['\n', '\r', ' ']) {
                "---"
            } else {
                "---\n"
            };
            format!("{head}{text}{end}")
        }
        _ => format.write(&document.value),
    }
}

/// Below this a thread costs more than it saves.
const JOBS_PER_THREAD: usize = 8;

fn carry_out(
    jobs: Vec<Job>,
    settings: &Settings,
    certificate: &Certificate,
    format: Format,
) -> Result<String, Failure> {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = processors.min(jobs.len().div_ceil(JOBS_PER_THREAD)).max(1);
    let share = jobs.len().div_ceil(threads).max(1);
    let work = |jobs: &[Job]| -> Result<String, Failure> {
        jobs.iter()
            .map(|job| carry_out_one(job, settings, certificate, format))
            .collect()
    };
    if threads == 1 {
        return work(&jobs);
    }
    thread::scope(|scope| {
        let running: Vec<_> = jobs
            .chunks(share)
            .map(|jobs| scope.spawn(move || work(jobs)))
            .collect();
        running
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|_| Err(Failure::work("a sealing thread died")))
            })
            .collect()
    })
}

fn carry_out_one(
    job: &Job,
    settings: &Settings,
    certificate: &Certificate,
    format: Format,
) -> Result<String, Failure> {
    match job {
        Job::PassOn(text) => Ok(text.clone()),
        Job::Seal(secret) => {
            let sealed = document::seal_secret(secret, certificate.public_key(), settings.record);
            sealed
                .map(|sealed| format.write(&sealed))
                .map_err(Failure::work)
        }
    }
}

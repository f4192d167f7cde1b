//! An API server that answers what kubeseal asks it, with a controller behind its service proxy.
//!
//! The real ones are in the suites of `tests/`; this one can be made to fail in every way.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use keys::{Certificate, Keyring, PrivateKey, encode_base64, seal};
use serde_json::{Value, json};

use crate::bench::pair;

/// An answer: status, further header lines, body.
pub(crate) type Answer = (u16, String, Vec<u8>);

/// Answers until the test ends. Requests are noted as `METHOD path`.
pub(crate) struct ApiServer {
    pub(crate) url: String,
    pub(crate) requests: Arc<Mutex<Vec<String>>>,
    /// The headers that say who asks, of all requests.
    pub(crate) identities: Arc<Mutex<Vec<String>>>,
}

pub(crate) const SERVICE: &str =
    "/api/v1/namespaces/kube-system/services/sealed-secrets-controller";
pub(crate) const PROXY: &str =
    "/api/v1/namespaces/kube-system/services/http:sealed-secrets-controller:web/proxy";
pub(crate) const CONFIG_MAP: &str =
    "/api/v1/namespaces/kube-system/configmaps/sealed-secrets-certificates";

impl ApiServer {
    /// One with a working controller, of which some paths answer otherwise.
    pub(crate) fn start(otherwise: &[(&str, Answer)]) -> Self {
        let otherwise: HashMap<String, Answer> = otherwise
            .iter()
            .map(|(path, answer)| ((*path).to_owned(), answer.clone()))
            .collect();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let identities = Arc::new(Mutex::new(Vec::new()));
        let (noted, seen) = (Arc::clone(&requests), Arc::clone(&identities));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap(), &otherwise, &noted, &seen);
            }
        });
        Self {
            url,
            requests,
            identities,
        }
    }

    /// The different headers of all requests, sorted.
    pub(crate) fn identities(&self) -> Vec<String> {
        let mut identities = self.identities.lock().unwrap().clone();
        identities.sort();
        identities.dedup();
        identities
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

pub(crate) fn status(code: u16, message: &str) -> Answer {
    let body = json!({"kind": "Status", "code": code, "message": message});
    (code, String::new(), body.to_string().into_bytes())
}

fn serve(
    stream: TcpStream,
    otherwise: &HashMap<String, Answer>,
    noted: &Mutex<Vec<String>>,
    identities: &Mutex<Vec<String>>,
) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    if reader.read_line(&mut line).unwrap_or(0) == 0 {
        return;
    }
    let mut words = line.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        if header.trim().is_empty() {
            break;
        }
        let lower = header.to_lowercase();
        if lower.starts_with("authorization:") || lower.starts_with("impersonate-") {
            identities
                .lock()
                .unwrap()
                .push(header.trim().to_lowercase());
        }
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    noted.lock().unwrap().push(format!("{method} {path}"));
    let first = noted
        .lock()
        .unwrap()
        .iter()
        .filter(|seen| seen.ends_with(&path))
        .count()
        == 1;
    let (code, headers, body) = match otherwise.get(&path) {
        // One that asks for patience is content with the second attempt.
        Some((429, ..)) if !first => answer(&path, &body),
        Some(answer) => answer.clone(),
        None => answer(&path, &body),
    };
    let head = format!(
        "HTTP/1.1 {code} x\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n",
        body.len()
    );
    let mut stream = reader.into_inner();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body).unwrap();
}

fn answer(path: &str, body: &[u8]) -> Answer {
    let ok = |body: Vec<u8>| (200, String::new(), body);
    match path.strip_prefix(PROXY) {
        Some("/v1/cert.pem") => ok(pair().0.clone().into_bytes()),
        Some("/v1/verify") => (
            if rotated(body).is_some() { 200 } else { 409 },
            String::new(),
            vec![],
        ),
        Some("/v1/rotate") => match rotated(body) {
            Some(sealed) => ok(sealed.to_string().into_bytes()),
            None => (500, String::new(), vec![]),
        },
        None if path == SERVICE => ok(json!({"spec": {"ports": [{"name": "web", "port": 8080}]}})
            .to_string()
            .into_bytes()),
        _ => status(404, "not found"),
    }
}

/// What the incumbent's rotate makes: kind and template are lost.
fn rotated(body: &[u8]) -> Option<Value> {
    let mut sealed: Value = serde_json::from_slice(body).ok()?;
    let label = document::Identity::of(&sealed).label();
    let certificate = Certificate::from_pem(pair().0.as_bytes()).unwrap();
    let mut ring = Keyring::new();
    let key = PrivateKey::from_pem(pair().1.as_bytes()).unwrap();
    ring.insert_private(key, SystemTime::UNIX_EPOCH);
    for (_, item) in sealed["spec"]["encryptedData"].as_object_mut()? {
        let opened = ring.open_base64(item.as_str()?, &label, None).ok()?;
        let again = seal(certificate.public_key(), &label, opened.plaintext.expose()).unwrap();
        *item = encode_base64(&again).into();
    }
    sealed["spec"]["template"] = json!({"metadata": sealed["metadata"].clone()});
    sealed.as_object_mut()?.remove("kind");
    Some(sealed)
}
